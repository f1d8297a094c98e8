"""What every method here needs of its vectors."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Matrix = NDArray[np.float64]


def matrix(vectors: ArrayLike, name: str) -> Matrix:
    """float64 [n, d]. ValueError for another shape, for no row or no dimension, and for what is not finite."""
    found = np.asarray(vectors, np.float64)
    if found.ndim != 2 or not found.size:
        raise ValueError(f"{name} have the shape {found.shape}: [n, d] is needed, neither of them 0")
    if not np.isfinite(found).all():
        row = int(np.argmin(np.isfinite(found).all(1)))
        raise ValueError(f"row {row} of {name} is not finite")
    return found


def lines(first: ArrayLike, second: ArrayLike) -> tuple[Matrix, Matrix]:
    """Both as `matrix`: row i of one belongs to row i of the other. ValueError where one has more rows."""
    X, Y = matrix(first, "vectors of the first side"), matrix(second, "vectors of the second side")
    if len(X) != len(Y):
        raise ValueError(f"{len(X)} vectors and {len(Y)}: line i of one side belongs to line i of the other")
    return X, Y


def numbered(pairs: ArrayLike, first: int, second: int) -> NDArray[np.int64]:
    """int64 [pairs, 2], numbers of rows of two sides that have `first` and `second`. ValueError where there is no
    pair, or one names no row."""
    found = np.asarray(pairs)
    if found.ndim != 2 or found.shape[1] != 2 or not len(found) or not np.issubdtype(found.dtype, np.integer):
        raise ValueError(f"pairs have the shape {found.shape} and are of {found.dtype}: [pairs, 2] whole numbers")
    if found.min() < 0 or found[:, 0].max() >= first or found[:, 1].max() >= second:
        raise ValueError(f"a pair names a row that is not there: the sides have {first} and {second}")
    return np.asarray(found, np.int64)
