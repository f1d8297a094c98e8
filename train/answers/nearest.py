"""The sentences whose vectors are nearest to a text's, by cosine, in vectors that are read part by part."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from train.encoders.opened import OpenedModel
from train.encoders.vectors import Reading, Vectors
from train.encoders.vectors import embed as vectors_of


@dataclass(frozen=True)
class Candidate:
    """text, language: None where the vectors came without them. row: from 1, in `file`, or among the vectors."""

    text: str | None
    language: str | None
    file: str
    row: int


class About(Protocol):
    """What is known of rows; asked of few of them only."""

    def __getitem__(self, number: int, /) -> Candidate: ...


@dataclass(frozen=True)
class Part:
    """vectors: float32 [N, width], of length 1 or 0. languages, about: of each row."""

    vectors: Vectors
    languages: Sequence[str | None]
    about: About


class Candidates(Protocol):
    """Vectors to be searched, a part at a time, as often as one likes."""

    def parts(self) -> Iterator[Part]: ...


@dataclass(frozen=True)
class Held:
    """Candidates in memory."""

    held: Sequence[Part]

    def parts(self) -> Iterator[Part]:
        return iter(self.held)


@dataclass(frozen=True)
class Neighbour:
    """similarity: cosine, -1 to 1 but for rounding."""

    candidate: Candidate
    similarity: float


@dataclass(frozen=True)
class Neighbours:
    """The nearest first; of two that are as near, the earlier row."""

    text: str
    neighbours: tuple[Neighbour, ...]


def candidates_of(
    model: OpenedModel, texts: Sequence[str], languages: Sequence[str | None] | None = None,
    reading: Reading | None = None,
) -> Held:  # fmt: skip
    """Texts as candidates, embedded here."""
    known = list(languages) if languages is not None else [None] * len(texts)
    about = [
        Candidate(text, language, "", row) for row, (text, language) in enumerate(zip(texts, known, strict=True), 1)
    ]
    return Held([Part(unit(vectors_of(model, texts, reading or Reading())), known, about)] if texts else [])


def nearest(
    model: OpenedModel, texts: Sequence[str], candidates: Candidates, k: int = 5, to_language: str | None = None,
    reading: Reading | None = None,
) -> list[Neighbours]:  # fmt: skip
    """Each text's. The vectors of candidates must have been read as `reading` says."""
    queries = unit(vectors_of(model, texts, reading or Reading()))
    found = search(queries, candidates, k, to_language)
    return [Neighbours(text, tuple(best)) for text, best in zip(texts, found, strict=True)]


def search(queries: Vectors, candidates: Candidates, k: int, to_language: str | None = None) -> list[list[Neighbour]]:
    """queries: float32 [Q, width], of length 1 or 0 as the candidates are (`unit`). to_language: only candidates of it.

    Each part of the candidates is read once, whatever the number of queries.
    """
    found: list[list[Neighbour]] = [[] for _ in queries]
    worst = np.full(len(queries), -np.inf, np.float32)
    for part in candidates.parts():
        rows = np.arange(len(part.vectors))
        if to_language is not None:
            rows = np.flatnonzero(np.array([one == to_language for one in part.languages], bool))
        if not len(rows):
            continue
        similarity = queries @ part.vectors[rows].T
        for query in np.flatnonzero((similarity > worst[:, None]).any(1)).tolist():
            better = _largest(similarity[query], k)
            added = [Neighbour(part.about[int(rows[one])], float(similarity[query, one])) for one in better]
            best = sorted([*found[query], *added], key=lambda one: -one.similarity)[:k]  # stable: earlier rows first
            found[query] = best
            worst[query] = best[-1].similarity if len(best) == k else -np.inf
    return found


def unit(vectors: Vectors) -> Vectors:
    """Of length 1; a zero stays one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Vectors = (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return scaled


def _largest(values: NDArray[np.float32], k: int) -> list[int]:
    """Places of the k largest, the largest first, of equal ones the first."""
    if len(values) > 4 * k:
        kth = np.partition(values, len(values) - k)[len(values) - k]
        places = np.flatnonzero(values >= kth)
    else:
        places = np.arange(len(values))
    order = places[np.argsort(-values[places], kind="stable")][:k]
    ordered: list[int] = order.tolist()
    return ordered
