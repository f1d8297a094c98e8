"""Correlations of two lists of numbers, as GLUE scores STS-B; never NaN."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Numbers = Sequence[float] | NDArray[np.number]


def pearson(x: Numbers, y: Numbers) -> float:
    """-1 to 1; 0.0 where either side is constant, whose correlation is not defined (scipy gives NaN).

    ValueError where there are fewer than two numbers, not as many of both, or one that is not finite.
    """
    return _correlation(*_checked(x, y))


def spearman(x: Numbers, y: Numbers) -> float:
    """Pearson of the ranks; numbers that are equal share the mean of their ranks. Otherwise as `pearson`."""
    first, second = _checked(x, y)
    return _correlation(_ranks(first), _ranks(second))


def _checked(x: Numbers, y: Numbers) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    first, second = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"numbers of shapes {first.shape} and {second.shape}: two lists of one length are needed")
    if len(first) < 2:
        raise ValueError(f"{len(first)} pairs of numbers: a correlation needs two")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("numbers that are not finite have no correlation")
    return first, second


def _correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    if x.min() == x.max() or y.min() == y.max():  # not by their spread, which rounding leaves above 0
        return 0.0
    first, second = _unit(x), _unit(y)
    return float(np.clip(first @ second, -1.0, 1.0))


def _unit(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centred, of length 1; scaled first, so that no square overflows or vanishes."""
    scaled = x / np.abs(x).max()
    centred = scaled - scaled.mean()
    centred /= np.abs(centred).max()
    return centred / np.linalg.norm(centred)


def _ranks(x: NDArray[np.float64]) -> NDArray[np.float64]:
    _, places, counts = np.unique(x, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[places]
