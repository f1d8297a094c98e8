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
_FREE = np.int32(-1)
_32 = np.uint64(32)


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
    for at in range(length):
        if data[one + at] != data[other + at]:
            return False
    return True


@kernel
def _marks(
    data: np.ndarray, places: np.ndarray, order: np.ndarray, edges: np.ndarray, pages: np.ndarray, length: int,
    base: np.uint64, round_windows: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    gone = leaving(base, length)
    marks, n_marks = np.empty((64, 5), np.int64), 0
    # The distinct windows of a round: hash, place of the first, its run, the first run of another page, the last run.
    hashes, firsts = np.empty(64, np.uint64), np.empty(64, np.int64)
    runs, seconds, lasts = np.empty(64, np.int32), np.empty(64, np.int32), np.empty(64, np.int32)
    counts = np.empty(64, np.int32)
    slots = np.full(128, _FREE)
    of_window = np.empty(64, np.int32)  # by window of the group: its distinct window in this round, or none
    other, count = np.empty(64, np.int32), np.empty(64, np.int32)  # by window of the group
    for group in range(len(edges) - 1):
        begin, end = edges[group], edges[group + 1]
        if pages[order[begin]] == pages[order[end - 1]]:
            continue
        total = 0
        for at in range(begin, end):
            run = order[at]
            total += places[run + 1] - places[run] - length + 1
        if total > len(of_window):
            of_window, other, count = np.empty(total, np.int32), np.empty(total, np.int32), np.empty(total, np.int32)
        rounds = 1 + total // round_windows
        size = 128
        while size < 2 * (total // rounds) and size < len(slots):
            size *= 2
        for number in range(rounds):
            slots[:size] = _FREE
            mask, n, window = np.uint64(size - 1), 0, 0
            for at in range(begin, end):
                run = order[at]
                value = hash_of(data, places[run], places[run] + length, base)
                equal_at = np.int64(-1)  # where the window before is found equal to another
                for place in range(places[run], places[run + 1] - length + 1):
                    if place > places[run]:
                        value = rolled(value, data[place - 1], data[place + length - 1], base, gone)
                    of_window[window] = _FREE
                    if rounds > 1 and (value >> _32) % np.uint64(rounds) != number:
                        equal_at = -1
                        window += 1
                        continue
                    slot = value & mask
                    while True:
                        found = slots[slot]
                        if found < 0:
                            break
                        if hashes[found] == value:
                            there = firsts[found]
                            if equal_at >= 0 and there == equal_at + 1:
                                same = data[there + length - 1] == data[place + length - 1]
                            else:
                                same = _equal(data, there, place, length)
                            if same:
                                break
                        slot = (slot + np.uint64(1)) & mask
                    if found < 0:
                        found = np.int32(n)
                        if n == len(hashes):
                            hashes, firsts = np.append(hashes, hashes), np.append(firsts, firsts)
                            runs, seconds = np.append(runs, runs), np.append(seconds, seconds)
                            lasts, counts = np.append(lasts, lasts), np.append(counts, counts)
                        hashes[n], firsts[n], runs[n], seconds[n], lasts[n], counts[n] = value, place, run, -1, run, 1
                        slots[slot] = found
                        n += 1
                        if 2 * n > size:
                            size *= 2
                            if size > len(slots):
                                slots = np.empty(size, np.int32)
                            slots[:size] = _FREE
                            mask = np.uint64(size - 1)
                            for one in range(n):
                                slot = hashes[one] & mask
                                while slots[slot] >= 0:
                                    slot = (slot + np.uint64(1)) & mask
                                slots[slot] = one
                        equal_at = -1
                    else:
                        equal_at = firsts[found]
                        if pages[lasts[found]] != pages[run]:  # runs come in the order of their pages
                            counts[found] += 1
                            if seconds[found] < 0:
                                seconds[found] = run
                            lasts[found] = run
                    of_window[window] = found
                    window += 1
            window = 0
            for at in range(begin, end):
                run = order[at]
                for _ in range(places[run + 1] - places[run] - length + 1):
                    found = of_window[window]
                    if found >= 0:
                        count[window] = counts[found]
                        other[window] = seconds[found] if pages[runs[found]] == pages[run] else runs[found]
                    window += 1
        window = 0
        for at in range(begin, end):
            run = order[at]
            last_count, last_page = np.int32(1), np.int64(-1)
            for first in range(places[run + 1] - places[run] - length + 1):
                if count[window] > 1:
                    page = pages[other[window]]
                    if count[window] == last_count and page == last_page:
                        marks[n_marks - 1, 2] = first + 1
                    else:
                        if n_marks == len(marks):
                            marks = np.concatenate((marks, marks))
                        marks[n_marks, 0], marks[n_marks, 1], marks[n_marks, 2] = run, first, first + 1
                        marks[n_marks, 3], marks[n_marks, 4] = other[window], count[window]
                        n_marks += 1
                    last_page = page
                last_count = count[window]
                window += 1
    return (
        marks[:n_marks, 0].copy(), marks[:n_marks, 1].copy(), marks[:n_marks, 2].copy(), marks[:n_marks, 3].copy(),
        marks[:n_marks, 4].copy(),
    )  # fmt: skip
