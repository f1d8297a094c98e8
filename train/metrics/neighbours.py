"""Nearest vectors by cosine and by CSLS, and whether the nearest is the right one; a block of cosines at a time.

Vectors are [n, d] of any lengths and made unit ones here, in float32; a vector of zeros has cosine 0 with all.
CSLS: Conneau et al. 2018, 2 cos(x, y) - r(x) - r(y), r the mean cosine with the k nearest of the other side, which
takes from vectors that are near to everything. Margin: Artetxe & Schwenk 2019, cos(x, y) / ((r(x) + r(y)) / 2), of the
k keys of the highest cosine alone, as xsim of LASER counts. Scores are the same for the same arrays and chunks on one
machine.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Method = Literal["cosine", "csls", "margin"]
METHODS = ("cosine", "csls", "margin")
NEIGHBOURHOOD = {"csls": 10, "margin": 4}  # Conneau et al. 2018; xsim
TIE = 1e-6  # scores this near are equal: more than float32 rounds in a thousand dimensions
FAR = 1e9  # below any score: of keys that are no candidates
BLOCK = 1 << 22  # cosines at a time, 16 MiB
LEAST = 64  # queries at a time, of however many keys: below, reading the keys is all the work
Block = NDArray[np.float32]


class Neighbours(NamedTuple):
    """Both [queries, k], best first: numbers of keys, int64, and scores, float32."""

    indices: NDArray[np.int64]
    scores: NDArray[np.float32]


def nearest(queries: ArrayLike, keys: ArrayLike, k: int = 1, chunk: int | None = None) -> Neighbours:
    """The k keys of the highest cosine, all where there are fewer; equal ones by the lowest number.

    chunk: queries at a time; a few arrays of [chunk, keys] are all that is held beside copies of the vectors. None: as
    many as fit BLOCK. ValueError where the arrays do not fit each other, hold what is not finite, or there is no key.
    """
    first, second = _unit_pair(queries, keys)
    return _best(_cosines(first, second, chunk), len(first), len(second), k)


def csls(queries: ArrayLike, keys: ArrayLike, k: int = 10, best: int = 1, chunk: int | None = None) -> Neighbours:
    """The `best` keys of the highest CSLS with k neighbours (all where there are fewer). Otherwise as `nearest`."""
    first, second = _unit_pair(queries, keys)
    blocks = ((begin, scores) for begin, scores, _ in _scores(first, second, "csls", k, chunk, first))
    return _best(blocks, len(first), len(second), best)


def csls_both_ways(
    first: ArrayLike, second: ArrayLike, k: int = 10, chunk: int | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of each of the first its nearest of the second by CSLS, and of each of the second its nearest of the first: as
    two calls of `csls`, but the means of neighbours, which both ways need, are made once. ValueError as
    `nearest`, and where there is none of the first."""
    one, other = _unit_pair(first, second)
    if not len(one):
        raise ValueError("there are no vectors of the first side")
    around, _ = _neighbourhood(one, other, k, chunk)
    beside, _ = _neighbourhood(other, one, k, chunk)
    there = _best(_csls(one, other, around, beside, chunk), len(one), len(other), 1)
    back = _best(_csls(other, one, beside, around, chunk), len(other), len(one), 1)
    return there.indices[:, 0], back.indices[:, 0]


def retrieval_accuracy(
    queries: ArrayLike,
    keys: ArrayLike,
    method: Method = "cosine",
    right: Sequence[int | Collection[int]] | NDArray[np.integer] | None = None,
    k: int | None = None,
    chunk: int | None = None,
    around: ArrayLike | None = None,
) -> NDArray[np.bool_]:
    """bool [queries]: whether a right key scores higher than every wrong one.

    right: the number of each query's key, or of all its keys; None: its own number. A query with no right key is
    missed. A wrong key that is as near as the right one (by TIE) is a miss: vectors that are all the same find nothing,
    rather than all. k: neighbours of CSLS and margin, None: NEIGHBOURHOOD. around: vectors of the queries' side among
    which those of a key are looked for, where the queries are few of many words; None: the queries. ValueError as
    `nearest`, and where `right` is not one for each query, or names no key.
    """
    if method not in METHODS:
        raise ValueError(f"{method!r} is no method: {', '.join(METHODS)}")
    if k is None:
        k = NEIGHBOURHOOD.get(method, 1)
    first, second = _unit_pair(queries, keys)
    rows, columns = _right_pairs(right, len(first), len(second))
    hits = np.zeros(len(first), np.bool_)
    beside = first if around is None else _unit_pair(around, keys)[0]
    for begin, scores, units in _scores(first, second, method, k, chunk, beside):
        here = slice(*np.searchsorted(rows, (begin, begin + len(scores))))
        within, of_key = rows[here] - begin, columns[here]
        room = TIE / 2 * np.maximum(1, np.abs(scores)) / units  # on either side
        truth = np.full(len(scores), -np.inf, np.float32)
        np.maximum.at(truth, within, (scores - room)[within, of_key])
        scores += room
        scores[within, of_key] = -np.inf
        hits[begin : begin + len(scores)] = truth > scores.max(1)
    return hits


def _unit_pair(queries: ArrayLike, keys: ArrayLike) -> tuple[Block, Block]:
    first, second = _unit(queries, "queries"), _unit(keys, "keys")
    if first.shape[1] != second.shape[1]:
        raise ValueError(f"queries have {first.shape[1]} dimensions and keys {second.shape[1]}")
    if not len(second):
        raise ValueError("there are no keys to be near to")
    return first, second


