"""The linear map of least squares, kept small by a penalty that lines held out choose."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from train.alignment.checking import Matrix, lines
from train.metrics.neighbours import retrieval_accuracy

PENALTIES = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)  # of unit vectors, where X'X has the trace n


@dataclass(frozen=True)
class Score:
    """accuracy: share of development lines whose own translation is the nearest by cosine, mean of both directions.
    error: mean squared distance of a mapped line from its translation."""

    penalty: float
    accuracy: float
    error: float


@dataclass(frozen=True)
class Ridge:
    """matrix: float64 [d, k]. penalty: the chosen one. scores: of each that was tried."""

    matrix: Matrix
    penalty: float
    scores: tuple[Score, ...]


def ridge(first: ArrayLike, second: ArrayLike, penalty: float) -> Matrix:
    """W, float64 [d, k]: the minimiser of ||X W - Y||_F^2 + penalty ||W||_F^2, (X'X + penalty I)^-1 X'Y (Hoerl &
    Kennard 1970; without a penalty Mikolov et al. 2013, arXiv 1309.4168).

    ValueError as `checking.lines`, for a penalty below 0, and where there is none and the lines do not determine W."""
    X, Y = lines(first, second)
    return _solved(X.T @ X, X.T @ Y, penalty)


def ridge_by_development(
    first: ArrayLike,
    second: ArrayLike,
    first_held_out: ArrayLike,
    second_held_out: ArrayLike,
    penalties: Sequence[float] = PENALTIES,
) -> Ridge:
    """Of the penalties that of the highest accuracy on the lines held out, since to be found is what the map is for:
    the sum of squares favours maps that shrink. Of equal ones that of the least error, then the larger.

    ValueError as `ridge`, for no penalty, and where the lines held out are of another width."""
    X, Y = lines(first, second)
    X_held, Y_held = lines(first_held_out, second_held_out)
    if X_held.shape[1] != X.shape[1] or Y_held.shape[1] != Y.shape[1]:
        raise ValueError(
            f"lines held out have {X_held.shape[1]} and {Y_held.shape[1]} dimensions, not {X.shape[1]} and {Y.shape[1]}"
        )
    if not penalties:
        raise ValueError("no penalty to choose from")
    gram, cross = X.T @ X, X.T @ Y
    matrices = [_solved(gram, cross, penalty) for penalty in penalties]
    scores = tuple(_scored(X_held @ found, Y_held, penalty) for found, penalty in zip(matrices, penalties, strict=True))
    best = max(range(len(scores)), key=lambda one: (scores[one].accuracy, -scores[one].error, scores[one].penalty))
    return Ridge(matrices[best], scores[best].penalty, scores)


def _solved(gram: Matrix, cross: Matrix, penalty: float) -> Matrix:
    if not 0 <= penalty < np.inf:
        raise ValueError(f"a penalty of {penalty}: 0 or more is needed")
    if penalty == 0 and np.linalg.matrix_rank(gram, hermitian=True) < len(gram):
        raise ValueError(f"the lines determine no map of {len(gram)} dimensions: give more lines, or a penalty")
    return np.asarray(np.linalg.solve(gram + penalty * np.eye(len(gram)), cross))


def _scored(mapped: Matrix, right: Matrix, penalty: float) -> Score:
    there, back = retrieval_accuracy(mapped, right).mean(), retrieval_accuracy(right, mapped).mean()
    return Score(penalty, float(there + back) / 2, float(np.square(mapped - right).sum(1).mean()))
