"""WARC records of plain text through FastWARC, with the places where the text breaks and the lengths that lie.

Where a record's block ends, the next record begins, or the archive ends. Where neither is so and the head of a record
lies before the end and reaches over it, the length is wrong. One that is a little too large (ClueWeb09 counts carriage
returns that it has taken out) costs nothing: the block ends before that head. A larger one costs its record alone.
"""

import re
from collections.abc import Generator
from dataclasses import replace
from typing import NamedTuple

from fastwarc.warc import ArchiveIterator, WarcRecord

from pipeline.archive.blocks import HEAD_ROOM, Block, Form, Gap, raise_if_ours
from pipeline.archive.gzip_members import Inside, only_zeros
from pipeline.archive.window import KEEP, Window

HEAD_SLACK = 256  # bytes by which folded and unusual header lines may change the size of a head
LITTLE = 64  # bytes by which a length may be too large, beside one for each bare line feed of its block
FIRST_STEP, LAST_STEP = 1 << 12, 1 << 16  # bytes of a block between two looks at where it comes from, doubling
RECORD = re.compile(rb"\s*WARC/\d\.\d+[ \t]*(\r?)\n")
_SEARCHED = KEEP // 2  # bytes of a block that are searched for a head, from the end of the block
_BLANK_LINE = re.compile(rb"\n\r?\n")
_HEAD_LINE = re.compile(rb"\nWARC/\d\.\d+[ \t]*\r?\n(?=[A-Za-z][\w-]*:)")
_LENGTH = re.compile(rb"\nContent-Length:[ \t]*(\d{1,18})[ \t]*\r?\n", re.I)
_MEETS = re.compile(rb"[\r\n\t \0]*(?:WARC/\d|\Z)")
_LINE_ENDS = re.compile(rb"(?:\r?\n){0,2}")
_LAST_LINE_ENDS = re.compile(rb"(?:\r?\n){0,2}\Z")


class _Lie(NamedTuple):
    end: int  # where the block really ends
    next: int  # where the next record begins
    is_small: bool
    holder: str


class Watch:
    """Looks where the bytes of a block come from, while it is read."""

    def before(self) -> None:
        """To be called before each step into the block."""

    def behind(self, held: int) -> bool:
        """To be called behind each step, with the bytes of the block read. Whether they are too many."""
        return False


class _Borders(Watch):
    """Gzip members that begin with a record, as the block's own does: a block does not go on into the next one."""

    def __init__(self, text: Inside, at: int, body: int, length: int):
        self._text, self._end, self._checked = text, body + length, body
        start = text.members.start_of_member(at)
        self._own = not text.holds(start) or RECORD.match(text.bytes_at(start, 64)) is not None
        self._body = body
        self.crossed: int | None = None

    def behind(self, held: int) -> bool:
        if self._own:
            reached = min(self._body + held, self._end)
            for border in self._text.members.borders(self._checked, reached):
                if RECORD.match(self._text.bytes_at(border, 64)):
                    self.crossed = border
                    return True
            self._checked = max(self._checked, reached - 1)
        return False


