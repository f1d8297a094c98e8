"""More than two languages in one space."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from train.alignment.checking import Matrix, matrix
from train.alignment.procrustes import procrustes

ROUNDS = 1000
STILL = 1e-9  # of the error, its relative change: less is none


@dataclass(frozen=True)
class Together:
    """matrices: by language, float64 [d, k]; the pivot's is the identity. history: of `jointly` the mean squared
    distance of a vector from the mean of its line, after each round, never growing; empty through a pivot."""

    matrices: Mapping[str, Matrix]
    history: tuple[float, ...] = ()


def through_pivot(
    vectors: Mapping[str, ArrayLike], pivot: str, learn: Callable[[Matrix, Matrix], Matrix] = procrustes
) -> Together:
    """Each language to the pivot by itself: learn(its vectors, the pivot's) is its map.

    vectors: by language [n, d of the language], line i of all the same. ValueError where lines are missing in one,
    where there are fewer than two languages, and where the pivot is not among them; else as `learn` says."""
    lines = _lines(vectors, pivot)
    found = {language: learn(one, lines[pivot]) for language, one in lines.items() if language != pivot}
    return Together({**found, pivot: np.eye(lines[pivot].shape[1])})


def jointly(vectors: Mapping[str, ArrayLike], pivot: str, rounds: int = ROUNDS) -> Together:
    """Each language is rotated to the mean of all, again and again: generalised orthogonal Procrustes (Gower 1975;
    several languages: Kementchedjhieva et al. 2018, CoNLL). Only rotations relative to each other are determined, so
    all are turned until the pivot's is the identity; it pulls no more than another for that, but where the first round
    begins. A local minimum.

    As `through_pivot`; ValueError where languages have other widths, too."""
    lines = _lines(vectors, pivot)
    widths = {language: one.shape[1] for language, one in lines.items()}
    if len(set(widths.values())) > 1:
        raise ValueError(f"languages of {sorted(set(widths.values()))} dimensions have no mean: go through a pivot")
    mean, history = lines[pivot], list[float]()
    found = dict[str, Matrix]()
    for _ in range(rounds):
        found = {language: procrustes(one, mean) for language, one in lines.items()}
        mapped = [one @ found[language] for language, one in lines.items()]
        mean = np.mean(mapped, axis=0)
        history.append(float(np.mean([np.square(one - mean).sum(1).mean() for one in mapped])))
        if len(history) > 1 and history[-2] - history[-1] <= STILL * history[-2]:
            break
    back = found[pivot].T
    return Together({language: one @ back for language, one in found.items()}, tuple(history))


def _lines(vectors: Mapping[str, ArrayLike], pivot: str) -> dict[str, Matrix]:
    if len(vectors) < 2:
        raise ValueError(f"{len(vectors)} languages: two at least are needed")
    if pivot not in vectors:
        raise ValueError(f"the pivot {pivot} is none of {', '.join(sorted(vectors))}")
    found = {language: matrix(one, f"vectors of {language}") for language, one in sorted(vectors.items())}
    counts = {language: len(one) for language, one in found.items()}
    if len(set(counts.values())) > 1:
        raise ValueError(f"lines are missing: {', '.join(f'{language} has {n}' for language, n in counts.items())}")
    return found
