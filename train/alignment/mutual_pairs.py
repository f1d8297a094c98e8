"""A dictionary out of two sides that lie in one space already, if badly."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from train.alignment.checking import matrix
from train.metrics.neighbours import NEIGHBOURHOOD, csls_both_ways

RANK = 15_000


class Nearest(NamedTuple):
    """int64: there [n], of each word of the first side its nearest of the second; back [m], the other way."""

    there: NDArray[np.int64]
    back: NDArray[np.int64]

    @property
    def mutual(self) -> NDArray[np.int64]:
        """int64 [pairs, 2], by the first: words that are each other's nearest. May be empty."""
        found = np.flatnonzero(self.back[self.there] == np.arange(len(self.there)))
        return np.stack([found, self.there[found]], 1)


def nearest_both_ways(mapped: ArrayLike, second: ArrayLike, rank: int = RANK, chunk: int | None = None) -> Nearest:
    """By CSLS with 10 neighbours, among the first `rank` of each side. Otherwise as `mutual_pairs`."""
    X, Y = matrix(mapped, "mapped vectors")[:rank], matrix(second, "vectors of the second side")[:rank]
    return Nearest(*csls_both_ways(X, Y, k=NEIGHBOURHOOD["csls"], chunk=chunk))


def mutual_pairs(mapped: ArrayLike, second: ArrayLike, rank: int = RANK, chunk: int | None = None) -> NDArray[np.int64]:
    """int64 [pairs, 2], by the first: numbers of words that are each other's nearest by CSLS with 10 neighbours.

    mapped [n, k], second [m, k]: the most frequent words first, of which `rank` are taken of each side (Conneau et al.
    2018, arXiv 1710.04087, section 2.3, and section 3.1 for mutual ones: `S2T&T2S` of MUSE's options; its code looks
    among all words and drops pairs of rarer ones afterwards). May be empty. A block of scores at a time is held, as
    `metrics.neighbours` says. ValueError as `checking.matrix`, and where the sides have other widths."""
    return nearest_both_ways(mapped, second, rank, chunk).mutual
