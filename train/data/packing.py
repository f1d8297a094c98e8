"""Whole sequences into the bins of one step, without a cut."""

from bisect import bisect_left, insort

import numpy as np
from numpy.typing import NDArray


def pack_prefix(lengths: NDArray[np.integer], bins: int, capacity: int, most: int) -> NDArray[np.int64]:
    """Bin of each of the first n sequences, n as large as best fit manages; int64 [n].

    Sequences are taken in their order, so that the next step goes on at n, and nothing is passed over. `bins` of
    `capacity` tokens and `most` sequences each; no sequence may be longer than a bin.
    """
    total = np.cumsum(lengths, dtype=np.int64)
    count = min(int(np.searchsorted(total, bins * capacity, side="right")), bins * most)
    while True:
        assigned = best_fit(lengths[:count], bins, capacity, most)
        left_over = int(lengths[:count][assigned < 0].sum())
        if not left_over:
            return assigned
        count = int(np.searchsorted(total, total[count - 1] - left_over, side="right"))


def best_fit(lengths: NDArray[np.integer], bins: int, capacity: int, most: int) -> NDArray[np.int64]:
    """Best fit decreasing: the longest first, each into the fullest bin that has room; -1 where none has."""
    assigned = np.full(len(lengths), -1, np.int64)
    rooms = [(capacity, number) for number in range(bins)]
    counts = [0] * bins
    for sequence in np.argsort(-lengths.astype(np.int64), kind="stable").tolist():
        length = int(lengths[sequence])
        fit = bisect_left(rooms, (length, -1))
        if fit < len(rooms):
            room, number = rooms.pop(fit)
            assigned[sequence] = number
            counts[number] += 1
            if counts[number] < most:
                insort(rooms, (room - length, number))
    return assigned
