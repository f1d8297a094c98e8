"""WARC records through FastWARC, with the place where an archive breaks."""

import re
import zlib
from collections.abc import Generator, Iterator
from io import BytesIO

from fastwarc.stream_io import GzipReader, ZstdReader
from fastwarc.warc import ArchiveIterator, WarcRecord

from pipeline.archive.blocks import HEAD_ROOM, Block, Form, Gap, raise_if_ours
from pipeline.archive.window import PROBE, Window

HEAD_SLACK = 256  # bytes by which folded and unusual header lines may change the size of a head
FIRST_STEP, LAST_STEP = 1 << 12, 1 << 16  # bytes of a block between two looks at the frame, doubling
READ_AHEAD = 64  # bytes of the next frame that zstd's reader may have taken at the end of one
_HEAD = re.compile(rb"\s*WARC/\d\.\d+[ \t]*(\r?)\n")
_FRAME = {"gzip": re.compile(rb"\x1f\x8b\x08"), "zstd": re.compile(rb"\x28\xb5\x2f\xfd")}


class _Overrun(Exception):
    """The record goes on into the next frame, and both frames begin with a record, so its length is a lie."""

    def __init__(self, resume: int):
        super().__init__()
        self.resume = resume  # where the search for the end of the record's own frame begins


class _Frames:
    """Which gzip member or zstd frame the bytes come from that FastWARC reads."""

    def __init__(self, window: Window, codec: str):
        self.reader = GzipReader(window) if codec == "gzip" else ZstdReader(window)
        self._window, self._codec = window, codec
        self._at = self._seen = self._passed = 0

    def enter(self) -> int:
        """The offset of the frame of the record whose head was read."""
        self._at = self._seen = self.reader.frame_start_position() or 0
        return self._at

    def mark(self) -> None:
        """To be called before each step into the record's block."""
        if self._seen == self._at:
            self._passed = self.reader.inner_tell()

    def check(self) -> None:
        """To be called behind each step. Raises _Overrun."""
        start = self.reader.frame_start_position() or 0
        if start != self._seen:
            self._seen = start
            if self._is_record(start) and (self._is_record(self._at) or not self._window.holds(self._at)):
                raise _Overrun(max(self._at + 1, self._passed - (READ_AHEAD if self._codec == "zstd" else 0)))

    def _is_record(self, offset: int) -> bool:
        """Whether the frame at `offset` begins with a record. Blocks of bgzip, which end anywhere, rarely do."""
        window = self._window
        here = window.tell()
        size = 4096 if self._codec == "gzip" else PROBE
        found = window.seek(offset) == offset and _head(window.peek(size), self._codec) is not None
        window.seek(here)
        return found


def warc_blocks(window: Window, form: Form, max_page_bytes: int) -> Generator[Block | Gap, None, Gap | None]:
    """Blocks until the end (returns None) or until damage (returns the gap).

    A record that is longer than its gzip member or zstd frame costs itself alone, whatever length it gives, where these
    begin with records. Archives whose members end anywhere are read as one stream.
    """
    origin = window.tell()
    last, expected = -1, origin  # offset of the last whole record; where it ends, if the archive is plain
    frames: _Frames | None = None
    records: ArchiveIterator | None = None
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
            block, missing = _warc_block(record, at, frames, max_page_bytes)
        except _Overrun as overrun:
            holder = "gzip member" if form.codec == "gzip" else "zstd frame"
            yield Gap("corrupt", at, f"{_name(record) if record else ''} is longer than its {holder}", 0)
            found = _next_record(window, form, overrun.resume)
            if found is None:
                return None
            form, records, origin, last = found, None, window.tell(), -1
            continue
        except BaseException as error:
            raise_if_ours(error)
            if record is not None:
                return Gap("corrupt", at, f"{error} in the record of {_name(record)}", at + 1)
            if form.codec == "plain":
                if _is_cut_head(window, expected):
                    return Gap("truncated", expected, "ends inside the head of a record", 0)
                return Gap("corrupt", expected, str(error), max(last + 1, expected - HEAD_SLACK))
            at = (_after_member(window, last) if form.codec == "gzip" else None) or max(last, origin)
            return Gap("corrupt", at, str(error), max(last + 1, at))
        if missing is not None:
            if missing > 0 or not _another(records):
                resume = block.offset + 1 if missing > 0 and window.remembers(block.offset) else 0  # it may be wrong
                return Gap("truncated", block.offset, f"ends inside the record of {_name(record)}", resume)
            return Gap("corrupt", block.offset, "a record without Content-Length", block.offset + 1)
        if form.codec == "plain":
            if form.lenient and block.offset > expected + HEAD_SLACK:  # quirks mode searches for records by itself
                yield Gap("corrupt", expected, f"{block.offset - expected} bytes that are no record", 0)
            expected = block.offset + _size(record, form.lenient)
        last = block.offset
        yield block
    if form.codec == "gzip" and (cut := _cut_member(window, max(last, origin))) is not None:
        return Gap("truncated", cut, "the last gzip member has no end", 0)
    return None


