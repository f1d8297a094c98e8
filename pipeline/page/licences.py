"""Which Creative Commons licence a page is under, and not something on it.

A licence link says what is licensed by where it stands and by the words before it: one in a caption, a comment or an
embedded frame licenses that. A wrong licence costs more than none, so what is not plainly the page's is not believed.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from pipeline.page.licence_places import Place, names_own, places_of
from pipeline.page.licence_words import reservations, sentence
from pipeline.page.linked_data import types
from pipeline.page.surroundings import surroundings

LICENCE_NAMES = frozenset(
    {"dcterms.license", "dc.license", "dc.rights", "dcterms.rights", "citation_license", "license"}
)  # meta
# Values of rel and property. copyright is license to HTML (https://html.spec.whatwg.org/#link-type-license).
LICENCE_RELS = frozenset(
    {"license", "copyright", "cc:license", "dc:license", "dct:license", "dcterms:license", "xhv:license"}
)

_LICENCE = re.compile(
    r"(?:https?:)?//(?:[a-z0-9-]+\.)?creativecommons\.org/(licenses|publicdomain)/"
    r"((?:by|nc|nd|sa)(?:-(?:nc|nd|sa))*|(?:nc-)?sampling\+?|zero|mark)(?:/(\d\.\d)(?:/([a-z]{2,8})(?![a-z.]))?)?(?![^/?#\s])"
)
# Types of schema.org that are the page or its words: not a picture, a program or a set of data on it.
_PAGE_TYPE = re.compile(
    r"(?:page|article|posting|website|blog|creativework|book|chapter|recipe|course|howto|report|guide|thesis|lesson"
    r"|learningresource)$"
)
_OTHER_LINK = re.compile(rb"<a\s(?![^>]*creativecommons\.org)[^>]*href", re.I)
_ITEM = 2000  # bytes of a list item that are looked at
_NEAR = 1500  # bytes from a licence's button to its words
MAX_LINKS = 300  # in the text, the last of them: a footer comes last


class Link(NamedTuple):
    """A tag that names an address as a licence. place, end: of its attributes in the page. in_text: an `a` or `area`,
    which a reader sees. sure: marked as a licence's, by rel or the like."""

    address: str
    place: int
    end: int
    in_text: bool
    sure: bool


def page_licence(
    html: bytes, stated: Iterable[str], links: Iterable[Link], nodes: Iterable[dict[str, Any]]
) -> str | None:
    """The licence of a page (UTF-8) as a whole, as `https://creativecommons.org/licenses/KIND/[VERSION/[PORT/]]`.

    What it says outside of its text counts first: `stated` by meta elements, `nodes` of JSON-LD, `link` elements; then
    its links rel=license; then other links in its footer, its side bars and boxes about rights, if its text reserves no
    rights and names no other licence. Of links, those count that do not, by their place or words, license something on
    the page. Where those that count name several licences, the page has none.
    """
    found = [link._replace(address=licence) for link in links if (licence := creative_commons(link.address))]
    outside = {licence for text in (*stated, *_data_licences(nodes)) if (licence := creative_commons(text))}
    if not found:
        return _only(outside)
    found = [link for link in found if not link.in_text] + [link for link in found if link.in_text][-MAX_LINKS:]
    at = _places(html, [link.place for link in found])
    own = [link for link in found if not at[link.place].is_part]
    if outside := outside | {link.address for link in own if not link.in_text}:
        return _only(outside)
    said = {link: sentence(html, link.place, link.end) for link in own}
    others = [link for link in own if said[link].is_of_a_part]
    own = [one for one in own if one not in others and not (said[one].is_wordless and _is_button(one, others))]
    if marked := {one.address for one in own if one.sure and not _is_of_another_work(html, one, at[one.place])}:
        return _only(marked)
    plain = [link for link in own if at[link.place].is_own or names_own(html[link.place : link.end])]
    if not plain or any(said[link].names_another(link.address) for link in plain):
        return None
    licences = {link.address for link in plain} | {link.address for link in own if said[link].is_of_the_whole}
    return None if len(licences) > 1 or _is_reserved(html) else _only(licences)


def _is_reserved(html: bytes) -> bool:
    """Whether the page reserves its rights, and not a part of it its own."""
    reserving = reservations(html)
    at = _places(html, reserving) if reserving else {}
    return any(not place.is_part for place in at.values())


def creative_commons(address: str) -> str | None:
    """`https://creativecommons.org/licenses/KIND/[VERSION/[PORT/]]` of the address of a licence or of its deed."""
    match = _LICENCE.match(address.strip().lower())
    if match is None:
        return None
    port = match.group(4) if match.group(4) not in ("deed", "legalcode", "rdf") else None
    parts = [part for part in (*match.group(1, 2, 3), port) if part]
    return f"https://creativecommons.org/{'/'.join(parts)}/"


def _only(licences: set[str]) -> str | None:
    return next(iter(licences)) if len(licences) == 1 else None


def _places(html: bytes, wanted: Sequence[int]) -> dict[int, Place]:
    rising = sorted(set(wanted))
    elements, innermost = surroundings(html, rising)
    below = [*places_of(html, elements), Place()]  # the last for what is in no element: -1
    return {place: below[index] for place, index in zip(rising, innermost, strict=True)}


def _is_button(link: Link, others: Iterable[Link]) -> bool:
    """Whether it belongs to one of the links with words behind it, as Creative Commons gives both together."""
    return any(link.address == other.address and 0 < other.place - link.place < _NEAR for other in others)


def _is_of_another_work(html: bytes, link: Link, place: Place) -> bool:
    """Whether it stands in a list's item behind a link to something else, as in a list of works, but for a footer's."""
    if place.is_own or place.item < 0:
        return False
    return _OTHER_LINK.search(html, max(place.item, link.place - _ITEM), link.place) is not None


def _data_licences(nodes: Iterable[dict[str, Any]]) -> Iterator[str]:
    for node in nodes:
        if any(_PAGE_TYPE.search(name) for name in types(node)):
            values = node.get("license")
            for value in values if isinstance(values, list) else [values]:
                if isinstance(value, dict):
                    value = value.get("@id") or value.get("url")
                if isinstance(value, str):
                    yield value
