"""A map becomes a dictionary, the dictionary a better map, and so on."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from train.alignment.checking import Matrix, matrix, numbered
from train.alignment.criterion import WORDS, criterion, mean_cosine
from train.alignment.mutual_pairs import RANK, mutual_pairs, nearest_both_ways
from train.alignment.procrustes import procrustes

ROUNDS = 100  # more than ever were needed to come to a rest
REFINEMENTS = 5  # of MUSE
GROWTH = 1e-6  # of the criterion, less is none: Artetxe et al. 2017, section 5.1
Told = Callable[[int, float], None]


@dataclass(frozen=True)
class Refined:
    """matrix: float64 [d, k], of the highest criterion. best: its number in the history, 0 for the map that was given.
    history: the criterion of the map that was given and after each round. pairs: how many words each round had."""

    matrix: Matrix
    best: int
    history: tuple[float, ...]
    pairs: tuple[int, ...]

    @property
    def criterion(self) -> float:
        return self.history[self.best]


def self_learning(
    first: ArrayLike,
    second: ArrayLike,
    seed_pairs: ArrayLike | NDArray[np.integer],
    rounds: int = ROUNDS,
    rank: int = RANK,
    words: int = WORDS,
    told: Told | None = None,
) -> Refined:
    """From a dictionary, pairs of numbers of words: Procrustes, a new dictionary, Procrustes, until the criterion grows
    no more (Artetxe et al. 2017, ACL, section 3, with mutual neighbours by CSLS for its nearest ones).

    first [n, d], second [m, k]: normalised, the most frequent words first. told(round, criterion) is called after each
    round. ValueError as `checking.matrix` and `checking.numbered`."""
    X, Y = matrix(first, "vectors of the first side"), matrix(second, "vectors of the second side")
    chosen = numbered(seed_pairs, len(X), len(Y))
    start = procrustes(X[chosen[:, 0]], Y[chosen[:, 1]])
    return _rounds(X, Y, start, rounds, rank, words, told, until_still=True)


def refined(
    first: ArrayLike,
    second: ArrayLike,
    start: ArrayLike,
    rounds: int = REFINEMENTS,
    rank: int = RANK,
    words: int = WORDS,
    told: Told | None = None,
) -> Refined:
    """From a map [d, k], all the rounds, the best kept: MUSE's refinement (Conneau et al. 2018, section 2.3)."""
    X, Y = matrix(first, "vectors of the first side"), matrix(second, "vectors of the second side")
    W = matrix(start, "rows of the map")
    if W.shape != (X.shape[1], Y.shape[1]):
        raise ValueError(f"a map of {W.shape}, and the sides have {X.shape[1]} and {Y.shape[1]} dimensions")
    return _rounds(X, Y, W, rounds, rank, words, told, until_still=False)


def _rounds(
    X: Matrix, Y: Matrix, W: Matrix, rounds: int, rank: int, words: int, told: Told | None, until_still: bool
) -> Refined:
    # Where both look among the same words, the nearest are sought once for the criterion and the next dictionary.
    alike = all(min(words, len(side)) == min(rank, len(side)) for side in (X, Y))

    def looked_at(W: Matrix) -> tuple[float, NDArray[np.int64] | None]:
        if not alike or not rounds:
            return criterion(X @ W, Y, words), None
        nearest = nearest_both_ways(X @ W, Y, rank)
        return mean_cosine(X[:rank] @ W, Y, nearest.there), nearest.mutual

    fit, found = looked_at(W)
    best, number, history, pairs = W, 0, [fit], list[int]()
    for round_number in range(1, rounds + 1):
        found = mutual_pairs(X @ W, Y, rank) if found is None else found
        if not len(found):
            break
        pairs.append(len(found))
        W = procrustes(X[found[:, 0]], Y[found[:, 1]])
        fit, found = looked_at(W)
        history.append(fit)
        if told is not None:
            told(round_number, history[-1])
        if history[-1] > history[number]:
            grown = history[-1] - history[number]
            best, number = W, round_number
            if until_still and grown < GROWTH:
                break
        elif until_still:
            break
    return Refined(best, number, tuple(history), tuple(pairs))
