"""What in a text is the same as something before it, for any language: units, and runs of two of them.

A unit is a word's beginning, so that forms of a word are mostly one: five characters, of Hangul two, of other scripts
of three bytes a character four. In scripts without spaces it is a run of two characters, or of three where a character
is a quarter of a word.
"""

from typing import NamedTuple

import numpy as np

from pipeline.kernels.compiling import borrowing, inlined, kernel
from pipeline.kernels.hash_table import table_size
from pipeline.words.characters import Characters, decode
from pipeline.words.words import FIRST, IS_SINGLE, SEED, mix

PAIR_BITS = 64
_PAIR, _TRIPLE = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)


class Units(NamedTuple):
    """Room for a text's units. By slot of a hash table: `keys` uint64, and `told` int32 (n, 2), how often a unit is
    there and, for its user, where it was last, -1 at first. By word: `slots` int32, and `repeated`, whether it and the
    word before it have stood together before: by `pairs`, PAIR_BITS and more for each word, so that a new pair is taken
    for one that was there in one of so many cases at most. `segments` uint64, free: a table for as many keys as words.
    """

    keys: np.ndarray
    told: np.ndarray
    slots: np.ndarray
    repeated: np.ndarray
    pairs: np.ndarray
    segments: np.ndarray


@kernel
def make_units(most: int) -> Units:
    """For texts of at most so many words."""
    size = table_size(most)
    return Units(
        np.empty(size, np.uint64), np.empty((size, 2), np.int32), np.empty(most, np.int32), np.empty(most, np.bool_),
        np.empty(table_size(most * PAIR_BITS // 128), np.uint64), np.empty(size, np.uint64),
    )  # fmt: skip


@inlined
def quarters_of(flag, lead):
    """Of a word by its flags and its first byte: U+0E00 to U+0EFF (Thai, Lao) and U+1000 to U+17FF are one."""
    if not flag & IS_SINGLE:
        return 4
    return 1 if lead == 0xE0 or lead == 0xE1 else 2


@inlined
def _left(lead):
    """How many characters of a word are its beginning."""
    return 2 if 0xEA <= lead <= 0xED else 4 if lead >= 0xE0 else 5


@borrowing
def _stem(data, at, end, tables):
    """The key of a word's beginning, case-folded as far as one character becomes one."""
    left = _left(data[at])
    key = SEED
    while at < end and left:
        byte = data[at]
        if byte < 128:
            point, at = np.int64(byte | 0x20 if 65 <= byte <= 90 else byte), at + 1
        else:
            point, at = decode(data, at, end)
            point += tables.shift[tables.kinds[tables.pages[point >> 8], point & 255]]
        key = (key ^ np.uint64(point)) * FIRST
        key ^= key >> np.uint64(32)
        left -= 1
    return mix(key)


@kernel
def find_units(
    data: np.ndarray, base: int, starts: np.ndarray, ends: np.ndarray, hashes: np.ndarray, lengths: np.ndarray,
    flags: np.ndarray, tables: Characters, units: Units,
) -> None:  # fmt: skip
    """Fills the room for the words of one text, which begins at byte `base`."""
    n_words = len(starts)
    keys, told, slots, repeated, pairs = units.keys, units.told, units.slots, units.repeated, units.pairs
    mask, bits = table_size(n_words) - 1, np.uint64(table_size(n_words * PAIR_BITS // 128) - 1)
    keys[: mask + 1] = 0
    pairs[: np.int64(bits) + 1] = 0
    before, before_that, unit_before = np.uint64(0), np.uint64(0), np.uint64(0)
    for i in range(n_words):
        if flags[i] & IS_SINGLE:
            whole = key = hashes[i]
            if i > 0 and starts[i] == ends[i - 1]:
                key = mix(key ^ _PAIR) + before
                if quarters_of(flags[i], data[base + starts[i]]) == 1:
                    key = mix(key ^ _TRIPLE) + before_that
            before_that, before = before, whole
        elif lengths[i] <= _left(data[base + starts[i]]):
            key = hashes[i]
        else:
            key = _stem(data, base + starts[i], base + ends[i], tables)
        key = max(key, np.uint64(1))
        slot = np.int64(key & np.uint64(mask))
        while keys[slot] != 0 and keys[slot] != key:
            slot = (slot + 1) & mask
        if keys[slot] == 0:
            keys[slot], told[slot, 0], told[slot, 1] = key, 0, -1
        told[slot, 0] += 1
        slots[i] = slot
        pair = mix(unit_before ^ _PAIR) + key
        place, bit = (pair >> np.uint64(6)) & bits, np.uint64(1) << (pair & np.uint64(63))
        repeated[i] = pairs[place] & bit != 0
        pairs[place] |= bit
        unit_before = key
