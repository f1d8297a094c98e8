"""The rotation that brings vectors nearest to those of another language."""

import numpy as np
from numpy.typing import ArrayLike

from train.alignment.checking import Matrix, lines


def procrustes(first: ArrayLike, second: ArrayLike) -> Matrix:
    """W, float64 [d, k], orthogonal: the minimiser of ||X W - Y||_F, X [n, d] and Y [n, k] line by line.

    W = U V', from the singular value decomposition U S V' = X'Y (Schönemann 1966; for word vectors Xing et al. 2015).
    d < k: rows of W are orthonormal, and it is the minimiser among such. d > k: columns are, and it is what maximises
    tr(W'X'Y), the transpose of the best map back, as the sum of squares has no closed form there (Eldén & Park 1999).
    Where lines span fewer than d dimensions, W is one of several minimisers. ValueError as `checking.lines`.
    """
    X, Y = lines(first, second)
    U, _, V = np.linalg.svd(X.T @ Y, full_matrices=False)
    return np.asarray(U @ V)
