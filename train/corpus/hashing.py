"""Choices as pure functions of ids: 64-bit hashes over NumPy arrays, in place of generators with a state.

A value depends on its keys alone, so that any process draws the same one, in any order, after any restart.
"""

import numpy as np
import xxhash
from numpy.typing import ArrayLike, NDArray

U64 = NDArray[np.uint64]

GAMMA = np.uint64(0x9E3779B97F4A7C15)  # 2 ** 64 over the golden ratio, the step of SplitMix64

# What a hash is drawn for comes first among its keys, so that no two uses share their draws.
ORDER, COPIES, MASK, WINDOW, VALIDATION = 1, 2, 3, 4, 5
LANGUAGE = 17
CUT, TO_WHICH, SWAPPED, EXCHANGED, HOW_MANY, VALIDATION_OF_PAIRS = 20, 21, 22, 23, 24, 25  # of pairs of texts
HELD_OUT, HIDDEN = 30, 31  # texts of an evaluation, and their tokens that are hidden together
PARALLEL = 9  # translations; what of them is its second key


def mix64(value: U64) -> U64:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014): a bijection of 64 bits, element by element."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def combine(*keys: ArrayLike) -> U64:
    """One hash out of several integer keys, which broadcast; their order matters. At least one dimension."""
    state = np.zeros(1, np.uint64)
    for key in keys:
        state = mix64((state + GAMMA) ^ np.asarray(key).astype(np.uint64))
    return state


def unit(value: U64) -> NDArray[np.float64]:
    """The top 53 bits as a number in [0, 1)."""
    return (value >> np.uint64(11)).astype(np.float64) * 2.0**-53


def hash_id(document_id: str) -> int:
    """64 bits of a document's id."""
    return xxhash.xxh3_64_intdigest(document_id.encode("utf-8", "surrogatepass"))
