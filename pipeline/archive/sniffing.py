"""Whether a payload is a web page, by its header where that can be believed, else by its first bytes."""

import re

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
SNIFFED_TYPES = frozenset(  # said of anything by servers that do not know better
    {"", "text/plain", "application/octet-stream", "application/unknown", "unknown/unknown", "*/*", "no-type",
     "application/xml", "text/xml", "application/x-unknown-content-type", "text", "html", "content/unknown"}
)  # fmt: skip

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