def _size(record: WarcRecord, lenient: bool) -> int:
    """Bytes of head, block and the lines behind it, give or take HEAD_SLACK."""
    end_of_line = 1 if lenient else 2
    head = sum(len(key) + len(value) + 2 + end_of_line for key, value in record.headers.items_bytes())
    return 8 + head + 4 * end_of_line + int(record.content_length)


def _head(data: bytes, codec: str) -> re.Match[bytes] | None:
    """The first line of the record with which the frame at the beginning of `data` begins."""
    try:
        if codec == "gzip":
            return _HEAD.match(zlib.decompressobj(31).decompress(data, 8192))
        return _HEAD.match(ZstdReader(BytesIO(data)).read(1024))
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


def _another(records: ArchiveIterator) -> bool:
    """Whether anything, even damage, lies behind the current record."""
    try:
        return next(records, None) is not None
    except BaseException as error:
        raise_if_ours(error)
        return True


def _is_cut_head(window: Window, offset: int) -> bool:
    """Whether the stream ends within a few bytes behind `offset` that look like the first ones of a record."""
    here = window.tell()
    window.seek(offset)
    rest = window.peek(16)
    window.seek(here)
    ends, rest = len(rest) < 16, rest.lstrip()
    return ends and 0 < len(rest) < 10 and b"WARC/1.0\r\n".startswith(rest[:5])


def _warc_block(
    record: WarcRecord, offset: int, frames: _Frames | None, max_page_bytes: int
) -> tuple[Block, int | None]:
    """The block, and how many bytes of it the archive lacks (0: it does not say how long it is), None when whole.

    Raises _Overrun.
    """
    get = record.headers.get
    record_type = (get("WARC-Type") or "").strip().lower()
    length = record.content_length
    is_page = record_type in ("response", "resource", "conversion")
    data, held = _read(record, length <= max_page_bytes + HEAD_ROOM and is_page, frames)
    lacking = length - held
    declared = (get("Content-Length") or "").strip()
    missing = lacking if lacking > 0 else None if declared.isdecimal() and int(declared) == length else 0
    block = Block(
        record_type, get("WARC-Record-ID"), get("WARC-Target-URI"), get("WARC-Date"), offset, length,
        get("Content-Type"), (get("WARC-Identified-Payload-Type") or "").strip().lower() or None, get("WARC-Truncated"),
        get("WARC-Payload-Digest"), data,
    )  # fmt: skip
    return block, missing


def _read(record: WarcRecord, keep: bool, frames: _Frames | None) -> tuple[bytes | None, int]:
    """The block, None unless to be kept, and how many bytes of it there are. Raises _Overrun."""
    length, reader, pieces, held = record.content_length, record.reader, [], 0
    if not keep and frames is None:
        return None, reader.consume()
    step = length if frames is None else FIRST_STEP
    while held < length:
        size = min(step, length - held)
        if frames is not None:
            frames.mark()
        if keep:
            pieces.append(reader.read(size))
            taken = len(pieces[-1])
        else:
            taken = reader.consume(size)
        if not taken:
            break
        held += taken
        step = min(2 * step, LAST_STEP)
        if frames is not None:
            frames.check()
    return b"".join(pieces) if keep else None, held


def _name(record: WarcRecord) -> str:
    return (record.headers.get("WARC-Target-URI") or record.headers.get("WARC-Record-ID") or "no name")[:120]


def _member_ends(window: Window, offset: int) -> Iterator[int | None]:
    """The end of each gzip member from `offset` on; None for the last when the stream ends inside it."""
    window.seek(offset)
    data = b""
    while data := data or window.read(1 << 14):
        decoder = zlib.decompressobj(31)
        while not decoder.eof:
            decoder.decompress(data)
            data = decoder.unused_data
            if not decoder.eof and not (data := window.read(1 << 14)):
                yield None
                return
        yield window.tell() - len(data)


def _after_member(window: Window, offset: int) -> int | None:
    """Where the gzip member at `offset` ends; None when the window cannot tell."""
    if offset < 0 or not window.holds(offset):
        return None
    try:
        return next(_member_ends(window, offset), None)
    except zlib.error:
        return None


def _cut_member(window: Window, offset: int) -> int | None:
    """Where a last gzip member without its end begins, looking from `offset` on; None when all are whole."""
    if not window.holds(offset):
        return None
    begin = offset
    try:
        for end in _member_ends(window, offset):
            if end is None:
                return begin
            begin = end
    except zlib.error:
        pass
    return None
