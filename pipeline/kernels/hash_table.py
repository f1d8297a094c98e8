"""Tables of 64-bit hashes for kernels: open addressing with linear probing, at most half full.

A kernel that needs a set or its own values by slot makes arrays of `table_size` and asks `slot_of`, or `stamped_slot`
where they are used again and again without being cleared.
"""

from typing import NamedTuple

import numpy as np

from pipeline.kernels.compiling import borrowing, inlined, kernel, whole

_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2 ** 64 by the golden ratio: the low bits of FNV-1a are easily made equal


class HashTable(NamedTuple):
    """`slots` uint64, 0 where free, and `values` int64, both of shape (a power of two,); `seen` uint64, 16 to 32 bits a
    hash with one set, which answers most questions from the cache."""

    slots: np.ndarray
    values: np.ndarray
    seen: np.ndarray


def hash_table(hashes: np.ndarray, values: np.ndarray) -> HashTable:
    """A table of distinct hashes, uint64, and their values, not negative. The hash 0 is kept as 1."""
    size = table_size(len(hashes))
    table = HashTable(np.zeros(size, np.uint64), np.zeros(size, np.int64), np.zeros(max(1, size >> 3), np.uint64))
    _fill(hashes.astype(np.uint64), values.astype(np.int64), table)
    return table


@kernel
def table_size(entries: int) -> int:
    """The power of two that leaves a table of so many entries at most half full."""
    size = 16
    while size < 2 * entries:
        size *= 2
    return size


@inlined
def slot_of(key: np.uint64, slots: np.ndarray) -> int:
    """Where a key, not 0, lies in a table whose free slots are 0, or the free slot where it belongs."""
    mask = np.uint64(len(slots) - 1)
    slot = (key * _SPREAD) >> np.uint64(20) & mask
    while slots[slot] != 0 and slots[slot] != key:
        slot = (slot + np.uint64(1)) & mask
    return whole(slot)


@borrowing
def stamped_slot(keys: np.ndarray, stamps: np.ndarray, mask: int, stamp: np.int32, key: np.uint64) -> np.int64:
    """Where a key of well mixed bits lies, or would lie, among those put in under this stamp; other stamps' slots are
    free. mask: `table_size` of what is put in, less 1; it may be less than the arrays' size."""
    slot = np.int64(key & np.uint64(mask))
    while stamps[slot] == stamp and keys[slot] != key:
        slot = (slot + 1) & mask
    return slot


@kernel
def _fill(hashes: np.ndarray, values: np.ndarray, table: HashTable) -> None:
    for index in range(len(hashes)):
        key = max(hashes[index], np.uint64(1))
        slot = slot_of(key, table.slots)
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
    slot = slot_of(max(key, np.uint64(1)), table.slots)
    return table.values[slot] if table.slots[slot] != 0 else -1
