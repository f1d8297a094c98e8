"""Sparsemax: the point of the probability simplex that is nearest to scores, which gives most of them nothing at all
(Martins & Astudillo 2016, arXiv 1602.02068, algorithm 1)."""

import numpy as np
from numpy.typing import NDArray


def sparsemax(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """float64 [n, k], rows of weights that sum to 1, of scores [n, k]. ValueError where k is 0 or a score is not
    finite."""
    values = np.asarray(scores, np.float64)
    if values.ndim != 2 or not values.shape[1]:
        raise ValueError(f"scores of the shape {values.shape}: [n, k] with one of k at least is needed")
    if not np.isfinite(values).all():
        raise ValueError("scores that are not finite have no nearest point")
    falling = -np.sort(-values, axis=1)
    sums = falling.cumsum(1)
    counts = np.arange(1, values.shape[1] + 1)
    support = (1 + counts * falling > sums).sum(1)  # they are the first ones
    threshold = (sums[np.arange(len(values)), support - 1] - 1) / support
    return np.asarray(np.maximum(values - threshold[:, None], 0))
