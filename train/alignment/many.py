"""More than two languages in one space, of which none is the measure of the others."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from train.alignment.checking import Matrix, matrix
from train.alignment.procrustes import procrustes

ROUNDS = 200
STILL = 1e-6  # of the error, its relative change: less is none


@dataclass(frozen=True)
class Together:
    """matrices: by language, float64 [d, d], orthogonal; the pivot's is the identity. history: the mean squared
    distance of a vector from the mean of its line, after each round, never growing. still: whether it came to a rest,
    or the rounds were over."""

    matrices: Mapping[str, Matrix]
    history: tuple[float, ...]
    still: bool


def jointly(vectors: Mapping[str, ArrayLike], pivot: str, rounds: int = ROUNDS) -> Together:
    """Each language is rotated to the mean of all, again and again: generalised orthogonal Procrustes (Gower 1975;
    several languages: Kementchedjhieva et al. 2018, CoNLL). Only rotations relative to each other are determined, so
    all are turned until the pivot's is the identity; it pulls no more than another for that, but where the first round
    begins. A local minimum.

    vectors: by language [n, d], line i of all the same. ValueError where lines are missing in one, where there are
    fewer than two languages or they have other widths, and where the pivot is not among them."""
    lines = _lines(vectors, pivot)
    widths = {language: one.shape[1] for language, one in lines.items()}
    if len(set(widths.values())) > 1:
        raise ValueError(f"languages of {sorted(set(widths.values()))} dimensions have no mean: go through a pivot")
    count = len(lines[pivot])
    lines = _shortened(lines)
    mean, history, still = lines[pivot], list[float](), False
    found = dict[str, Matrix]()
    for _ in range(rounds):
        found = {language: procrustes(one, mean) for language, one in lines.items()}
        mapped = [one @ found[language] for language, one in lines.items()]
        mean = np.mean(mapped, axis=0)
        history.append(float(np.mean([np.square(one - mean).sum() for one in mapped])) / count)
        still = len(history) > 1 and history[-2] - history[-1] <= STILL * history[-2]
        if still:
            break
    back = found[pivot].T
    return Together({language: one @ back for language, one in found.items()}, tuple(history), still)


def _shortened(lines: dict[str, Matrix]) -> dict[str, Matrix]:
    """As many rows as there are dimensions of all languages together, where there are more lines: R of Q R of the
    languages side by side has the same inner products, which are all that rotations, means and distances hang on. A
    round costs the same then, however many lines there are."""
    side_by_side = np.concatenate(list(lines.values()), 1)
    if len(side_by_side) <= side_by_side.shape[1]:
        return lines
    parts = np.split(np.linalg.qr(side_by_side, mode="r"), len(lines), axis=1)
    return dict(zip(lines, parts, strict=True))


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