def warc_blocks(text: Window, form: Form, max_page_bytes: int) -> Generator[Block | Gap, None, Gap | None]:
    """Blocks until the end (returns None) or until damage (returns the gap)."""
    last, expected = -1, text.tell()  # offset of the last whole record, and where it ends
    records: ArchiveIterator | None = None
    while True:
        record: WarcRecord | None = None
        at = expected
        try:
            if records is None:
                records = ArchiveIterator(text, parse_http=False, quirks_mode=form.lenient)
            record = next(records, None)
            if record is None:
                return None
            at = record.stream_pos
            body = _body(text, at)
            watch = _Borders(text, at, body, record.content_length) if body and isinstance(text, Inside) else Watch()
            block, lacking = read_block(record, at, watch, max_page_bytes)
        except BaseException as error:
            raise_if_ours(error)
            if record is not None:
                return Gap("corrupt", at, f"{error} in the record of {name_of(record)}", at + 1)
            expected += _LINE_ENDS.match(text.bytes_at(expected, 4)).end()  # type: ignore[union-attr]
            if _is_cut_head(text, expected):
                return Gap("truncated", expected, "ends inside the head of a record", 0)
            if only_zeros(text, expected):
                return None
            return Gap("corrupt", expected, str(error), max(last + 1, expected - HEAD_SLACK))
        if form.lenient and at > expected + HEAD_SLACK:  # quirks mode searches for records by itself
            yield Gap("corrupt", expected, f"{at - expected} bytes that are no record", 0)
        if (lie := _lie(text, body, block.length, lacking, watch)) is not None:
            length = lie.end - body
            if lie.is_small:
                data = None if block.data is None else block.data[:length]
                yield replace(block, length=length, data=data)
            else:
                yield Gap("corrupt", at, f"{name_of(record)} is longer than its {lie.holder}", 0)
            last, expected, records = -1, lie.next, None
            text.seek(lie.next)
            continue
        if lacking is not None:
            return cut_short(record, at, lacking, text, records)
        last, expected = at, (body or at) + block.length
        yield block


def _body(text: Window, at: int) -> int:
    """Where the head of the record at `at` ends; 0 where it cannot be seen."""
    for size in (1 << 11, HEAD_ROOM):
        if (end := _head_end(text.bytes_at(at, size), 0)) > 0:
            return at + end
    return 0


def _head_end(data: bytes, at: int) -> int:
    """Where the head ends whose version line stands at `at`, but for white space; 0 where that is not seen."""
    begin = data.find(b"WARC/", at, at + 64)
    end = _BLANK_LINE.search(data, begin + 1) if begin >= 0 else None
    return end.end() if end else 0


def _lie(text: Window, body: int, length: int, lacking: int | None, watch: Watch) -> _Lie | None:
    """Where the block ends and the next record begins, if that is not where its length says."""
    if not body:
        return None
    end = body + length
    if isinstance(watch, _Borders) and watch.crossed is not None:
        heads = _linked_heads(text, body, watch.crossed, leads_over=False)
        return _lie_up_to(text, body, end, *((heads[0], "block") if heads else (watch.crossed, "gzip member")))
    if lacking:
        stored = end - lacking
        tail = text.bytes_at(max(body, stored - 4), 4)
        cut = isinstance(text, Inside) and text.members.cut is not None
        marked = tail.endswith((b"\n\n", b"\n\r\n")) and not cut  # the lines behind a record, so it is whole
        if not marked or lacking > _tolerated(text, body, stored):
            return None
        heads = _linked_heads(text, body, stored, leads_over=False)
        return _lie_up_to(text, body, end, *((heads[0], "block") if heads else (stored, "archive")))
    if lacking is not None or _MEETS.match(text.bytes_at(end, 64)):
        return None
    heads = _linked_heads(text, body, end, leads_over=True)
    return _lie_up_to(text, body, end, heads[0], "block") if heads else None


def _lie_up_to(text: Window, body: int, end: int, head: int, holder: str) -> _Lie:
    """Of a block that its length says to end at `end`, where the next record begins at `head`."""
    true_end = _without_blank_lines(text, body, head)
    return _Lie(true_end, head, end - true_end <= _tolerated(text, body, true_end), holder)


def _linked_heads(text: Window, body: int, end: int, leads_over: bool) -> list[int]:
    """The heads of records before `end` of which each record ends at the next one, and the last one ends behind `end`
    (`leads_over`) or at it.

    A payload that quotes an archive holds heads too, but what follows them ends inside it.
    """
    begin = max(body, end - _SEARCHED)
    limit = end - begin
    data = text.bytes_at(begin, limit + HEAD_ROOM)
    heads: list[int] = []
    at = limit - 1
    while (at := data.rfind(b"\nWARC/", 0, at + 5)) >= 0:
        behind = _head_end(data, at + 1)
        said = _LENGTH.search(data, at, behind)
        if _HEAD_LINE.match(data, at) is None or said is None:
            break
        stop = behind + int(said.group(1))
        following = heads[0] - begin if heads else limit
        if leads_over and not heads:
            linked = stop > limit
        else:
            linked = stop <= following + LITTLE and not data[stop:following].strip()
        if not linked:
            break
        heads.insert(0, begin + at + 1)
    return heads


