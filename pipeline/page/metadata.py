"""What a page says of itself: title, language, canonical address, licence, date, and whether it may be used.

Nothing here is verified but its form. One pass over the page's tags (`pipeline.html.tags`).
"""

import html as entities
import json
import re
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from pipeline.html import tags
from pipeline.html.attributes import attributes
from pipeline.html.references import without_lone_surrogates
from pipeline.page.opt_out import META_NAMES, element_flags

MAX_TITLE, MAX_LANG, MAX_URL = 1000, 100, 2000  # characters
MAX_DATA = 1 << 18  # bytes of a script of JSON-LD
MAX_TAG, MAX_VALUE = 1 << 16, 4000  # bytes of a tag and characters of a value that are looked at
FIRST_YEAR, LAST_YEAR = 1990, 2100  # of a web page; others are years of other calendars, or of what it is about

_LICENCE = re.compile(
    r"(?:https?:)?//(?:[a-z0-9-]+\.)?creativecommons\.org/(licenses|publicdomain)/"
    r"((?:by|nc|nd|sa)(?:-(?:nc|nd|sa))*|(?:nc-)?sampling\+?|zero|mark)(?:/(\d\.\d)(?:/([a-z]{2,8})(?![a-z.]))?)?(?![^/?#\s])"
)
_OUTER = "".join(map(chr, range(33)))  # of an address, as https://url.spec.whatwg.org/#concept-basic-url-parser
_INNER = str.maketrans("", "", "\t\n\r")

# Names of meta elements (name, property or itemprop) that give a page's date, the surest first.
_DATES = """
article:published_time datepublished og:article:published_time rnews:datepublished article.published
citation_publication_date citation_online_date citation_date parsely-pub-date sailthru.date bt:pubdate
dcterms.issued dc.date.issued dcterms.created dc.date.created dcterms.date dc.date
originalpublicationdate publication_date publication-date published_time pubdate publishdate publish_date publish-date
date_published published-date date
"""
DATE_NAMES = {name: rank for rank, name in enumerate(_DATES.split())}
_SURE = DATE_NAMES["article.published"]  # names up to this one outweigh JSON-LD
LICENCE_NAMES = frozenset({"dcterms.license", "dc.rights", "dcterms.rights"})
_NAMES = frozenset(
    name.encode() for name in (*DATE_NAMES, *LICENCE_NAMES, *META_NAMES, "og:title", "og:url", "content-language")
)
_USUAL = re.compile(
    rb"""\s*(?:charset=["']?[\w-]*["']?|(?:name|property|itemprop|http-equiv)=["']([^"'&\s]*)["']\s+"""
    rb"""content=(?:"[^"]*"|'[^']*'))[\s/]*""",
    re.I,
)
_OTHER_TYPES = frozenset({"comment", "review", "userreview", "answer", "videoobject", "imageobject", "organization"})
_TIME_CLASSES = frozenset({"published", "dt-published", "entry-date"})  # hAtom, h-entry, WordPress

_MONTH_NAMES = "jan feb mar apr may jun jul aug sep oct nov dec"
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES.split(), 1)}
_NUMBERS = re.compile(
    r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?!\d)|(\d{4})(\d\d)(\d\d)(?:\d{6})?(?!\d)|(\d{1,2})\.(\d{1,2})\.(\d{4})(?!\d)"
)
_WORDS = re.compile(
    r"\b(\d{1,2})(?:st|nd|rd|th)?[ -]([a-z]{3,9})\.?,?[ -](\d{4})\b"
    r"|\b([a-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})\b", re.I
)  # fmt: skip


class Metadata(NamedTuple):
    """What holds of a page wherever it lies.

    title: of `title`, else og:title; white space made one space, at most MAX_TITLE characters.
    html_lang: of `html`, else the one language of http-equiv=content-language, which is HTML's own order. Not
    og:locale: programs put en_US there unasked.
    links: what the canonical address can be, see `canonical`; base: of the page's links.
    licence: the Creative Commons licence or mark as `https://creativecommons.org/licenses/by-sa/4.0/`, see `_licence`.
    published: the page's own date, YYYY-MM-DD, see `_published`.
    flags: of `pipeline.page.opt_out`.
    """

    title: str | None = None
    html_lang: str | None = None
    links: tuple[str, ...] = ()
    base: str = ""
    licence: str | None = None
    published: str | None = None
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

    def to_json(self) -> list[Any]:
        return [*self[:-1], sorted(self.flags)]

    @classmethod
    def from_json(cls, fields: list[Any]) -> "Metadata":
        title, html_lang, links, base, licence, published, flags = fields
        return cls(title, html_lang, tuple(links), base, licence, published, frozenset(flags))


class _Statements:
    """What the tags say, before anything is weighed."""

    def __init__(self) -> None:
        self.titles: list[str] = []
        self.og: dict[str, str] = {}
        self.lang = self.content_language = self.base = ""
        self.canonical: list[str] = []
        self.licences: tuple[list[str], list[str], list[str]] = ([], [], [])
        self.dates: list[tuple[int, str]] = []
        self.times: list[str] = []
        self.data: list[bytes] = []
        self.flags: set[str] = set()


