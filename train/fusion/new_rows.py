"""Rows of an embedding table for tokens that it does not have, out of those that it has.

Each function is given the table with the decoder's bias as a last column, so that a token's bias is made as its row is.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from train.fusion.sparsemax import sparsemax

AT_ONCE = 1 << 22  # similarities at a time


def focus(
    new: NDArray[np.floating], known: NDArray[np.floating], table: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """FOCUS (Dobler & de Melo 2023, arXiv 2305.14481, section 3): of each new token the mean of the known tokens' rows
    by sparsemax of the cosines of its vector with theirs.

    new: [n, v] and known: [k, v], vectors of tokens in one space that knows both, none of zeros; table: [k, d]. float32
    [n, d], and of how many rows each is the mean, int64 [n]. ValueError where there is no known token.
    """
    a, b = _unit(new), _unit(known)
    rows, counts = np.zeros((len(a), table.shape[1]), np.float32), np.zeros(len(a), np.int64)
    step = max(1, AT_ONCE // max(len(b), 1))
    for begin in range(0, len(a), step):
        weights = sparsemax(a[begin : begin + step] @ b.T)
        rows[begin : begin + step] = weights @ table
        counts[begin : begin + step] = (weights > 0).sum(1)
    return rows, counts


def of_pieces(pieces: Sequence[Sequence[int]], table: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32 [n, d]: the mean of the rows of each token's pieces. ValueError where a token has none."""
    if not all(pieces):
        raise ValueError("a token without pieces has no mean of them")
    found = [table[list(one)].mean(0, dtype=np.float64) for one in pieces]
    return np.array(found, np.float32).reshape(len(pieces), table.shape[1])


def sampled(count: int, table: NDArray[np.float32], seed: int = 0) -> NDArray[np.float32]:
    """float32 [count, d]: drawn from a normal distribution with each column's mean and deviation over the table, as
    FOCUS and its baselines do where nothing is known of a token."""
    generator = np.random.default_rng(seed)
    mean, deviation = table.mean(0, dtype=np.float64), table.std(0, dtype=np.float64)
    return np.asarray(generator.normal(mean, deviation, (count, table.shape[1])), np.float32)


def _unit(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (lengths > 0).all():
        raise ValueError("a vector of zeros has no direction")
    return np.asarray(vectors / lengths, np.float32)
