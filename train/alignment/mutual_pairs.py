"""A dictionary out of two sides that lie in one space already, if badly."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from train.alignment.checking import matrix
from train.metrics.neighbours import NEIGHBOURHOOD, csls

RANK = 15_000


def mutual_pairs(mapped: ArrayLike, second: ArrayLike, rank: int = RANK, chunk: int | None = None) -> NDArray[np.int64]:
    """int64 [pairs, 2], by the first: numbers of words that are each other's nearest by CSLS with 10 neighbours.

    mapped [n, k], second [m, k]: the most frequent words first, of which `rank` are taken of each side (Conneau et al.
    2018, arXiv 1710.04087, section 2.3, and section 3.1 for mutual ones: `S2T&T2S` of MUSE's options; its code looks
    among all words and drops pairs of rarer ones afterwards). May be empty. A block of scores at a time is held, as
    `metrics.neighbours` says. ValueError as `checking.matrix`, and where the sides have other widths."""
    X, Y = matrix(mapped, "mapped vectors")[:rank], matrix(second, "vectors of the second side")[:rank]
    there = csls(X, Y, k=NEIGHBOURHOOD["csls"], chunk=chunk).indices[:, 0]
    back = csls(Y, X, k=NEIGHBOURHOOD["csls"], chunk=chunk).indices[:, 0]
    mutual = np.flatnonzero(back[there] == np.arange(len(X)))
    return np.stack([mutual, there[mutual]], 1)
