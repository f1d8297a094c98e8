"""Tables of 64-bit hashes for kernels: open addressing with linear probing, at most half full."""

from typing import NamedTuple

import numpy as np

from pipeline.kernels.compiling import kernel


class HashTable(NamedTuple):
    """`slots` uint64, 0 where free, and `values` int64, both of shape (a power of two,); `seen` uint64, 16 to 32 bits a
    hash with one set, which answers most questions from the cache."""

    slots: np.ndarray
    values: np.ndarray
    seen: np.ndarray


def hash_table(hashes: np.ndarray, values: np.ndarray) -> HashTable:
    """A table of distinct hashes, uint64, and their values, not negative. The hash 0 is kept as 1."""
    size = 1 << max(4, (2 * len(hashes)).bit_length())
    table = HashTable(np.zeros(size, np.uint64), np.zeros(size, np.int64), np.zeros(max(1, size >> 3), np.uint64))
    _fill(hashes.astype(np.uint64), values.astype(np.int64), table)
    return table


@kernel
def _fill(hashes: np.ndarray, values: np.ndarray, table: HashTable) -> None:
    mask = np.uint64(len(table.slots) - 1)
    for index in range(len(hashes)):
        key = max(hashes[index], np.uint64(1))
        slot = key & mask
        while table.slots[slot] != 0 and table.slots[slot] != key:
            slot = (slot + np.uint64(1)) & mask
        table.slots[slot], table.values[slot] = key, values[index]
        bit = key >> np.uint64(32)
        table.seen[(bit >> np.uint64(6)) & np.uint64(len(table.seen) - 1)] |= np.uint64(1) << (bit & np.uint64(63))


@kernel
def may_have(key: np.uint64, seen: np.ndarray) -> bool:
    """False for most hashes that are not in the table with these bits."""
    bit = max(key, np.uint64(1)) >> np.uint64(32)
    word = seen[(bit >> np.uint64(6)) & np.uint64(len(seen) - 1)]
    return ((word >> (bit & np.uint64(63))) & np.uint64(1)) != 0


@kernel
def find(key: np.uint64, table: HashTable) -> int:
    """The value of a hash, -1 without one."""
    key = max(key, np.uint64(1))
    mask = np.uint64(len(table.slots) - 1)
    slot = key & mask
    while table.slots[slot] != 0:
        if table.slots[slot] == key:
            return table.values[slot]
        slot = (slot + np.uint64(1)) & mask
    return -1
