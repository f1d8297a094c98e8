"""What a page says of itself: title, language, canonical address, licence, date, and whether it may be used.

Nothing here is verified but its form. One pass over the page's tags (`pipeline.html.tags`).
"""

import html as entities
import re
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from pipeline.html import tags
from pipeline.html.attributes import attributes
from pipeline.html.references import without_lone_surrogates
from pipeline.page.blocks.segment_breaks import is_nothing
from pipeline.page.dates import DATE_NAMES, believed, stated_days
from pipeline.page.licences import LICENCE_NAMES, LICENCE_RELS, Link, page_licence
from pipeline.page.linked_data import page_nodes
from pipeline.page.opt_out import META_NAMES, element_flags

MAX_TITLE, MAX_LANG, MAX_URL = 1000, 100, 2000  # characters
MAX_TAG, MAX_VALUE = 1 << 16, 4000  # bytes of a tag and characters of a value that are looked at
_OUTER = "".join(map(chr, range(33)))  # of an address, as https://url.spec.whatwg.org/#concept-basic-url-parser
_INNER = str.maketrans("", "", "\t\n\r")
_LINE_FEED = re.compile(r"[ \t\f]*[\r\n][ \t\r\n\f]*")

_NAMES = frozenset(
    name.encode()
    for name in (*DATE_NAMES, *LICENCE_NAMES, *LICENCE_RELS, *META_NAMES, "og:title", "og:url", "content-language")
)
_USUAL = re.compile(
    rb"""\s*(?:charset=["']?[\w-]*["']?|(?:name|property|itemprop|http-equiv)=["']([^"'&\s]*)["']\s+"""
    rb"""content=(?:"[^"]*"|'[^']*'))[\s/]*""",
    re.I,
)
_TIME_CLASSES = frozenset({"published", "dt-published", "entry-date"})  # hAtom, h-entry, WordPress


class Metadata(NamedTuple):
    """What holds of a page wherever it lies.

    title: of `title`, else og:title; white space made one space, or none, see `_words`; at most MAX_TITLE characters.
    html_lang: of `html`, else the one language of http-equiv=content-language, which is HTML's own order. Not
    og:locale: programs put en_US there unasked.
    links: what the canonical address can be, see `canonical`; base: of the page's links.
    licence: the Creative Commons licence or mark as `https://creativecommons.org/licenses/by-sa/4.0/`, see `licences`.
    days: the page's own dates, YYYY-MM-DD, the surest first, see `dates`.
    flags: of `pipeline.page.opt_out`.
    """

    title: str | None = None
    html_lang: str | None = None
    links: tuple[str, ...] = ()
    base: str = ""
    licence: str | None = None
    days: tuple[str, ...] = ()
    flags: frozenset[str] = frozenset()

    def canonical(self, url: str) -> str | None:
        """The canonical address that the page at `url` names: the first link rel=canonical, else og:url, that is
        absolute, http or https, and at most MAX_URL characters long. Without fragment."""
        for link in self.links:
            try:
                address = urljoin(urljoin(url, self.base), link)
                parts = urlsplit(address)
                host = parts.hostname
            except ValueError:
                continue
            address = address.partition("#")[0]
            if parts.scheme in ("http", "https") and host and len(address) <= MAX_URL and not _has_space(address):
                return address
        return None

    def published(self, fetched: str | None) -> str | None:
        """The day, YYYY-MM-DD, on which the page that was fetched at `fetched`, YYYY-MM-DD..., was published: the
        surest that is not behind the fetch."""
        return believed(self.days, fetched)

    def to_json(self) -> list[Any]:
        return [*self[:-1], sorted(self.flags)]

    @classmethod
    def from_json(cls, fields: list[Any]) -> "Metadata":
        title, html_lang, links, base, licence, days, flags = fields
        return cls(title, html_lang, tuple(links), base, licence, tuple(days), frozenset(flags))


class _Statements:
    """What the tags say, before anything is weighed."""

    def __init__(self) -> None:
        self.titles: list[str] = []
        self.og: dict[str, str] = {}
        self.lang = self.content_language = self.base = ""
        self.canonical: list[str] = []
        self.licences: list[str] = []  # of meta elements without a place
        self.licence_links: list[Link] = []
        self.dates: list[tuple[int, str]] = []
        self.times: list[str] = []
        self.data: list[bytes] = []
        self.flags: set[str] = set()


