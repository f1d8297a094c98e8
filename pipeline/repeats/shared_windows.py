"""Which windows of runs (`windows`) other pages have, byte for byte.

Runs of an anchor are one group, which has all windows that are equal to one of theirs. Their windows go into a table
by hash, and what has the same hash is compared with the first that had come: being equal is transitive, so a passage
on ten thousand pages costs each of them one comparison. Where the window before was found equal to that before the
other, only the last byte is new.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.kernels.compiling import kernel
from pipeline.repeats.windows import hash_of, leaving, rolled

ROUND_WINDOWS = 1 << 21  # of a group that are in a table at once; of a larger one the hashes are taken in rounds
PIECE = 1 << 12  # windows for which there is room in the table before they are looked at
_NONE = np.int32(-1)
_ONE, _32 = np.uint64(1), np.uint64(32)


class _Distinct(NamedTuple):
    """The distinct windows of a round: hash, place of the first that came, and int32 (rows, 4): its run, the first run
    of another page, the last run, how many pages."""

    hashes: np.ndarray
    firsts: np.ndarray
    runs: np.ndarray


class Marks(NamedTuple):
    """Windows that follow each other and are shared alike, of the runs that were given. int64. runs: the run's number;
    firsts, ends: windows of it, from the first up to that before the end; others: the run of the most preferred other
    page that has them; pages: how many have them, two or more."""

    runs: np.ndarray
    firsts: np.ndarray
    ends: np.ndarray
    others: np.ndarray
    pages: np.ndarray


def marks_of(anchors: np.ndarray, pages: np.ndarray, texts: pa.Array, length: int, base: int) -> Marks:
    """anchors, pages: int64 by run, pages by their place in the order in which they are preferred. texts: large_binary,
    what the windows cover. With the runs of an anchor all of its runs must be there."""
    order = np.lexsort((np.arange(len(anchors)), pages, anchors))
    ordered = anchors[order]
    starts = np.flatnonzero(np.concatenate([[len(order) > 0], ordered[1:] != ordered[:-1]]))
    edges = np.append(starts, len(order)).astype(np.int64)
    _, offsets, data = texts.buffers()
    places = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1] if len(texts) else edges
    raw = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    return Marks(*_marks(raw, places, order, edges, pages, length, np.uint64(base), ROUND_WINDOWS))


@kernel
def _equal(data: np.ndarray, one: int, other: int, length: int) -> bool:
    at = 0
    while at < length and data[one + at] == data[other + at]:
        at += 1
    return at == length


@kernel
def _marks(
    data: np.ndarray, places: np.ndarray, order: np.ndarray, edges: np.ndarray, pages: np.ndarray, length: int,
    base: np.uint64, round_windows: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    gone = leaving(base, length)
    marks, n_marks = np.empty((64, 5), np.int64), 0
    table = _Distinct(np.empty(PIECE, np.uint64), np.empty(PIECE, np.int64), np.empty((PIECE, 4), np.int32))
    slots = np.empty(4 * PIECE, np.int32)
    of_window = np.empty(64, np.int32)  # by window of the group: its row in the table of this round
    other, count = np.empty(64, np.int32), np.empty(64, np.int32)  # by window of the group, in the end
    for group in range(len(edges) - 1):
        runs = order[edges[group] : edges[group + 1]]
        if pages[runs[0]] == pages[runs[-1]]:
            continue
        total = 0
        for run in runs:
            total += places[run + 1] - places[run] - length + 1
        if total > len(of_window):
            of_window, other, count = np.empty(total, np.int32), np.empty(total, np.int32), np.empty(total, np.int32)
        rounds = 1 + total // round_windows
        for number in range(rounds):
            size = 128  # of the slots that are in use
            slots[:size] = _NONE
            n, window = 0, 0
            for run in runs:
                value, equal_at = hash_of(data, places[run], places[run] + length, base), -1
                end = places[run + 1] - length + 1
                for begin in range(places[run], end, PIECE):
                    if n + PIECE > len(table.hashes):
                        table = _Distinct(_doubled(table.hashes), _doubled(table.firsts), _doubled(table.runs))
                    piece = min(PIECE, end - begin)
                    if 2 * (n + piece) > size:
                        while 2 * (n + piece) > size:
                            size *= 2
                        if size > len(slots):
                            slots = np.empty(size, np.int32)
                        _fill(slots, size, table.hashes, n)
                    n, value, equal_at = _take(
                        data, begin, begin + piece, places[run], run, pages, length, base, gone, value, equal_at,
                        rounds, number, table, n, slots, size, of_window[window : window + piece],
                    )  # fmt: skip
                    window += piece
            window = 0
            for run in runs:
                for _ in range(places[run + 1] - places[run] - length + 1):
                    row = of_window[window]
                    if row >= 0:
                        first, second = table.runs[row, 0], table.runs[row, 1]
                        other[window] = second if pages[first] == pages[run] else first
                        count[window] = table.runs[row, 3]
                    window += 1
        window = 0
        for run in runs:
            size = places[run + 1] - places[run] - length + 1
            if n_marks + size > len(marks):
                room = max(2 * n_marks, n_marks + size)
                longer = np.empty((room, 5), np.int64)
                longer[:n_marks] = marks[:n_marks]
                marks = longer
            n_marks = _told(
                run, pages, other[window : window + size], count[window : window + size], marks, n_marks
            )  # fmt: skip
            window += size
    return (
        marks[:n_marks, 0].copy(), marks[:n_marks, 1].copy(), marks[:n_marks, 2].copy(), marks[:n_marks, 3].copy(),
        marks[:n_marks, 4].copy(),
    )  # fmt: skip


@kernel
def _doubled(cells: np.ndarray) -> np.ndarray:
    return np.concatenate((cells, cells))


@kernel
def _fill(slots: np.ndarray, size: int, hashes: np.ndarray, n: int) -> None:
    slots[:size] = _NONE
    mask = np.uint64(size - 1)
    for row in range(n):
        slot = hashes[row] & mask
        while slots[slot] >= 0:
            slot = (slot + _ONE) & mask
        slots[slot] = row


@kernel
def _take(
    data: np.ndarray, begin: int, end: int, run_begin: int, run: int, pages: np.ndarray, length: int, base: np.uint64,
    gone: np.ndarray, value: np.uint64, equal_at: int, rounds: int, number: int, table: _Distinct, n: int,
    slots: np.ndarray, size: int, of_window: np.ndarray,
) -> tuple[int, np.uint64, int]:  # fmt: skip
    """Windows begin : end of a run into the table. value, equal_at: hash of the window before (of the first one at the
    run's begin), and the place of what it was found to equal. Answers n, and these two of the last window."""
    hashes, firsts, known = table
    mask = np.uint64(size - 1)
    for place in range(begin, end):
        if place > run_begin:
            value = rolled(value, data[place - 1], data[place + length - 1], base, gone)
        if rounds > 1 and np.int64(value >> _32) % rounds != number:
            of_window[place - begin], equal_at = _NONE, -1
            continue
        slot = value & mask
        row = slots[slot]
        while row >= 0:
            if hashes[row] == value:
                there = firsts[row]
                if equal_at >= 0 and there == equal_at + 1:
                    same = data[there + length - 1] == data[place + length - 1]
                else:
                    same = _equal(data, there, place, length)
                if same:
                    break
            slot = (slot + _ONE) & mask
            row = slots[slot]
        if row < 0:
            row = np.int32(n)
            hashes[n], firsts[n] = value, place
            known[n, 0], known[n, 1], known[n, 2], known[n, 3] = run, _NONE, run, 1
            slots[slot] = row
            n += 1
            equal_at = -1
        else:
            equal_at = firsts[row]
            if pages[known[row, 2]] != pages[run]:  # runs come in the order of their pages
                known[row, 3] += 1
                if known[row, 1] < 0:
                    known[row, 1] = run
                known[row, 2] = run
        of_window[place - begin] = row
    return n, value, equal_at


@kernel
def _told(
    run: int, pages: np.ndarray, other: np.ndarray, count: np.ndarray, marks: np.ndarray, n: int
) -> int:  # fmt: skip
    """The marks of a run's windows; how many there are with them."""
    last_count, last_page = 1, -1
    for window in range(len(count)):
        if count[window] > 1:
            page = pages[other[window]]
            if count[window] == last_count and page == last_page:
                marks[n - 1, 2] = window + 1
            else:
                marks[n, 0], marks[n, 1], marks[n, 2] = run, window, window + 1
                marks[n, 3], marks[n, 4] = other[window], count[window]
                n += 1
            last_page = page
        last_count = count[window]
    return n
