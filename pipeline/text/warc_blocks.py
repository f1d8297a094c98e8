"""WARC records through FastWARC, with the place where an archive breaks."""

import re
import zlib
from collections.abc import Generator, Iterator

from fastwarc.warc import ArchiveIterator, WarcRecord

from pipeline.text.blocks import HEAD_ROOM, Block, Form, Gap, raise_if_ours
from pipeline.text.window import Window

HEAD_SLACK = 256  # bytes by which folded and unusual header lines may change the size of a head
_HEAD = re.compile(rb"\nWARC/\d\.\d+[ \t]*\r?\n")


def warc_blocks(window: Window, form: Form, max_page_bytes: int) -> Generator[Block | Gap, None, Gap | None]:
    """Blocks until the end (returns None) or until damage (returns the gap)."""
    origin = window.tell()
    last, expected = -1, origin  # offset of the last whole record; where it ends, if the archive is plain
    records: ArchiveIterator | None = None
    while True:
        record: WarcRecord | None = None
        try:
            records = records or ArchiveIterator(window, parse_http=False, quirks_mode=form.lenient)
            record = next(records, None)
            if record is None:
                break
            block, missing = _warc_block(record, max_page_bytes)
        except BaseException as error:
            raise_if_ours(error)
            if record is not None:
                at = record.stream_pos
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
        if form.codec == "gzip" and block.data and _HEAD.search(block.data) and _overruns(window, record):
            return Gap("corrupt", block.offset, f"{_name(record)} is longer than its gzip member", block.offset + 1)
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


def _overruns(window: Window, record: WarcRecord) -> bool:
    """Whether the record surely says that it is longer than the gzip member that it begins in."""
    if not window.remembers(record.stream_pos):
        return False
    here, held, size = window.tell(), 0, _size(record, False) - HEAD_SLACK
    window.seek(record.stream_pos)
    decoder = zlib.decompressobj(31)
    try:
        while not decoder.eof and held < size and (data := window.read(1 << 14)):
            held += len(decoder.decompress(data))
    except zlib.error:
        return False
    finally:
        window.seek(here)
    return bool(decoder.eof) and held < size


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


def _warc_block(record: WarcRecord, max_page_bytes: int) -> tuple[Block, int | None]:
    """The block, and how many bytes of it the archive lacks (0: it does not say how long it is), None when whole."""
    get = record.headers.get
    record_type = (get("WARC-Type") or "").strip().lower()
    length = record.content_length
    data: bytes | None = None
    held = 0
    if length <= max_page_bytes + HEAD_ROOM and record_type in ("response", "resource", "conversion"):
        pieces = []
        while held < length and (piece := record.reader.read(length - held)):
            pieces.append(piece)
            held += len(piece)
        data = b"".join(pieces)
    lacking = length - held - record.reader.consume()
    declared = (get("Content-Length") or "").strip()
    missing = lacking if lacking > 0 else None if declared.isdecimal() and int(declared) == length else 0
    block = Block(
        record_type, get("WARC-Record-ID"), get("WARC-Target-URI"), get("WARC-Date"), record.stream_pos, length,
        get("Content-Type"), (get("WARC-Identified-Payload-Type") or "").strip().lower() or None, get("WARC-Truncated"),
        get("WARC-Payload-Digest"), data,
    )  # fmt: skip
    return block, missing


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
