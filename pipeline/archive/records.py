"""Web archives as a stream of items: WARC 0.17 to 1.1, WET and ARC 1.0; plain, gzip, lz4 or zstd.

Every record becomes exactly one item, a `Page` or a `Skipped`; a place that cannot be read becomes a `Broken`, and
reading goes on at the next gzip member or record head behind it. FastWARC reads, warcio frames ARC records.
Memory does not depend on the archive: a record's block is held up to `max_page_bytes`, and the stream's last mebibytes.
"""

import re
from base64 import b32encode
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha1

from xxhash import xxh3_128_hexdigest

from pipeline.archive.blocks import Block, Gap
from pipeline.archive.content_encoding import dechunk, decode_content, decode_untold
from pipeline.archive.framing import read_blocks
from pipeline.archive.http_head import media_type, parse_head
from pipeline.archive.limits import ArchiveLimits, RefusedPayload
from pipeline.archive.sniffing import HTML_TYPES, is_page
from pipeline.archive.window import Source, Window

__all__ = ["ArchiveLimits", "Broken", "Page", "Skipped", "iso_date", "read_archive"]

PAGE_TYPES = ("response", "resource", "conversion")
GZIP_TYPES = ("application/gzip", "application/x-gzip")  # of the stored bytes, maybe of a page
RECORD_TYPES = (*PAGE_TYPES, "warcinfo", "request", "metadata", "revisit", "continuation", "filedesc")

_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_DATE = re.compile(r"(\d{4})(?:-?(\d\d)(?:-?(\d\d)(?:[T ]?(\d\d)(?::?(\d\d)(?::?(\d\d))?)?)?)?)?")


@dataclass(frozen=True, slots=True)
class Page:
    """A record with the text of a page.

    record_id: WARC-Record-ID without <urn:uuid:>; where there is none, 32 hex digits, XXH3-128 of "name:offset".
    date: YYYY-MM-DDTHH:MM:SSZ.  offset: bytes into the archive as stored; records of one gzip member share it.
    body: payload without transfer and content encodings.  truncated: WARC-Truncated.  is_text: plain text (WET).
    statements: (lower-case name, value) of the HTTP head's headers of `http_head.STATEMENTS`.
    """

    record_id: str
    record_type: str
    url: str
    date: str | None
    offset: int
    status: int
    body: bytes
    http_charset: str | None
    content_type: str
    truncated: str | None
    payload_digest: str
    is_text: bool = False
    statements: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Skipped:
    """A record without a page, `reason` out of schemas.extract."""

    record_type: str
    reason: str
    url: str | None
    record_id: str
    offset: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Broken:
    """A place that cannot be read, from byte `offset` of the archive as stored. `detail` is one line."""

    reason: str
    offset: int
    detail: str


def read_archive(
    stream: Source, *, name: str, limits: ArchiveLimits, start: int = 0, end: int | None = None
) -> Iterator[Page | Skipped | Broken]:
    """Items in the order of the archive. `stream` needs only `read`; its exceptions become one `unreadable`.

    name: what the ids of records without WARC-Record-ID are hashed from, with their offset.
    start, end: a part of a plain archive as `archive_parts.part_starts` cuts it: the stream stands at byte `start`, and
    only items before the record at `end` come.
    """
    shared_offset, ordinal = -1, 0
    for block in read_blocks(Window(stream, start), limits.max_page_bytes):
        if isinstance(block, Gap):
            yield Broken(block.reason, block.offset, _line(block.detail))
            continue
        if end is not None and block.offset >= end:
            return
        ordinal = ordinal + 1 if block.offset == shared_offset else 0
        shared_offset = block.offset
        yield _item(block, f"{name}:{block.offset}" + (f":{ordinal}" if ordinal else ""), limits)


def _item(block: Block, place: str, limits: ArchiveLimits) -> Page | Skipped:
    record_type = block.record_type if block.record_type in RECORD_TYPES else "unknown"
    url = _url(block.url)
    record_id = _record_id(block.record_id) or xxh3_128_hexdigest(place.encode())
    try:
        if record_type not in PAGE_TYPES:
            raise RefusedPayload("revisit" if record_type == "revisit" else "type")
        if url is None:
            raise RefusedPayload("no_url")
        if block.data is None:
            raise RefusedPayload("too_large", f"{block.length} bytes")
        status, body, stored, content_type, charset, is_text, statements = _payload(
            block, block.data, record_type, url, limits
        )
    except RefusedPayload as refused:
        return Skipped(record_type, refused.reason, url, record_id, block.offset, _line(refused.detail))
    digest = block.payload_digest or "sha1:" + b32encode(sha1(stored, usedforsecurity=False).digest()).decode()
    return Page(record_id, record_type, url, iso_date(block.date), block.offset, status, body, charset,
                content_type, block.truncated, digest, is_text, statements)  # fmt: skip


def _payload(
    block: Block, data: bytes, record_type: str, url: str, limits: ArchiveLimits
) -> tuple[int, bytes, bytes, str, str | None, bool, tuple[tuple[str, str], ...]]:
    """Status, decoded and stored body, type, charset label, whether it is text, statements; or RefusedPayload."""
    content_type, charset = media_type(block.content_type or "")
    if record_type == "conversion" and content_type in ("text/plain", ""):
        if not data.strip():
            raise RefusedPayload("empty_body")
        return 200, data, data, "text/plain", "utf-8", True, ()
    identified = media_type(block.identified_type or "")[0]
    status, stored, body = 200, data, data
    statements: tuple[tuple[str, str], ...] = ()
    if record_type == "response" and (content_type == "application/http" or url.lower().startswith("http")):
        head = parse_head(data)
        if head.status != 200:
            raise RefusedPayload("status", str(head.status))
        content_type, charset, stored = head.content_type, head.charset, data[head.body_at :]
        statements = head.statements
        if identified and identified not in HTML_TYPES and identified not in GZIP_TYPES:
            raise RefusedPayload("not_html", identified)
        body = decode_content(
            dechunk(stored) if head.chunked else stored,
            head.content_encodings,
            max_bytes=limits.max_page_bytes,
            max_ratio=limits.max_decompression_ratio,
        )
    said = content_type if identified in GZIP_TYPES else identified or content_type
    body = decode_untold(body, said, max_bytes=limits.max_page_bytes, max_ratio=limits.max_decompression_ratio)
    if len(body) > limits.max_page_bytes:
        raise RefusedPayload("too_large", f"{len(body)} bytes")
    if not body.strip():
        raise RefusedPayload("empty_body")
    if not is_page(body, said):
        raise RefusedPayload("not_html", (identified or content_type)[:100])
    return status, body, stored, content_type, charset, False, statements


def _line(detail: str) -> str:
    return " ".join(detail[:1000].split())[:200]


def _url(value: str | None) -> str | None:
    """The address without <>, outer space and control characters; inner spaces escaped, as warcio does."""
    return _CONTROL.sub("", value or "").strip("<> ").replace(" ", "%20") or None


def _record_id(value: str | None) -> str:
    return (value or "").strip().strip("<>").strip().removeprefix("urn:uuid:")


def iso_date(value: str | None) -> str | None:
    """`YYYY-MM-DDTHH:MM:SSZ` of a WARC-Date of any precision, or of an ARC date of 4 to 14 digits; None for others."""
    match = _DATE.match((value or "").strip())
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(g or d) for g, d in zip(match.groups(), "011000", strict=True))
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second <= 60):
        return None
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
