"""Which bytes of an archive are requested for the records that are asked of it."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from pipeline.archive.asked.places import Places


class Request(NamedTuple):
    """Bytes `start` to `end` (behind the last) of an archive, which hold the records `first` to `last` (behind the
    last) of its places."""

    start: int
    end: int
    first: int
    last: int


def requests_of(places: Places, gap_bytes: int, most_bytes: int) -> list[Request]:
    """Records that are at most `gap_bytes` apart share a request of at most `most_bytes`; a record that is longer has
    one of its own.

    A request costs its round trip, a gap the bytes that nobody asked for: equal at round trip times rate, so 50 ms at
    20 MB/s are worth a mebibyte.
    """
    offsets, ends = places.offsets, places.offsets + places.lengths
    apart = np.flatnonzero(offsets[1:] - ends[:-1] > gap_bytes) + 1
    runs = [0, *apart.tolist(), len(offsets)]
    found: list[Request] = []
    for first, behind in pairwise(runs):
        while first < behind:
            start = int(offsets[first])
            beyond = np.flatnonzero(ends[first:behind] > start + most_bytes)
            last = first + max(1, int(beyond[0])) if len(beyond) else behind
            found.append(Request(start, int(ends[first:last].max()), first, last))
            first = last
    return found
