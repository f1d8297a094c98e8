"""Marks in a made page that say which of its text is main: the gold text is read off them, in the page's own order.

The marks are Unicode's noncharacters, which no text holds. `line` encloses a line of the gold text, tags included, and
says what it is; `out` encloses what lies within a line and is none of it (the sign of a permalink, a line's number);
`formula` puts a source where the page shows a formula.
"""

import html
import re
import unicodedata
from typing import NamedTuple

from markupsafe import Markup, escape

BEGIN, END, OUT, IN, SOURCE, SHOWN = (chr(0xFDD0 + number) for number in range(6))
KINDS = {
    "h": "heading", "p": "paragraph", "i": "item", "r": "cell", "c": "code", "f": "formula", "t": "term",
    "g": "caption",
}  # fmt: skip
MARKS = re.compile(f"{BEGIN}.|[{END}{OUT}{IN}]|{SOURCE}[^{SHOWN}]*{SHOWN}", re.S)
_LINE = re.compile(f"{BEGIN}(.)(.*?){END}", re.S)
_OUT = re.compile(f"{OUT}.*?{IN}", re.S)
_SOURCE = re.compile(f"{SOURCE}([^{SHOWN}]*){SHOWN}")
_TAG = re.compile(r"<[^>]*>")
_BREAK = re.compile(r"<br\b[^>]*>")
_CELL = re.compile(r"<t[dh]\b[^>]*>")


class Line(NamedTuple):
    kind: str  # of KINDS' values
    text: str


def line(kind: str, content: str) -> Markup:
    return Markup(f"{BEGIN}{kind}{escape(content)}{END}")


def out(content: str) -> Markup:
    return Markup(f"{OUT}{escape(content)}{IN}")


def formula(source: str, shown: str) -> Markup:
    """`source`: TeX, which the gold text has in place of what is `shown`."""
    return Markup(f"{SOURCE}{escape(source)}{SHOWN}{OUT}{escape(shown)}{IN}")


def unmarked(page: str) -> str:
    return MARKS.sub("", page)


def lines(page: str) -> list[Line]:
    """The marked lines in order, as the engine `blocks` writes such blocks; a listing's line ends are kept."""
    found = []
    for kind, content in _LINE.findall(page):
        content = _SOURCE.sub(r"\1", _OUT.sub("", content))
        if kind == "r":
            content = " | ".join(_flowing(cell) for cell in _CELL.split(content)[1:])
        elif kind == "c":
            content = _preformatted(content)
        for number, row in enumerate([content] if kind in "cr" else map(_flowing, _BREAK.split(content))):
            if row.strip(" |\n"):
                found.append(Line(KINDS[kind], f"- {row}" if kind == "i" and number == 0 else row))
    return found


def formulas(page: str) -> tuple[str, ...]:
    """The sources of the page's formulas."""
    return tuple(html.unescape(source) for source in _SOURCE.findall(page))


def _flowing(content: str) -> str:
    return joined(html.unescape(_TAG.sub("", content)))


def _preformatted(content: str) -> str:
    return html.unescape(_TAG.sub("", _BREAK.sub("\n", content))).strip("\n").rstrip()


def joined(text: str) -> str:
    """White space as one space; a line feed between wide characters goes (CSS Text 3)."""
    pieces = [piece for piece in re.split(r"[ \t]*\n\s*", text.strip()) if piece]
    whole = pieces[0] if pieces else ""
    for piece in pieces[1:]:
        whole += piece if _wide(whole[-1]) and _wide(piece[0]) else f" {piece}"
    return re.sub(r"[ \t\xa0]+", " ", whole)


def _wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "FWH" and not "\uac00" <= character <= "\ud7af"