def read_metadata(html: bytes) -> Metadata:
    """What a page (UTF-8) says of itself. Never raises for what it contains; linear in its length."""
    said = _Statements()
    for kind, source, text in tags.tags(html.replace(b"\0", b"") if b"\0" in html else html):
        if kind == tags.TITLE:
            said.titles.append(text.decode("utf-8", "replace"))
        elif kind == tags.DATA:
            said.data.append(text)
        elif kind != tags.META or _may_count(source[:MAX_TAG]):
            _READERS[kind](said, attributes(source[:MAX_TAG]))
    titles = (_words(_unescape(title.strip())) for title in said.titles[:1])
    return Metadata(
        next(filter(None, (*titles, _words(said.og.get("og:title", "")))), None),
        said.lang or said.content_language or None,
        tuple(link for link in (*said.canonical[:1], said.og.get("og:url", "")) if link),
        said.base,
        _licence(said.licences),
        _published(said),
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
        said.licences[0].append(content)
    if _text(values, b"http-equiv").strip().lower() == "content-language" and "," not in content:
        words = content.split()
        said.content_language = said.content_language or without_lone_surrogates(words[0][:MAX_LANG] if words else "")


def _read_link(said: _Statements, values: dict[bytes, bytes]) -> None:
    kinds, href = _text(values, b"rel").lower().split(), _address(_text(values, b"href"))
    if "canonical" in kinds and href:
        said.canonical.append(href)
    if "license" in kinds:
        said.licences[0].append(href)


def _read_base(said: _Statements, values: dict[bytes, bytes]) -> None:
    said.base = said.base or _address(_text(values, b"href"))


def _read_anchor(said: _Statements, values: dict[bytes, bytes]) -> None:
    rank = 1 if "license" in _text(values, b"rel").lower().split() else 2
    said.licences[rank].append(_address(_text(values, b"href")))


def _read_time(said: _Statements, values: dict[bytes, bytes]) -> None:
    own = b"pubdate" in values or "datepublished" in _text(values, b"itemprop").lower().split()
    if own or _TIME_CLASSES & set(_text(values, b"class").lower().split()):
        said.times.append(_text(values, b"datetime"))


_READERS = {
    tags.HTML: _read_html,
    tags.META: _read_meta,
    tags.LINK: _read_link,
    tags.BASE: _read_base,
    tags.ANCHOR: _read_anchor,
    tags.TIME: _read_time,
}


def _words(text: str) -> str:
    return without_lone_surrogates(" ".join(text.replace("\0", "").split())[:MAX_TITLE])


def _address(value: str) -> str:
    """An attribute's address as browsers read it, empty where it is longer than any that counts."""
    address = without_lone_surrogates(value.strip(_OUTER).translate(_INNER))
    return address if len(address) <= MAX_URL else ""


def _has_space(address: str) -> bool:
    return any(character.isspace() or character < " " for character in address)


def _licence(sources: Iterable[list[str]]) -> str | None:
    """The licence of the page as a whole: what its head says (link rel=license, Dublin Core), else its links
    rel=license, else all its links to licences. Where those that count name several, the page has none that could be
    told apart from its parts'. A page with a single plain link is taken at its word, though it may speak of a picture.
    """
    for addresses in sources:
        if licences := {one for one in map(_creative_commons, addresses) if one}:
            return licences.pop() if len(licences) == 1 else None
    return None


def _creative_commons(address: str) -> str | None:
    """`https://creativecommons.org/licenses/KIND/[VERSION/[PORT/]]` of the address of a licence or of its deed."""
    match = _LICENCE.match(address.strip().lower())
    if match is None:
        return None
    port = match.group(4) if match.group(4) not in ("deed", "legalcode", "rdf") else None
    parts = [part for part in (*match.group(1, 2, 3), port) if part]
    return f"https://creativecommons.org/{'/'.join(parts)}/"


def _published(said: _Statements) -> str | None:
    """The page's own date: of its meta elements for articles, else of its JSON-LD, else of other meta elements, else
    of its `time` elements that are marked as such, where they agree: a list of articles has no date of its own."""
    ranked = sorted(said.dates, key=lambda entry: entry[0])
    sure = (text for rank, text in ranked if rank <= _SURE)
    other = (text for rank, text in ranked if rank > _SURE)
    for texts in (sure, _data_dates(said.data), other):
        for text in texts:
            if day := _day(text):
                return day
    days = {day for day in map(_day, said.times) if day}
    return days.pop() if len(days) == 1 else None


def _data_dates(scripts: list[bytes]) -> Iterator[str]:
    """datePublished of what a page's JSON-LD describes first, not of what is inside or beside it."""
    for script in scripts:
        if b"datePublished" not in script or len(script) > MAX_DATA:
            continue
        try:
            tree = json.loads(script, strict=False)
        except (ValueError, RecursionError):
            continue
        for node in _nodes(tree):
            if isinstance(value := node.get("datePublished"), str):
                yield value


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    for node in value if isinstance(value, list) else [value]:
        if not isinstance(node, dict):
            continue
        if isinstance(graph := node.get("@graph"), list):
            yield from (one for one in graph if isinstance(one, dict) and _is_page(one))
        if _is_page(node):
            yield node


def _is_page(node: dict[str, Any]) -> bool:
    kinds = node.get("@type")
    names = kinds if isinstance(kinds, list) else [kinds]
    return not any(isinstance(name, str) and name.lower() in _OTHER_TYPES for name in names)


def _day(text: str) -> str | None:
    """YYYY-MM-DD of a date that is written in one way only: ISO 8601, day.month.year, or with an English month."""
    text = text.strip()[:60]
    if match := _NUMBERS.match(text):
        year, _, month, day, *rest = match.groups()
        year, month, day = (year, month, day) if year else (rest[0], rest[1], rest[2]) if rest[0] else rest[5:2:-1]
    elif match := _WORDS.search(text):
        day, name, year = match.group(1, 2, 3) if match.group(1) else match.group(5, 4, 6)
        month = _MONTHS.get(name[:3].lower(), 0)
    else:
        return None
    try:
        published = date(int(year), int(month), int(day))
    except ValueError:
        return None
    return published.isoformat() if FIRST_YEAR <= published.year <= LAST_YEAR else None
