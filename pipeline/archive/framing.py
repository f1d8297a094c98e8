"""From bytes to record blocks: which archive this is, and how to go on behind damage."""

import re
import zlib
from collections.abc import Generator, Iterator
from dataclasses import replace
from io import BytesIO

from fastwarc.stream_io import Lz4Reader, ZstdReader

from pipeline.archive.arc_blocks import ARC_LINE, NEXT_ARC, arc_blocks
from pipeline.archive.blocks import Block, Form, Gap, raise_if_ours
from pipeline.archive.gzip_members import Inside, one_member_holds
from pipeline.archive.warc_blocks import warc_blocks
from pipeline.archive.warc_frames import framed_blocks
from pipeline.archive.window import PROBE, Window

_WARC = re.compile(rb"\s*WARC/\d\.\d+[ \t]*(\r?)\n")
_NEXT_WARC = re.compile(rb"(?<![^\n])WARC/\d\.\d+[ \t]*\r?\n")
_MAGIC = {
    "gzip": re.compile(rb"\x1f\x8b\x08"),
    "lz4": re.compile(rb"\x04\x22\x4d\x18"),
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"),
}
_NEXT_ANY = re.compile(b"|".join([_MAGIC["gzip"].pattern, _NEXT_WARC.pattern]))


def read_blocks(window: Window, max_page_bytes: int) -> Iterator[Block | Gap]:
    """All blocks of an archive, and a gap for each stretch that holds none. Ends at an error of the stream."""
    form = form_of(window.peek(PROBE))
    # fresh: a block came since the last gap, so another gap is news; floor: no search begins before it, so they end
    fresh, floor = True, 0
    blocks: Generator[Block | Gap, None, Gap | Form | None]
    if form is None:
        refused = _refused(window.peek(PROBE))
        form = _resume(window, None, 0)
        if form is None:
            yield _unreadable(window) or refused
            return
        if window.tell() > 0:
            yield refused._replace(reason="corrupt")
        fresh, floor = False, window.tell() + 1
    while True:
        if form.codec == "gzip" and (form.inside or form.kind == "arc" or one_member_holds(window, PROBE)):
            blocks = _inside_blocks(window, max_page_bytes)
        elif form.kind == "arc":
            blocks = arc_blocks(window, max_page_bytes)
        else:
            blocks = (warc_blocks if form.codec == "plain" else framed_blocks)(window, form, max_page_bytes)
        try:
            while True:
                block = next(blocks)
                fresh = True
                yield block
        except StopIteration as end:
            stop = _unreadable(window) or end.value
        if isinstance(stop, Form):
            form = stop
            continue
        if stop is None:
            return
        if fresh or stop.reason == "unreadable":
            yield stop
        if stop.reason != "corrupt" and not stop.resume:
            return
        form = _resume(window, form, max(stop.resume, floor))
        if form is None:
            return
        fresh, floor = False, window.tell() + 1


def _inside_blocks(window: Window, max_page_bytes: int) -> Generator[Block | Gap, None, Gap | None]:
    """The blocks of the text that gzip members hold, by the offsets of these members."""
    inside = Inside(window)
    members = inside.members
    cut: Gap | None = None  # that the text ends inside a record: perhaps not where its member ends
    for item in read_blocks(inside, max_page_bytes):
        if cut is not None:
            yield cut
            cut = None
        if isinstance(item, Gap) and item.reason == "unreadable":
            break
        at = members.member_at(item.offset)
        if isinstance(item, Gap) and item.reason == "truncated":
            cut = item._replace(offset=at, resume=0)
        else:
            yield item._replace(offset=at) if isinstance(item, Gap) else replace(item, offset=at)
    if inside.error is not None:  # met where a record was read, or looked for
        return Gap("corrupt", members.begin, str(inside.error), members.begin + 1)
    if members.cut is not None:  # a damaged member may have no end, and others behind it
        cut = cut or Gap("truncated", members.cut, "the last gzip member has no end", 0)
        return cut._replace(resume=members.cut + 1 if window.remembers(members.cut) else 0)
    return cut


def _unreadable(window: Window) -> Gap | None:
    error = window.error
    return None if error is None else Gap("unreadable", window.tell(), f"{type(error).__name__}: {error}", 0)


def _refused(head: bytes) -> Gap:
    """Why a file that begins with `head` is no archive."""
    codec = _codec(head)
    if not head:
        return Gap("not_an_archive", 0, "empty file", 0)
    if codec == "plain" or _inflated_begin(codec, head):
        return Gap("not_an_archive", 0, "neither WARC nor ARC", 0)
    if codec == "gzip" and len(head) < 64:
        return Gap("truncated", 0, f"ends after {len(head)} bytes", 0)
    return Gap("corrupt", 0, f"{codec} that cannot be unpacked", 0)


def _codec(head: bytes) -> str:
    return next((codec for codec, magic in _MAGIC.items() if magic.match(head)), "plain")


def form_of(head: bytes) -> Form | None:
    """What the first bytes of an archive, or of what is left of it, are."""
    codec = _codec(head)
    begin = _inflated_begin(codec, head)
    if (warc := _WARC.match(begin)) is not None:
        return Form(codec, "warc", not warc.group(1))
    return Form(codec, "arc", False) if ARC_LINE.match(begin) else None


def _inflated_begin(codec: str, data: bytes) -> bytes:
    """The first kilobytes of what `data` unpacks to; nothing when it does not."""
    try:
        if codec == "plain":
            return data[:8192]
        if codec == "gzip":
            return zlib.decompressobj(31).decompress(data, 8192)
        return (Lz4Reader if codec == "lz4" else ZstdReader)(BytesIO(data)).read(1024)
    except BaseException as error:
        raise_if_ours(error)
        return b""


def _resume(window: Window, form: Form | None, start: int) -> Form | None:
    """Move to the next place from `start` on where a record begins, of the same codec and kind when `form` is known."""
    if form is None:
        pattern = _NEXT_ANY
    elif form.codec == "plain":
        pattern = NEXT_ARC if form.kind == "arc" else _NEXT_WARC
    else:
        pattern = _MAGIC[form.codec]
    found: list[Form] = []

    def accept(data: bytes) -> bool:
        seen = form_of(data)
        if seen is None or (form is not None and (seen.codec, seen.kind) != (form.codec, form.kind)):
            return False
        found.append(seen)
        return True

    return None if window.find(pattern, accept, start) is None else found[-1]
