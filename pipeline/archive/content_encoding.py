"""Transfer and content encodings of an archived HTTP payload, undone, said by its head or not."""

import re
import zlib
from io import BytesIO

import brotli
from fastwarc.stream_io import ZstdReader

from pipeline.archive.limits import RefusedPayload
from pipeline.archive.sniffing import is_page, looks_like_html

RATIO_FREE_BYTES = 1 << 20  # payloads below this are never refused for their ratio
MAX_MEMBERS = 10_000  # of a gzip stream: each takes microseconds, and need not hold a byte
MAX_LAYERS = 3  # of gzip that no header tells
_SLICE = 1 << 12  # bytes given to zlib at a time: what lies behind a member's end is copied
_MAGIC = b"\x1f\x8b\x08"

_CHUNK = re.compile(rb"[ \t]*([0-9a-fA-F]{1,8})[ \t]*(?:;[^\n]{0,200})?\r?\n")


def dechunk(body: bytes) -> bytes:
    """Undo chunked transfer coding; bytes that are no chunks (any more) stay as they are."""
    pieces: list[bytes] = []
    at = 0
    while (size := _CHUNK.match(body, at)) is not None:
        length = int(size.group(1), 16)
        if length == 0:
            return b"".join(pieces)
        pieces.append(body[size.end() : size.end() + length])
        at = size.end() + length
        at += 2 if body.startswith(b"\r\n", at) else 1 if body.startswith(b"\n", at) else 0
    pieces.append(body[at:])
    return b"".join(pieces)


def decode_content(body: bytes, codings: tuple[str, ...], *, max_bytes: int, max_ratio: float) -> bytes:
    """Undo Content-Encoding, last coding first, at most `max_bytes` long.

    Archives often keep the header of a payload that they have decoded already: bytes that do not begin like the
    coding, or look like markup, stay as they are. A stream that is cut off gives what it has.
    """
    for coding in reversed(codings):
        body = _within(_decode_one(body, coding, max_bytes), coding, len(body), max_bytes, max_ratio)
    return body


def decode_untold(body: bytes, content_type: str, *, max_bytes: int, max_ratio: float) -> bytes:
    """Undo gzip that no header tells, or that is there twice, where a page of `content_type` lies in it."""
    stored = len(body)
    for _ in range(MAX_LAYERS):
        if not body.startswith(_MAGIC):
            break
        try:
            begin = _inflate(body, 31, 1024)
            if not begin.startswith(_MAGIC) and not is_page(begin, content_type):
                break
            body = _within(_inflate(body, 31, max_bytes), "gzip", stored, max_bytes, max_ratio)
        except zlib.error:
            break
    return body


def _within(decoded: bytes, coding: str, stored: int, max_bytes: int, max_ratio: float) -> bytes:
    if len(decoded) > max(RATIO_FREE_BYTES, max_ratio * stored):
        raise RefusedPayload("decompression_ratio", f"{coding}: {stored} bytes grow beyond {len(decoded)}")
    if len(decoded) > max_bytes:
        raise RefusedPayload("too_large", f"{coding}: more than {max_bytes} bytes")
    return decoded


def _decode_one(body: bytes, coding: str, max_bytes: int) -> bytes:
    gzip = body.startswith(b"\x1f\x8b")
    try:
        if gzip and coding in ("gzip", "x-gzip", "deflate", "br"):  # the magic number outweighs the header
            return _inflate(body, 31, max_bytes)
        if coding == "deflate":
            try:
                return _inflate(body, 15, max_bytes)
            except zlib.error:
                return body if looks_like_html(body) else _inflate(body, -15, max_bytes)
        if coding == "br":
            decoder = brotli.Decompressor()
            pieces = [decoder.process(body, output_buffer_limit=max_bytes + 1)]
            while pieces[-1] and sum(map(len, pieces)) <= max_bytes:
                pieces.append(decoder.process(b"", output_buffer_limit=max_bytes + 1))
            if decoder.is_finished() or not looks_like_html(body):
                return b"".join(pieces)
        elif coding == "zstd" and body.startswith(b"\x28\xb5\x2f\xfd"):
            reader, size, pieces = ZstdReader(BytesIO(body)), 0, []
            while size <= max_bytes and (piece := reader.read(1 << 16)):
                pieces.append(piece)
                size += len(piece)
            return b"".join(pieces)
    except (zlib.error, brotli.error, OSError) as error:
        if not looks_like_html(body):
            raise RefusedPayload("content_encoding", f"{coding}: {error}") from None
    return _as_is(body, coding)


def _as_is(body: bytes, coding: str) -> bytes:
    """Bytes that were decoded before they were archived: text has no control characters."""
    if looks_like_html(body) or not re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]", body[:512]):
        return body
    raise RefusedPayload("content_encoding", f"{coding}: neither encoded nor text")


def _inflate(data: bytes, wbits: int, max_bytes: int) -> bytes:
    """At most one byte more than `max_bytes`. Takes time in proportion to `data`. RefusedPayload beyond MAX_MEMBERS."""
    pieces: list[bytes] = []
    size, at, members = 0, 0, 0
    view = memoryview(data)
    while at < len(data) and size <= max_bytes and (members == 0 or wbits == 31):
        if members == MAX_MEMBERS:
            raise RefusedPayload("content_encoding", f"gzip: more than {MAX_MEMBERS} members")
        decoder = zlib.decompressobj(wbits)
        try:
            while at < len(data) and size <= max_bytes and not decoder.eof:
                given = view[at : at + _SLICE]
                pieces.append(decoder.decompress(given, max_bytes + 1 - size))
                size += len(pieces[-1])
                at += len(given) - len(decoder.unused_data) - len(decoder.unconsumed_tail)
        except zlib.error:
            if members:  # bytes behind the first member that are no member
                break
            raise
        members += 1
    return b"".join(pieces)
