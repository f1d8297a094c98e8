"""Marks of shared windows become spans of a text, and texts without the spans that stay on other pages.

A byte is shared if it lies in a window that another page has. Spans are the longest runs of such bytes, trimmed inward
to characters; one that is then shorter than a window is none. The same holds for bytes in windows that a page has which
is preferred: these go when passages are cut, and divide the spans into those that stay and those that go.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.kernels.arrow_text import utf8
from pipeline.kernels.compiling import kernel

LINE_FEED = 0x0A


class Spans(NamedTuple):
    """By text and place. int64: texts, number of the text; starts, ends: bytes of it; pages: the most that share a
    window of the span; marks: the number of the mark whose other page is told. kept: bool."""

    texts: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    pages: np.ndarray
    marks: np.ndarray
    kept: np.ndarray


def spans_of(
    texts: pa.Array, of: np.ndarray, starts: np.ndarray, ends: np.ndarray, goes: np.ndarray, others: np.ndarray,
    pages: np.ndarray, length: int,
) -> Spans:  # fmt: skip
    """Of marks sorted by text (`of`, its number) and start, which share no window: windows that begin in
    starts : ends, whether a preferred page has them, the place of the most preferred other page in the order of
    preference, how many pages have them. All int64 but goes, bool."""
    data, places = utf8(texts)
    cells, kept = _spans(data, places, of, starts, ends, goes, others, pages, length)
    texts_of, begun, ended, most, chosen = (cells[:, column].copy() for column in range(5))
    return Spans(texts_of, begun, ended, most, chosen, kept)


def without(texts: pa.Array, of: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> pa.Array:
    """string texts without spans that are sorted and do not touch; nulls stay.

    Where a span went a line break stands between what is left, unless there is one: no two words run together.
    """
    data, places = utf8(texts)
    out, offsets = _without(data, places, of, starts, ends)
    valid = None
    if texts.null_count:
        valid = pa.py_buffer(np.packbits(texts.is_valid().to_numpy(zero_copy_only=False), bitorder="little"))
    buffers = [valid, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(out)]
    return pa.Array.from_buffers(pa.string(), len(texts), buffers)


@kernel
def _trimmed(data: np.ndarray, begin: int, end: int, start: int, stop: int) -> tuple[int, int]:
    """A span of the text data[begin:end], without the parts of characters at its ends."""
    while start < stop and data[begin + start] & 0xC0 == 0x80:
        start += 1
    while stop > start and begin + stop < end and data[begin + stop] & 0xC0 == 0x80:
        stop -= 1
    return start, stop


@kernel
def _unions(
    data: np.ndarray, begin: int, end: int, starts: np.ndarray, ends: np.ndarray, chosen: np.ndarray, length: int,
    out: np.ndarray,
) -> int:  # fmt: skip
    """Fills `out` with the trimmed unions of the chosen marks of a text; how many."""
    n, start, stop = 0, -1, -1
    for mark in range(len(starts) + 1):
        last = mark == len(starts)
        if not last and not chosen[mark]:
            continue
        if last or starts[mark] > stop:
            if start >= 0:
                first, past = _trimmed(data, begin, end, start, stop)
                if past - first >= length:
                    out[n, 0], out[n, 1] = first, past
                    n += 1
            if not last:
                start = starts[mark]
        if not last:
            stop = ends[mark] - 1 + length
    return n


@kernel
def _spans(
    data: np.ndarray, places: np.ndarray, of: np.ndarray, starts: np.ndarray, ends: np.ndarray, goes: np.ndarray,
    others: np.ndarray, pages: np.ndarray, length: int,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    cells, kept = np.empty((len(of) * 2 + 1, 5), np.int64), np.empty(len(of) * 2 + 1, np.bool_)
    every = np.ones(len(of), np.bool_)
    shared, leaves = np.empty((len(of) + 1, 2), np.int64), np.empty((len(of) + 1, 2), np.int64)
    n, mark = 0, 0
    while mark < len(of):
        text, past = of[mark], mark
        while past < len(of) and of[past] == text:
            past += 1
        begin, end = places[text], places[text + 1]
        of_text = slice(mark, past)
        n_shared = _unions(data, begin, end, starts[of_text], ends[of_text], every[of_text], length, shared)
        n_leaves = _unions(data, begin, end, starts[of_text], ends[of_text], goes[of_text], length, leaves)
        leaf = 0
        first = n
        for span in range(n_shared):
            at, stop = shared[span, 0], shared[span, 1]
            while at < stop:
                inside = leaf < n_leaves and leaves[leaf, 0] < stop
                if inside and leaves[leaf, 0] == at:
                    to, stays = leaves[leaf, 1], False
                    leaf += 1
                else:
                    to, stays = leaves[leaf, 0] if inside else stop, True
                cells[n, 0], cells[n, 1], cells[n, 2], kept[n] = text, at, to, stays
                n += 1
                at = to
        low = mark
        for row in range(first, n):
            start, stop = cells[row, 1], cells[row, 2]
            while low < past and ends[low] - 1 + length <= start:
                low += 1
            # Of the windows with the row's own fate; a row that stays may have none, where what goes was trimmed away.
            best, most = -1, 0
            for own in (True, False):
                one = low
                while one < past and starts[one] < stop:
                    if not own or goes[one] != kept[row]:
                        most = max(most, pages[one])
                        if best < 0 or others[one] < others[best]:
                            best = one
                    one += 1
                if best >= 0:
                    break
            cells[row, 3], cells[row, 4] = most, best
        mark = past
    return cells[:n].copy(), kept[:n].copy()


@kernel
def _without(
    data: np.ndarray, places: np.ndarray, of: np.ndarray, starts: np.ndarray, ends: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    out, offsets = np.empty(places[-1] - places[0], np.uint8), np.zeros(len(places), np.int64)
    size, span = 0, 0
    for text in range(len(places) - 1):
        begin, end, own = places[text], places[text + 1], size
        at = begin
        while at < end or (span < len(of) and of[span] == text):
            here = span < len(of) and of[span] == text
            stop = begin + starts[span] if here else end
            if stop > at and at > begin and size > own and out[size - 1] != LINE_FEED and data[at] != LINE_FEED:
                out[size] = LINE_FEED
                size += 1
            out[size : size + stop - at] = data[at:stop]
            size += stop - at
            at = stop
            if here:
                at = begin + ends[span]
                span += 1
        offsets[text + 1] = size
    return out[:size].copy(), offsets