def read_metadata(html: bytes) -> Metadata:
    """What a page (UTF-8) says of itself. Never raises for what it contains; linear in its length."""
    said = _Statements()
    html = html.replace(b"\0", b"") if b"\0" in html else html
    for kind, source, text, place in tags.tags(html):
        if kind == tags.TITLE:
            said.titles.append(text.decode("utf-8", "replace"))
        elif kind == tags.DATA:
            said.data.append(text)
        elif kind != tags.META or _may_count(source[:MAX_TAG]):
            values = attributes(source[:MAX_TAG])
            _READERS[kind](said, values)
            if _may_license(kind, source) and (link := _licence_link(kind, values, place, place + len(source))):
                said.licence_links.append(link)
    nodes = page_nodes(said.data)
    titles = (_words(_unescape(title.strip())) for title in said.titles[:1])
    return Metadata(
        next(filter(None, (*titles, _words(said.og.get("og:title", "")))), None),
        said.lang or said.content_language or None,
        tuple(link for link in (*said.canonical[:1], said.og.get("og:url", "")) if link),
        said.base,
        page_licence(html, said.licences, said.licence_links, nodes),
        tuple(stated_days(said.dates, nodes, said.times)),
        frozenset(said.flags),
    )


def _may_count(meta: bytes) -> bool:
    """Whether a meta element can have one of the names. Most have another one or tell the charset, plainly written."""
    usual = _USUAL.fullmatch(meta)
    return usual is None or (usual.group(1) or b"").lower() in _NAMES


def _unescape(text: str) -> str:
    """Python makes no number of more than 4,300 digits, so a reference must not be that long."""
    return entities.unescape(text[:MAX_VALUE])


def _text(values: dict[bytes, bytes], name: bytes) -> str:
    """What an attribute says, empty without it."""
    return _unescape(values[name].decode("utf-8", "replace")) if name in values else ""


def _read_html(said: _Statements, values: dict[bytes, bytes]) -> None:
    lang = _text(values, b"lang").strip() or _text(values, b"xml:lang").strip()
    said.lang = said.lang or without_lone_surrogates(lang.split()[0][:MAX_LANG] if lang else "")


def _read_meta(said: _Statements, values: dict[bytes, bytes]) -> None:
    content = _text(values, b"content")
    name = _text(values, b"name").strip().lower()
    said.flags |= element_flags(name, content)
    names = {name, _text(values, b"property").strip().lower(), _text(values, b"itemprop").strip().lower()}
    for key in names & {"og:title", "og:url"}:
        said.og.setdefault(key, _address(content) if key == "og:url" else content)
    said.dates += [(DATE_NAMES[key], content) for key in names & DATE_NAMES.keys()]
    if names & LICENCE_NAMES:
        said.licences.append(content)
    if _text(values, b"http-equiv").strip().lower() == "content-language" and "," not in content:
        words = content.split()
        said.content_language = said.content_language or without_lone_surrogates(words[0][:MAX_LANG] if words else "")


def _read_link(said: _Statements, values: dict[bytes, bytes]) -> None:
    kinds, href = _text(values, b"rel").lower().split(), _address(_text(values, b"href"))
    if "canonical" in kinds and href:
        said.canonical.append(href)


def _read_base(said: _Statements, values: dict[bytes, bytes]) -> None:
    said.base = said.base or _address(_text(values, b"href"))


def _may_license(kind: int, source: bytes) -> bool:
    return kind in (tags.ANCHOR, tags.LINK) or (kind == tags.META and b"license" in source.lower())


def _licence_link(kind: int, values: dict[bytes, bytes], place: int, end: int) -> Link | None:
    """What a tag says of a licence: a `link` or `meta` that is marked as a licence's, any `a` or `area`."""
    rels = _text(values, b"rel").lower().split() + _text(values, b"property").lower().split()
    sure = not LICENCE_RELS.isdisjoint(rels) or "license" in _text(values, b"itemprop").lower().split()
    in_text = kind == tags.ANCHOR
    if not (sure or in_text):
        return None
    address = _text(values, b"content" if kind == tags.META else b"href")
    return Link(_address(address), place, end, in_text, sure)


def _read_time(said: _Statements, values: dict[bytes, bytes]) -> None:
    own = b"pubdate" in values or "datepublished" in _text(values, b"itemprop").lower().split()
    if own or _TIME_CLASSES & set(_text(values, b"class").lower().split()):
        said.times.append(_text(values, b"datetime"))


_READERS = {
    tags.HTML: _read_html,
    tags.META: _read_meta,
    tags.LINK: _read_link,
    tags.BASE: _read_base,
    tags.ANCHOR: lambda said, values: None,
    tags.TIME: _read_time,
}


def _words(text: str) -> str:
    """Without white space at the ends, each other made one space; a line feed between wide characters is none."""
    text = text.replace("\0", "").strip()
    if "\n" in text or "\r" in text:
        text = _LINE_FEED.sub(lambda found: _between(text[found.start() - 1], text[found.end()]), text)
    return without_lone_surrogates(" ".join(text.split())[:MAX_TITLE])


def _between(before: str, after: str) -> str:
    """What a line feed between two characters becomes."""
    return "" if is_nothing(ord(before), ord(after)) else " "


def _address(value: str) -> str:
    """An attribute's address as browsers read it, empty where it is longer than any that counts."""
    address = without_lone_surrogates(value.strip(_OUTER).translate(_INNER))
    return address if len(address) <= MAX_URL else ""


def _has_space(address: str) -> bool:
    return any(character.isspace() or character < " " for character in address)
