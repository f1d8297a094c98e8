"""What a word is, once for the whole project: signals, shingles and counts all rest on it.

A word is a maximal run of letters, marks and digits (Unicode L, M, N), case-folded. In scripts that are written
without spaces between words (Han, kana, Thai, Lao, Khmer, Myanmar, by Script_Extensions) a word is one letter or
digit with the marks that follow it. As a pattern of the `regex` module over `text.casefold()`, where U stands for
`[[\\p{L}\\p{N}]&&[\\p{scx=Hani}...]]`:   U\\p{M}* | [[\\p{L}\\p{M}\\p{N}]--U]+
The pattern's own engine is five times slower than the table lookup below; their equality is a test.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
import regex

WORDS_VERSION = 1  # part of every stored signature; raise it when the words of any text change

UNSPACED_SCRIPTS = frozenset({"Hani", "Hira", "Kana", "Jpan", "Thai", "Laoo", "Khmr", "Mymr"})

OTHER, RUN, SINGLE, MARK = 0, 1, 2, 3  # the two low bits of a class
LETTER, SPACE = 4, 8  # flags beside them

_UNSPACED = "".join(rf"\p{{scx={script}}}" for script in sorted(UNSPACED_SCRIPTS - {"Jpan"}))


class Bounds(NamedTuple):
    """Where the words lie: `folded` is the case-folded text, `codepoints` uint32 and `classes` uint8 of shape
    (len(folded),), `starts` and `ends` int64 of shape (n_words,), offsets into `folded`."""

    folded: str
    codepoints: np.ndarray
    classes: np.ndarray
    starts: np.ndarray
    ends: np.ndarray


@cache
def all_codepoints() -> str:
    """Every code point in order, surrogates included, so that an offset is a code point."""
    return "".join(map(chr, range(0x110000)))


@cache
def _class_table() -> np.ndarray:
    """Class of each code point, uint8 of shape (0x110000,)."""
    table = np.zeros(0x110000, np.uint8)
    for pattern, value in (
        (r"\s+", SPACE),
        (r"\p{N}+", RUN),
        (r"\p{L}+", RUN | LETTER),
        (rf"(?V1)[\p{{N}}&&[{_UNSPACED}]]+", SINGLE),
        (rf"(?V1)[\p{{L}}&&[{_UNSPACED}]]+", SINGLE | LETTER),
        (r"\p{M}+", MARK),
    ):
        for match in regex.finditer(pattern, all_codepoints()):
            table[match.start() : match.end()] = value
    return table


def codepoints(text: str) -> np.ndarray:
    """The text's code points, uint32 of shape (len(text),)."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def word_bounds(text: str) -> Bounds:
    """Splits the case-folded text into words; any str will do."""
    folded = text.casefold()
    points = codepoints(folded)
    classes = _class_table().take(points)
    kind = classes & 3
    if not (kind > RUN).any():
        edges = np.flatnonzero(np.diff(kind, prepend=OTHER, append=OTHER))
        return Bounds(folded, points, classes, edges[::2], edges[1::2])
    # A mark belongs to the character before it; one with nothing to lean on begins a run.
    position = np.arange(len(kind))
    owned = kind[np.maximum.accumulate(np.where(kind == MARK, 0, position))]
    owned[(kind == MARK) & ((owned == OTHER) | (owned == MARK))] = RUN
    inside = owned != OTHER
    begins = inside.copy()
    begins[1:] &= (owned[1:] != owned[:-1]) | (kind[1:] == SINGLE)
    finishes = inside.copy()
    finishes[:-1] &= ~inside[1:] | begins[1:]
    return Bounds(folded, points, classes, np.flatnonzero(begins), np.flatnonzero(finishes) + 1)


def words(text: str) -> list[str]:
    """The words of a text in order, case-folded."""
    folded, _, _, starts, ends = word_bounds(text)
    return [folded[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]


def is_spaced(script: str) -> bool:
    """Whether the script (ISO 15924) puts spaces between words."""
    return script not in UNSPACED_SCRIPTS and script not in ("Hans", "Hant")
