"""Which texts of an LSH bucket are to be compared: all with all in a small one, along chains in a large one.

A bucket of n texts gives at most n * max_bucket / 2 + 3 n pairs, so that a template's million pages cost some millions
of comparisons and not 10^12. One of far more than PART_TEXTS texts is cut into parts, so that no task has all of it: by
bits of the texts' names that are others in each band, so that the parts of one band are joined by those of the next.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from pipeline.kernels.compiling import kernel

SAMPLED = 10  # bits: of 1,024 texts one tells how large buckets are
PART_TEXTS = 1 << 17  # texts of a bucket from which it is cut
_ODD = np.uint64(0x9E3779B97F4A7C15)
PACKED = np.dtype(  # a text in a bucket, as it is sent to the task that has the bucket
    [("bucket", "<i8"), ("order", "<i8"), ("name", "<u8"), ("node", "<i8"), ("size", "<i4"), ("earlier", "?")]
)


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


def is_sampled(names: np.ndarray) -> np.ndarray:
    """Of the texts with these names, first halves of their hashes, uint64, those whose buckets `hot` is to be told."""
    return names & np.uint64((1 << SAMPLED) - 1) == 0


def hot(sampled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Buckets to be cut, ascending, and into how many parts, as a power of two. sampled: the buckets of all sampled
    texts, each text once."""
    found, counts = np.unique(sampled, return_counts=True)
    large = counts << SAMPLED > PART_TEXTS
    return found[large], np.ceil(np.log2((counts[large] << SAMPLED) / PART_TEXTS)).astype(np.int64)


def cut(band: int, found: np.ndarray, names: np.ndarray, parts: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """The buckets of texts in a band, each of them that is too large as so many buckets. parts: from `hot`."""
    large, bits = parts
    if not len(large) or not len(found):
        return found
    places = np.minimum(np.searchsorted(large, found), len(large) - 1)
    rows = np.flatnonzero(large[places] == found)
    shift = np.uint64(SAMPLED + 2 * band % (64 - SAMPLED - 16))
    part = (names[rows] >> shift) & ((np.uint64(1) << bits[places[rows]].astype(np.uint64)) - np.uint64(1))
    out = found.copy()
    out[rows] = (found[rows].view(np.uint64) + part * _ODD).view(np.int64)
    return out


def in_buckets(
    found: np.ndarray, orders: np.ndarray, names: np.ndarray, nodes: np.ndarray, sizes: np.ndarray, earlier: np.ndarray
) -> Entries:
    """In the order of `Entries`, the texts that are not alone in their bucket. names: by which texts that agree in all
    else are sorted, so that what is compared hangs on the texts alone."""
    by_bucket = np.argsort(found)
    equal = found[by_bucket[1:]] == found[by_bucket[:-1]]
    shared = np.zeros(len(found), np.bool_)
    shared[1:] |= equal
    shared[:-1] |= equal
    some = by_bucket[shared]
    some = some[np.lexsort((names[some], orders[some], found[some]))]
    return Entries(found[some], orders[some], nodes[some], sizes[some], earlier[some])


def _part(batch: Entries, begin: int, end: int) -> Entries:
    return Entries(*(column[begin:end] for column in batch))


def _joined(batches: list[Entries]) -> Entries:
    return Entries(*(np.concatenate(columns) for columns in zip(*batches, strict=True)))
