"""The head of an archived HTTP response: status, type, encodings, and what it says about the page's use."""

import re
from dataclasses import dataclass

from pipeline.archive.limits import RefusedPayload
from pipeline.archive.sniffing import looks_like_html

MAX_HEAD = 1 << 16  # bytes of an HTTP head that are looked at
STATEMENTS = frozenset({"x-robots-tag", "tdm-reservation"})  # headers that say whether a page may be used

_STATUS = re.compile(rb"\s*HTTP/\d[\d.]*[ \t]+(\d{3})(?!\d)", re.I)
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_TYPE_END = re.compile(r"[;,(\s]")  # where browsers end a type, the semicolon forgotten or not
_QUOTES = "\"'\\<> \t"  # around a type: some servers quote it, or the whole value
_CHARSET = re.compile(r"""charset\s*=[\s\\"']*([^\s\\"';,>]+)""", re.I)


@dataclass(frozen=True, slots=True)
class Head:
    """What the archive needs of an HTTP head. `content_type` is bare and lower-case, empty when there is none;
    `statements`: lower-case name and value of each header of STATEMENTS, in order and as often as it was sent."""

    status: int
    content_type: str
    charset: str | None
    content_encodings: tuple[str, ...]
    chunked: bool
    body_at: int
    statements: tuple[tuple[str, str], ...] = ()


def media_type(value: str) -> tuple[str, str | None]:
    """Bare lower-case type and charset label of a Content-Type value, whatever is in quotes."""
    charset = _CHARSET.search(value)
    bare = _TYPE_END.split(value.lstrip(_QUOTES), maxsplit=1)[0]
    return bare.strip(_QUOTES).lower(), charset.group(1) if charset else None


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
    statements: list[tuple[str, str]] = []
    for line in _FOLD.sub(b" ", block[status.end() : min(stop, MAX_HEAD)]).split(b"\n")[1:]:
        name, colon, value = line.partition(b":")
        if colon:
            key, text = name.strip().lower().decode("latin-1"), value.strip().decode("latin-1")
            if key == "content-encoding" and key in headers:
                headers[key] += "," + text
            else:
                headers.setdefault(key, text)
            if key in STATEMENTS:
                statements.append((key, text))
    content_type, charset = media_type(headers.get("content-type", ""))
    transfer = [part.strip().lower() for part in headers.get("transfer-encoding", "").split(",")]
    codings = [part.strip().lower() for part in headers.get("content-encoding", "").split(",")]
    codings += [part for part in transfer if part in ("gzip", "x-gzip", "deflate")]
    encodings = tuple(coding for coding in codings if coding and coding not in ("identity", "none"))
    return Head(
        int(status.group(1)), content_type, charset, encodings, "chunked" in transfer, body_at, tuple(statements)
    )
