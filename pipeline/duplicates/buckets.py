"""Which texts of an LSH bucket are to be compared: all with all in a small one, along chains in a large one.

A bucket of n texts gives at most n * max_bucket / 2 + 3 n pairs, so that a template's million pages cost some millions
of comparisons and not 10^12.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from pipeline.kernels.compiling import kernel


class Entries(NamedTuple):
    """Texts in buckets, in ascending order of the first three: `buckets` int64; `orders` int64, by which texts that
    share more than this bucket lie side by side; `nodes` int64, the text; `sizes` int32, its distinct shingles;
    `earlier` bool, that it is of an earlier crawl."""

    buckets: np.ndarray
    orders: np.ndarray
    nodes: np.ndarray
    sizes: np.ndarray
    earlier: np.ndarray


@kernel
def _pair(i: int, j: int, entries: Entries, least: float, out: np.ndarray, count: int) -> int:
    """Appends texts i and j, unless both are of earlier crawls, or their sizes alone say that they are unlike."""
    if entries.earlier[i] and entries.earlier[j]:
        return count
    small, large = min(entries.sizes[i], entries.sizes[j]), max(entries.sizes[i], entries.sizes[j])
    first, second = entries.nodes[i], entries.nodes[j]
    if small < least * large - 1e-6 or first == second:
        return count
    out[count, 0], out[count, 1] = min(first, second), max(first, second)
    return count + 1


@kernel
def _all_pairs(begin: int, end: int, entries: Entries, least: float, out: np.ndarray, count: int) -> int:
    for i in range(begin, end):
        for j in range(begin, i):
            count = _pair(j, i, entries, least, out, count)
    return count


@kernel
def _chained(begin: int, end: int, max_bucket: int, entries: Entries, least: float, out: np.ndarray, count: int) -> int:
    """A large bucket: each text with the one before it, with the first of its block and with the first of the block
    before, so that one odd text breaks nothing; and texts that agree in the order as well, all with all or in chain."""
    run = begin
    for i in range(begin, end):
        block = begin + (i - begin) // max_bucket * max_bucket
        if i > begin:
            count = _pair(i - 1, i, entries, least, out, count)
        if block < i - 1:
            count = _pair(block, i, entries, least, out, count)
        if block > begin:
            count = _pair(block - max_bucket, i, entries, least, out, count)
        if entries.orders[i] != entries.orders[run]:
            run = i
        for j in range(max(run, i - max_bucket // 2), i - 1):
            count = _pair(j, i, entries, least, out, count)
    return count


@kernel
def _pairs(entries: Entries, max_bucket: int, least: float) -> np.ndarray:
    n = len(entries.nodes)
    room, begin = 0, 0
    for i in range(1, n + 1):
        if i == n or entries.buckets[i] != entries.buckets[begin]:
            size = i - begin
            room += size * (size - 1) // 2 if size <= max_bucket else size * (max_bucket // 2 + 3)
            begin = i
    out = np.empty((room, 2), np.int64)
    count, begin = 0, 0
    for i in range(1, n + 1):
        if i == n or entries.buckets[i] != entries.buckets[begin]:
            if i - begin <= max_bucket:
                count = _all_pairs(begin, i, entries, least, out, count)
            else:
                count = _chained(begin, i, max_bucket, entries, least, out, count)
            begin = i
    return out[:count]


def pairs(batches: Iterable[Entries], max_bucket: int, least: float) -> Iterator[np.ndarray]:
    """Pairs of nodes to compare, int64 (n, 2), the smaller first, with repeats between buckets.

    `batches`: sorted, together; a bucket may go on in the next batch. `least`: pairs are left out whose smaller text
    has less than this share of the larger one's shingles, 0 for none.
    """
    waiting: list[Entries] = []
    for batch in batches:
        if not len(batch.nodes):
            continue
        last = int(np.searchsorted(batch.buckets, batch.buckets[-1]))  # where the bucket begins that may go on
        if last or (waiting and waiting[-1].buckets[-1] != batch.buckets[-1]):
            waiting.append(_part(batch, 0, last))
            yield _pairs(_joined(waiting), max_bucket, least)
            waiting = []
        waiting.append(_part(batch, last, len(batch.nodes)))
    if waiting:
        yield _pairs(_joined(waiting), max_bucket, least)


def _part(batch: Entries, begin: int, end: int) -> Entries:
    return Entries(*(column[begin:end] for column in batch))


def _joined(batches: list[Entries]) -> Entries:
    return Entries(*(np.concatenate(columns) for columns in zip(*batches, strict=True)))
