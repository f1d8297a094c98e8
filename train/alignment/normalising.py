"""Vectors become unit, centred, and unit again, before a map is learnt or applied.

Unit rows make the product of two a cosine, the mean taken from them makes the products of random words 0 on average,
and unit again gives each the same weight in the sum of squares (Artetxe et al. 2016, section 3.2; its order and the
last step: Artetxe et al. 2018, arXiv 1805.06297, section 3.1)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from train.alignment.checking import matrix


class Normalised(NamedTuple):
    """vectors: float32 [n, d], unit rows, or zeros where there was no vector. mean: float32 [d], of the unit rows,
    which was taken from them."""

    vectors: NDArray[np.float32]
    mean: NDArray[np.float32]


def unit(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Rows of length 1, float32; rows of zeros stay."""
    found = np.asarray(vectors, np.float32)
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    return np.asarray(found / np.where(lengths > 0, lengths, 1), np.float32)


def normalised(vectors: ArrayLike) -> Normalised:
    """As a map applies it to other vectors [n, d] of the same language, with this mean. ValueError for another shape,
    for no vector, and for what is not finite."""
    units = unit(matrix(vectors, "vectors"))
    mean = np.asarray(units.mean(0, dtype=np.float64), np.float32)
    told = units.any(1, keepdims=True)  # what has no vector is not where the mean is
    return Normalised(unit((units - mean) * told), mean)
