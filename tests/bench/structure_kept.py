"""Of the headings, items, cells, quotes, captions, listings and terms of a page, those that its gold text holds, and
which of them, and of the others, a text found on the page has."""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import lxml.html

KINDS = {
    "h1": "h1", "h2": "heading", "h3": "heading", "h4": "heading", "li": "item", "td": "cell", "th": "cell",
    "blockquote": "quote", "figcaption": "caption", "pre": "code", "dt": "term",
}  # fmt: skip
SHORTEST, LONGEST = 8, 400  # characters of an element's folded text: others say little
_PARSER = lxml.html.HTMLParser(encoding="utf-8")


class Element(NamedTuple):
    kind: str
    text: str  # folded
    wanted: bool  # whether the gold text holds it


def folded(text: str) -> str:
    return re.sub(r"\W+", " ", text).strip()


def elements(html: bytes, gold: str) -> list[Element]:
    """The page's elements of KINDS, in order; a page (UTF-8) without any markup has none."""
    try:
        tree = lxml.html.document_fromstring(html, parser=_PARSER)
    except (ValueError, lxml.etree.ParserError):
        return []
    whole = folded(gold)
    texts = ((KINDS[element.tag], folded(element.text_content())) for element in tree.iter(*KINDS))
    return [Element(kind, text, text in whole) for kind, text in texts if SHORTEST <= len(text) <= LONGEST]


def shares(pages: Iterable[tuple[list[Element], str]]) -> dict[str, tuple[int, float, int, float]]:
    """By kind: how many elements the gold texts hold, the share of them that the found texts have, how many they do not
    hold, and the share of those that were taken. pages: of each its elements and the text found."""
    counts: dict[tuple[str, bool], list[int]] = defaultdict(lambda: [0, 0])
    for page, found in pages:
        text = folded(found)
        for element in page:
            count = counts[element.kind, element.wanted]
            count[0] += 1
            count[1] += element.text in text
    return {
        kind: (n := counts[kind, True][0], counts[kind, True][1] / max(n, 1),
               m := counts[kind, False][0], counts[kind, False][1] / max(m, 1))
        for kind in dict.fromkeys(KINDS.values())
    }  # fmt: skip