def _unit(vectors: ArrayLike, name: str) -> Block:
    found = np.array(vectors, np.float32)
    if found.ndim != 2:
        raise ValueError(f"{name} have the shape {found.shape}: [n, d] is needed")
    largest = np.abs(found).max(1, keepdims=True, initial=0)
    if not np.isfinite(largest).all():
        raise ValueError(f"row {int(np.argmin(np.isfinite(largest[:, 0])))} of {name} is not finite")
    found /= np.where(largest > 0, largest, 1)  # so that no square overflows or vanishes
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    found /= np.where(lengths > 0, lengths, 1)
    return found


def _cosines(first: Block, second: Block, chunk: int | None) -> Iterator[tuple[int, Block]]:
    """(number of the first row, the cosines of up to `chunk` rows with all of the other side)."""
    rows = chunk or max(LEAST, BLOCK // len(second))
    for begin in range(0, len(first), rows):
        yield begin, first[begin : begin + rows] @ second.T


def _scores(
    first: Block, second: Block, method: Method, k: int, chunk: int | None, beside: Block
) -> Iterator[tuple[int, Block, Block | float]]:
    """(number of the first row, scores, what cosines were divided by: rounding weighs the more, the less that is)."""
    if method == "cosine" or not len(first):
        for begin, cosines in _cosines(first, second, chunk):
            yield begin, cosines, 1.0
        return
    of_first, least = _neighbourhood(first, second, k, chunk)
    of_second, _ = _neighbourhood(second, beside, k, chunk)
    if method == "csls":
        for begin, scores in _csls(first, second, of_first, of_second, chunk):
            yield begin, scores, 1.0
        return
    for begin, cosines in _cosines(first, second, chunk):
        rows = slice(begin, begin + len(cosines))
        far = cosines < least[rows, None] - TIE
        # Where even the nearest are no nearer than a right angle, the ratio would turn the order round.
        around: Block = np.maximum((of_first[rows, None] + of_second) / 2, TIE, dtype=np.float32)
        cosines /= around
        cosines[far], around[far] = -FAR, 1
        yield begin, cosines, around


def _csls(
    first: Block, second: Block, of_first: NDArray[np.float32], of_second: NDArray[np.float32], chunk: int | None
) -> Iterator[tuple[int, Block]]:
    """(number of the first row, scores). of_first, of_second: the means of `_neighbourhood`."""
    for begin, cosines in _cosines(first, second, chunk):
        cosines *= 2
        cosines -= of_first[begin : begin + len(cosines), None]
        cosines -= of_second
        yield begin, cosines


def _neighbourhood(
    first: Block, second: Block, k: int, chunk: int | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Of each row of the first: the mean and the least of its k highest cosines with the second."""
    if k < 1:
        raise ValueError(f"{k} neighbours: one at least is needed")
    k = min(k, len(second))
    means, least = np.empty(len(first), np.float32), np.empty(len(first), np.float32)
    for begin, cosines in _cosines(first, second, chunk):
        cosines.partition(len(second) - k, axis=1)
        means[begin : begin + len(cosines)] = cosines[:, -k:].mean(1)
        least[begin : begin + len(cosines)] = cosines[:, -k]
    return means, least


def _best(blocks: Iterator[tuple[int, Block]], queries: int, keys: int, k: int) -> Neighbours:
    if k < 1:
        raise ValueError(f"{k} neighbours: one at least is needed")
    k = min(k, keys)
    indices, scores = np.empty((queries, k), np.int64), np.empty((queries, k), np.float32)
    choose: Callable[[Block, int], NDArray[np.int64]] = _first_best if k == 1 else _first_bests
    for begin, block in blocks:
        chosen = choose(block, k)
        indices[begin : begin + len(block)] = chosen
        scores[begin : begin + len(block)] = np.take_along_axis(block, chosen, 1)
    return Neighbours(indices, scores)


def _first_best(block: Block, _: int) -> NDArray[np.int64]:
    return block.argmax(1)[:, None]


def _first_bests(block: Block, k: int) -> NDArray[np.int64]:
    """[rows, k], best first, equal ones by their number."""
    chosen = np.sort(np.argpartition(block, block.shape[1] - k, axis=1)[:, -k:], axis=1)
    values = np.take_along_axis(block, chosen, 1)
    # Which of several equal to the last of the best are among them is chance, where there are more than there is room.
    crowded = np.flatnonzero((block >= values.min(1, keepdims=True)).sum(1) > k)
    for row in crowded:
        chosen[row] = np.sort(np.argsort(-block[row], kind="stable")[:k])
    values[crowded] = np.take_along_axis(block[crowded], chosen[crowded], 1)
    return np.take_along_axis(chosen, np.argsort(-values, axis=1, kind="stable"), 1)


def _right_pairs(
    right: Sequence[int | Collection[int]] | NDArray[np.integer] | None, queries: int, keys: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(queries, right keys), sorted by query."""
    if right is None:
        if queries != keys:
            raise ValueError(f"{queries} queries and {keys} keys: say which key is right")
        return np.arange(queries), np.arange(queries)
    if len(right) != queries:
        raise ValueError(f"{len(right)} right keys for {queries} queries")
    pairs = [
        (row, int(key))
        for row, one in enumerate(right)
        for key in (sorted(set(one)) if isinstance(one, Collection) else (one,))
    ]
    rows, columns = np.array(pairs, np.int64).reshape(-1, 2).T
    if len(columns) and (columns.min() < 0 or columns.max() >= keys):
        raise ValueError(f"right keys are {columns.min()} to {columns.max()}, and there are {keys} keys")
    return rows, columns
