"""How well two sides fit, told without a dictionary."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from train.alignment.checking import Matrix, matrix
from train.metrics.neighbours import NEIGHBOURHOOD, csls

WORDS = 10_000


def criterion(mapped: ArrayLike, second: ArrayLike, words: int = WORDS, chunk: int | None = None) -> float:
    """The mean cosine of each word with its nearest by CSLS among the other side's: MUSE's criterion of selection,
    `mean_cosine-csls_knn_10-S2T-10000` (Conneau et al. 2018, arXiv 1710.04087, section 2.4). -1 to 1.

    mapped [n, k], second [m, k]: the most frequent words first, of which `words` are taken of each side. MUSE's code
    looks among all words and leaves out whose nearest is a rarer one; here that word takes its nearest of the frequent.
    A random map does not have 0: in few dimensions each word is near to something. ValueError as `checking.matrix`.
    """
    X, Y = matrix(mapped, "mapped vectors")[:words], matrix(second, "vectors of the second side")[:words]
    return mean_cosine(X, Y, csls(X, Y, k=NEIGHBOURHOOD["csls"], chunk=chunk).indices[:, 0])


def mean_cosine(X: Matrix, Y: Matrix, found: NDArray[np.int64]) -> float:
    """Of each row [n, k] with the row of the other side [m, k] that was found for it, by number [n]; of a vector of
    zeros it is 0."""
    lengths = np.linalg.norm(X, axis=1) * np.linalg.norm(Y[found], axis=1)
    return float(((X * Y[found]).sum(1) / np.where(lengths > 0, lengths, 1)).mean())