def _without_blank_lines(text: Window, body: int, end: int) -> int:
    """Where a block ends behind which two line ends and then, at `end`, the next record stand."""
    tail = text.bytes_at(max(body, end - 4), min(4, end - body))
    blank = _LAST_LINE_ENDS.search(tail)
    return end - (len(tail) - blank.start() if blank else 0)


def _tolerated(text: Window, body: int, end: int) -> int:
    """By how many bytes the length of the block from `body` to `end` may be too large."""
    begin = max(body, end - _SEARCHED)
    data = text.bytes_at(begin, end - begin)
    return LITTLE + data.count(b"\n") - data.count(b"\r\n")


def cut_short(record: WarcRecord, at: int, lacking: int, window: Window, records: ArchiveIterator) -> Gap:
    """Of the record at `at`, whose block lacks so many bytes (0: it does not say how long it is)."""
    if lacking > 0 or not _another(records):
        resume = at + 1 if lacking > 0 and window.remembers(at) else 0  # it may be wrong
        return Gap("truncated", at, f"ends inside the record of {name_of(record)}", resume)
    return Gap("corrupt", at, "a record without Content-Length", at + 1)


def _another(records: ArchiveIterator) -> bool:
    """Whether anything, even damage, lies behind the current record."""
    try:
        return next(records, None) is not None
    except BaseException as error:
        raise_if_ours(error)
        return True


def _is_cut_head(text: Window, offset: int) -> bool:
    """Whether the stream ends within a few bytes behind `offset` that look like the first ones of a record."""
    rest = text.bytes_at(offset, 16)
    ends, rest = len(rest) < 16, rest.lstrip()
    return ends and 0 < len(rest) < 10 and b"WARC/1.0\r\n".startswith(rest[:5])


def read_block(record: WarcRecord, offset: int, watch: Watch, max_page_bytes: int) -> tuple[Block, int | None]:
    """The block, and how many bytes of it the archive lacks (0: it does not say how long it is), None when whole.

    Ends early, lacking bytes, where `watch` says so.
    """
    get = record.headers.get
    record_type = (get("WARC-Type") or "").strip().lower()
    length = record.content_length
    is_page = record_type in ("response", "resource", "conversion")
    data, held = _read(record, length <= max_page_bytes + HEAD_ROOM and is_page, watch)
    lacking = length - held
    declared = (get("Content-Length") or "").strip()
    missing = lacking if lacking > 0 else None if declared.isdecimal() and int(declared) == length else 0
    block = Block(
        record_type, get("WARC-Record-ID"), get("WARC-Target-URI"), get("WARC-Date"), offset, length,
        get("Content-Type"), (get("WARC-Identified-Payload-Type") or "").strip().lower() or None, get("WARC-Truncated"),
        get("WARC-Payload-Digest"), data,
    )  # fmt: skip
    return block, missing


def _read(record: WarcRecord, keep: bool, watch: Watch) -> tuple[bytes | None, int]:
    """The block, None unless to be kept, and how many bytes of it there are."""
    length, reader, pieces, held = record.content_length, record.reader, [], 0
    watched = type(watch) is not Watch
    if not keep and not watched:
        return None, reader.consume()
    step = FIRST_STEP if watched else length
    while held < length:
        size = min(step, length - held)
        watch.before()
        if keep:
            pieces.append(reader.read(size))
            taken = len(pieces[-1])
        else:
            taken = reader.consume(size)
        if not taken:
            break
        held += taken
        step = min(2 * step, LAST_STEP)
        if watch.behind(held):
            break
    return b"".join(pieces) if keep else None, held


def name_of(record: WarcRecord) -> str:
    return (record.headers.get("WARC-Target-URI") or record.headers.get("WARC-Record-ID") or "no name")[:120]
