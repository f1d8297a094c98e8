"""Transfer and content encodings of an archived HTTP payload, undone."""

import re
import zlib
from io import BytesIO

import brotli
from fastwarc.stream_io import ZstdReader

from pipeline.archive.refused import RefusedPayload
from pipeline.archive.sniffing import looks_like_html

RATIO_FREE_BYTES = 1 << 20  # payloads below this are never refused for their ratio

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
        decoded = _decode_one(body, coding, max_bytes)
        if len(decoded) > max(RATIO_FREE_BYTES, max_ratio * len(body)):
            raise RefusedPayload("decompression_ratio", f"{coding}: {len(body)} bytes grow beyond {len(decoded)}")
        if len(decoded) > max_bytes:
            raise RefusedPayload("too_large", f"{coding}: more than {max_bytes} bytes")
        body = decoded
    return body


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
    pieces: list[bytes] = []
    size = 0
    while data and size <= max_bytes:
        decoder = zlib.decompressobj(wbits)
        try:
            pieces.append(decoder.decompress(data, max_bytes + 1 - size))
        except zlib.error:
            if pieces:  # bytes behind the first member that are no member
                break
            raise
        size += len(pieces[-1])
        data = decoder.unused_data if wbits == 31 else b""
    return b"".join(pieces)
