"""The block of an HTTP record: head, transfer and content encodings, and whether the payload is a web page."""

import re
import zlib
from dataclasses import dataclass
from io import BytesIO

import brotli
from fastwarc.stream_io import ZstdReader

from pipeline.page import opt_out

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
SNIFFED_TYPES = frozenset(  # said of anything by servers that do not know better
    {"", "text/plain", "application/octet-stream", "application/unknown", "unknown/unknown", "*/*", "no-type",
     "application/xml", "text/xml", "application/x-unknown-content-type", "text", "html", "content/unknown"}
)  # fmt: skip
MAX_HEAD = 1 << 16  # bytes of an HTTP head that are looked at
RATIO_FREE_BYTES = 1 << 20  # payloads below this are never refused for their ratio

_STATUS = re.compile(rb"\s*HTTP/\d[\d.]*[ \t]+(\d{3})(?!\d)", re.I)
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_CHARSET = re.compile(r"""charset\s*=\s*["']?([^\s"';,]+)""", re.I)
_CHUNK = re.compile(rb"[ \t]*([0-9a-fA-F]{1,8})[ \t]*(?:;[^\n]{0,200})?\r?\n")
_LEAD = re.compile(rb"(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?[\x00\t\n\x0c\r ]*")
# https://mimesniff.spec.whatwg.org/#identifying-a-resource-with-an-unknown-mime-type, the rows for text/html
_HTML = re.compile(
    rb"<(?:!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p)[ >\t\n\f\r]|<!--", re.I
)
_NOT_PAGE = re.compile(
    rb"%PDF-|%!PS-|\x89PNG\r\n|GIF8[79]a|\xff\xd8\xff|RIFF....WEB|PK\x03\x04|\x1f\x8b\x08|\x00asm|OggS|ID3"
)
_XML_HEAD = re.compile(rb"(?:<\?[^>]*>|<!--.*?-->|\s+)*", re.S)
_FEED = re.compile(rb"<(?:rss|feed|rdf:RDF|atom:feed|urlset|sitemapindex|svg|opml)[\s>]", re.I)
_JSON = re.compile(rb"""[\[{]\s*(?:["\[{\]}]|-?\d)""")


class RefusedPayload(Exception):
    """A payload that gives no page: `reason` out of schemas.extract.RECORD_REASONS."""

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


@dataclass(frozen=True, slots=True)
class Head:
    """What the archive needs of an HTTP head. `content_type` is bare and lower-case, empty when there is none;
    `opt_out` are flags of `pipeline.page.opt_out`."""

    status: int
    content_type: str
    charset: str | None
    content_encodings: tuple[str, ...]
    chunked: bool
    body_at: int
    opt_out: frozenset[str] = frozenset()


def media_type(value: str) -> tuple[str, str | None]:
    """Bare lower-case type and charset label of a Content-Type value."""
    charset = _CHARSET.search(value)
    return value.split(";", 1)[0].split(",", 1)[0].strip().lower(), charset.group(1) if charset else None


def parse_head(block: bytes) -> Head:
    """The head of an HTTP response. A block that starts with markup is an answer of HTTP/0.9: no head, status 200.

    Folded lines, bare line feeds, missing reason phrases and lines that are no header are taken as they come.
    """
    status = _STATUS.match(block)
    if status is None:
        if looks_like_html(block):
            return Head(200, "", None, (), False, 0)
        raise RefusedPayload("http_malformed", "no status line")
    end = _HEAD_END.search(block, status.end())
    stop, body_at = (end.start(), end.end()) if end else (len(block), len(block))
    headers: dict[str, str] = {}
    said: list[tuple[str, str]] = []
    for line in _FOLD.sub(b" ", block[status.end() : min(stop, MAX_HEAD)]).split(b"\n")[1:]:
        name, colon, value = line.partition(b":")
        if colon:
            key, text = name.strip().lower().decode("latin-1"), value.strip().decode("latin-1")
            if key == "content-encoding" and key in headers:
                headers[key] += "," + text
            else:
                headers.setdefault(key, text)
            if key in opt_out.HEADERS:
                said.append((key, text))
    content_type, charset = media_type(headers.get("content-type", ""))
    transfer = [part.strip().lower() for part in headers.get("transfer-encoding", "").split(",")]
    codings = [part.strip().lower() for part in headers.get("content-encoding", "").split(",")]
    codings += [part for part in transfer if part in ("gzip", "x-gzip", "deflate")]
    encodings = tuple(coding for coding in codings if coding and coding not in ("identity", "none"))
    flags = opt_out.header_flags(said)
    return Head(int(status.group(1)), content_type, charset, encodings, "chunked" in transfer, body_at, flags)


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


def looks_like_html(body: bytes) -> bool:
    """The MIME Sniffing Standard's table for text/html, and XML in XHTML's namespace, over the first 1,024 bytes."""
    begin = _plain_begin(body)
    if _HTML.match(begin):
        return True
    return begin.startswith(b"<?xml") and (b"http://www.w3.org/1999/xhtml" in begin or b"<!DOCTYPE html" in begin)


def is_page(body: bytes, content_type: str) -> bool:
    """Whether the payload is HTML or XHTML, by its header where that can be believed, else by sniffing."""
    begin = _plain_begin(body)
    if _NOT_PAGE.match(body) or (_JSON.match(begin) and b"</" not in begin):
        return False
    if content_type in SNIFFED_TYPES or "/" not in content_type:
        return looks_like_html(body)
    if content_type not in HTML_TYPES:
        return False
    return _FEED.match(begin, _XML_HEAD.match(begin).end()) is None  # type: ignore[union-attr]


def _plain_begin(body: bytes) -> bytes:
    """The first 1,024 bytes behind mark and white space, with UTF-16 made readable."""
    begin = body[_LEAD.match(body).end() :][:1024]  # type: ignore[union-attr]
    return begin.replace(b"\0", b"") if 3 * begin[:64].count(b"\0") > len(begin[:64]) else begin
