"""Whole-number sums by key, of parts of a table and of the whole: the same for any parts. And the bins of chances."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

OCTAVES, PER_OCTAVE = 40, 256
LOWEST = -32  # chances have 32 bits
BINS = OCTAVES * PER_OCTAVE
"""Bins of chances over weights, 2^-32 to 2^8, none wider than 0.4 % of its place: a small share is as exact as a large
one."""


class Sums(NamedTuple):
    """keys: int64, ascending, each once. values: int64 [keys, columns]."""

    keys: np.ndarray
    values: np.ndarray

    def of(self, first: int, last: int) -> "Sums":
        """Those of the keys from first to before last, counted from first."""
        begin, end = np.searchsorted(self.keys, [first, last])
        return Sums(self.keys[begin:end] - first, self.values[begin:end])


def summed(keys: np.ndarray, *values: np.ndarray) -> Sums:
    order = np.argsort(keys, kind="stable")
    columns = np.stack([value.astype(np.int64) for value in values], axis=1)[order]
    unique, begins = np.unique(keys[order], return_index=True)
    if not len(unique):
        return Sums(np.empty(0, np.int64), np.empty((0, len(values)), np.int64))
    return Sums(unique.astype(np.int64), np.add.reduceat(columns, begins, axis=0))


def merged(parts: Iterable[Sums]) -> Sums:
    """At least one part."""
    listed = list(parts)
    keys = np.concatenate([part.keys for part in listed])
    return summed(keys, *np.concatenate([part.values for part in listed]).T)


def bin_of(chance: np.ndarray) -> np.ndarray:
    """int64, 0 to BINS - 1. chance: float64, positive. By the number's bits, alike on all machines."""
    mantissa, exponent = np.frexp(chance)  # mantissa in [0.5, 1)
    octave = exponent.astype(np.int64) - 1 - LOWEST
    within = ((mantissa - 0.5) * (2 * PER_OCTAVE)).astype(np.int64)
    return np.clip(octave * PER_OCTAVE + within, 0, BINS - 1)


def edge(number: int) -> float:
    """Where a bin begins."""
    octave, within = divmod(number, PER_OCTAVE)
    return float((1 + within / PER_OCTAVE) * 2.0 ** (octave + LOWEST))


def unit(chances: np.ndarray) -> np.ndarray:
    """uint32 as float64 in (0, 1)."""
    return (chances.astype(np.float64) + 0.5) * 2.0**-32
