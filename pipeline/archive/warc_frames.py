"""WARC records, each in a gzip member, zstd or lz4 frame of its own, through FastWARC's native decompressors.

Twice as fast as looking at what the members hold (`warc_blocks` on `gzip_members.Inside`). So whatever is not as it
should be in a gzip archive, a member of several records, a length that does not fit, damage, goes there.
"""

import re
import zlib
from collections.abc import Generator
from io import BytesIO

from fastwarc.stream_io import GzipReader, ZstdReader
from fastwarc.warc import ArchiveIterator, WarcRecord

from pipeline.archive.blocks import Block, Form, Gap, raise_if_ours
from pipeline.archive.warc_blocks import HEAD_SLACK, RECORD, Watch, cut_short, name_of, read_block
from pipeline.archive.window import PROBE, Window

READ_AHEAD = 64  # bytes of the next frame that zstd's reader may have taken at the end of one
_FRAME = {"gzip": re.compile(rb"\x1f\x8b\x08"), "zstd": re.compile(rb"\x28\xb5\x2f\xfd")}


class _Frames(Watch):
    """Which gzip member or zstd frame the bytes come from that FastWARC reads."""

    def __init__(self, window: Window, codec: str):
        self.reader = GzipReader(window) if codec == "gzip" else ZstdReader(window)
        self._window, self._codec = window, codec
        self._at = self._seen = self._passed = 0
        self.resume: int | None = None  # where the search for the end of a frame begins that a record went beyond

    def enter(self) -> int:
        """The offset of the frame of the record whose head was read."""
        self._at = self._seen = self.reader.frame_start_position() or 0
        return self._at

    def before(self) -> None:
        if self._seen == self._at:
            self._passed = self.reader.inner_tell()

    def behind(self, held: int) -> bool:
        """Whether the record goes on into the next frame, and both begin with a record, so its length is a lie."""
        start = self.reader.frame_start_position() or 0
        if start != self._seen:
            self._seen = start
            if self._is_record(start) and (self._is_record(self._at) or not self._window.holds(self._at)):
                self.resume = max(self._at + 1, self._passed - (READ_AHEAD if self._codec == "zstd" else 0))
        return self.resume is not None

    def _is_record(self, offset: int) -> bool:
        """Whether the frame at `offset` begins with a record. Blocks of bgzip, which end anywhere, rarely do."""
        data = self._window.bytes_at(offset, 4096 if self._codec == "gzip" else PROBE)
        return bool(data) and _head(data, self._codec) is not None


def framed_blocks(window: Window, form: Form, max_page_bytes: int) -> Generator[Block | Gap, None, Gap | Form | None]:
    """Blocks until the end (returns None), until damage (returns the gap), or until a gzip member that is to be read
    from where the window stands then, another way (returns it).

    A block of a gzip archive is handed on when the next record was found in another member.
    """
    origin = window.tell()
    last = -1  # offset of the last whole record
    frames: _Frames | None = None
    records: ArchiveIterator | None = None
    waiting: Block | None = None
    size = 0  # of the record that waits
    gzip = form.codec == "gzip"
    while True:
        record: WarcRecord | None = None
        at = origin
        try:
            if records is None:
                frames = _Frames(window, form.codec) if form.codec in _FRAME else None
                source = window if frames is None else frames.reader
                records = ArchiveIterator(
                    source, parse_http=False, quirks_mode=form.lenient, stream_detect=frames is None
                )
            record = next(records, None)
            if record is None:
                break
            at = record.stream_pos if frames is None else frames.enter()
            if waiting is not None:
                alone = at != waiting.offset and not (form.lenient and _held_more(window, at, size))
                if not alone and window.holds(waiting.offset):
                    return _inside(window, form, waiting.offset)
                yield waiting
                waiting = None
            block, missing = read_block(record, at, frames or Watch(), max_page_bytes)
        except BaseException as error:
            raise_if_ours(error)
            if waiting is not None:
                if window.holds(waiting.offset):
                    return _inside(window, form, waiting.offset)
                yield waiting
            if record is not None:
                return Gap("corrupt", at, f"{error} in the record of {name_of(record)}", at + 1)
            at = max(last, origin)
            return Gap("corrupt", at, str(error), max(last + 1, at))
        overrun = frames is not None and frames.resume is not None
        if gzip and (missing or overrun) and window.holds(at):
            return _inside(window, form, at)
        if frames is not None and frames.resume is not None:
            holder = "gzip member" if gzip else "zstd frame"
            yield Gap("corrupt", at, f"{name_of(record)} is longer than its {holder}", 0)
            found = _next_record(window, form, frames.resume)
            if found is None:
                return None
            form, records, origin, last = found, None, window.tell(), -1
            continue
        if missing is not None:
            return cut_short(record, at, missing, window, records)
        last = at
        if gzip:
            waiting = block
            size = _size(record) if form.lenient else 0
        else:
            yield block
    if waiting is not None:
        if window.holds(waiting.offset):
            return _inside(window, form, waiting.offset)
        yield waiting
    return None


def _inside(window: Window, form: Form, offset: int) -> Form:
    window.seek(offset)
    return form._replace(inside=True)


def _size(record: WarcRecord) -> int:
    """Bytes of head, block and the lines behind it, give or take HEAD_SLACK, where lines end in a line feed."""
    return 12 + sum(len(key) + len(value) + 3 for key, value in record.headers.items_bytes()) + record.content_length


def _held_more(window: Window, offset: int, size: int) -> bool:
    """Whether the gzip member that ends at `offset` held more than a record of `size` bytes, by its last four bytes.
    Where lines end in bare line feeds, FastWARC passes over what it does not take for a record."""
    return int.from_bytes(window.bytes_at(offset - 4, 4), "little") > size + HEAD_SLACK


def _head(data: bytes, codec: str) -> re.Match[bytes] | None:
    """The first line of the record with which the frame at the beginning of `data` begins."""
    try:
        if codec == "gzip":
            return RECORD.match(zlib.decompressobj(31).decompress(data, 8192))
        return RECORD.match(ZstdReader(BytesIO(data)).read(1024))
    except BaseException as error:
        raise_if_ours(error)
        return None


def _next_record(window: Window, form: Form, start: int) -> Form | None:
    """Move to the next frame from `start` on that begins with a record, and say how to read it."""
    found: list[Form] = []

    def accept(data: bytes) -> bool:
        if (head := _head(data, form.codec)) is not None:
            found.append(form._replace(lenient=not head.group(1)))
        return head is not None

    return None if window.find(_FRAME[form.codec], accept, start) is None else found[-1]
