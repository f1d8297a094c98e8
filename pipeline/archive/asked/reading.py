"""The records that are asked of an archive as the items that reading it whole gives, from ranges of its bytes."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from typing import BinaryIO, cast

from pipeline.archive.asked.places import Places
from pipeline.archive.asked.ranges import ReadRange
from pipeline.archive.asked.requests import Request, requests_of
from pipeline.archive.fetch import FetchError
from pipeline.archive.framing import form_of
from pipeline.archive.limits import ArchiveLimits
from pipeline.archive.records import Broken, Page, Skipped, read_archive
from pipeline.archive.window import PROBE

Item = Page | Skipped | Broken

PIECE_BYTES = 1 << 18  # of a record whose length nobody knows
NO_END = 1 << 62


def read_asked(
    read_range: ReadRange, places: Places, *, name: str, limits: ArchiveLimits, gap_bytes: int, most_bytes: int
) -> Iterator[Item]:
    """Each record's item, or why there is none: a `Broken` at its place. The next request is under way meanwhile.

    Where one fails for good, the archive is given up: all records that are left are `missing` or `unreadable`. Memory:
    two requests of `most_bytes`, whatever the places say.
    """
    requests = requests_of(places, gap_bytes, most_bytes)
    with ThreadPoolExecutor(1, "ranges") as ahead:

        def begun(number: int) -> Future[bytes] | None:
            if number == len(requests) or _length(requests[number]) > most_bytes:
                return None
            return ahead.submit(read_range, *requests[number][:2])

        under_way = begun(0)
        for number, request in enumerate(requests):
            index = request.first
            try:
                data = under_way.result() if under_way is not None else None
                under_way = begun(number + 1)
                for index in range(request.first, request.last):
                    offset, length = int(places.offsets[index]), int(places.lengths[index])
                    stream: BytesIO | _Long
                    if data is None:
                        stream = _Long(read_range, offset, offset + length, most_bytes)
                    else:
                        stream = BytesIO(memoryview(data)[offset - request.start :][:length])
                    yield from _items(cast(BinaryIO, stream), offset, name, limits)
            except FetchError as error:
                for offset in places.offsets[index:].tolist():
                    yield Broken(error.reason, offset, str(error))
                return


def _length(request: Request) -> int:
    return request.end - request.start


def _items(stream: BinaryIO, offset: int, name: str, limits: ArchiveLimits) -> Iterator[Item]:
    """Of the record at `offset`, which `stream` holds alone, if the place is right."""
    head = stream.read(PROBE)
    if form_of(head) is None:
        yield Broken("not_there", offset, "no record begins here" if head else "the archive ends before")
        return
    found = False
    for item in read_archive(cast(BinaryIO, _Behind(head, stream)), name=name, limits=limits, start=offset):
        if isinstance(item, Broken) and item.reason == "unreadable":
            item = replace(item, offset=offset)
        if item.offset != offset:  # of what lies behind
            break
        found = True
        yield item
    if not found:
        yield Broken("not_there", offset, "no record begins here")


def read_record(
    read_range: ReadRange, offset: int, *, name: str, limits: ArchiveLimits, piece_bytes: int = PIECE_BYTES
) -> Iterator[Item]:
    """The items of the record at `offset`, whose length nobody knows: several where records share a gzip member. Bytes
    are asked for as they are needed, so many at a time. Raises FetchError where the first cannot be had."""
    stream = _Long(read_range, offset, NO_END, piece_bytes)
    yield from _items(cast(BinaryIO, stream), offset, name, limits)


class _Behind:
    """A stream again from its first byte, of which `head` was read."""

    def __init__(self, head: bytes, stream: BinaryIO):
        self._head, self._stream = BytesIO(head), stream

    def read(self, size: int) -> bytes:
        return self._head.read(size) or self._stream.read(size)


class _Long:
    """A record too long to be held, as a stream of requests one after the other."""

    def __init__(self, read_range: ReadRange, start: int, end: int, most_bytes: int):
        self._read_range, self._at, self._end, self._most_bytes = read_range, start, end, most_bytes
        self._held = BytesIO()

    def read(self, size: int) -> bytes:
        if (data := self._held.read(size)) or self._at >= self._end:
            return data
        piece = self._read_range(self._at, min(self._end, self._at + self._most_bytes))
        self._at = self._at + len(piece) if piece else self._end
        self._held = BytesIO(piece)
        return self._held.read(size)
