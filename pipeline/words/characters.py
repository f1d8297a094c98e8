"""What the kernels know of a character, in tables small enough for a processor's cache.

A code point leads through a page of 256 to its kind, one of some two hundred; a kind holds the Unicode properties and
the way to the case-folded form (Unicode Standard 3.13, full folding, which gives up to three characters).

The tables are a file beside this one, so that words are the same under every Python and every release of `regex`.
`python -m pipeline.words.characters` makes it again; after that WORDS_VERSION must rise.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import regex

from pipeline.kernels.compiling import kernel

UNSPACED_SCRIPTS = frozenset({"Hani", "Hira", "Kana", "Jpan", "Thai", "Laoo", "Khmr", "Mymr"})

OTHER, RUN, SINGLE, MARK = 0, 1, 2, 3  # the two low bits: what a word makes of the folded character
LETTER = 4  # of the folded character
SPACE, DIGIT, PUNCTUATION, SYMBOL, UPPER = 8, 16, 32, 64, 128  # str.isspace, Nd, P, S, Lu or Lt
TERMINAL, WIDE_TERMINAL, CLOSING = 256, 512, 1024  # ends a sentence; does so without a space after it; may follow that

TABLES = Path(__file__).with_suffix(".npz")
# Not U+02BC, an apostrophe that Thai shares with half of the Latin alphabets.
UNSPACED = "[[{}]--\\p{{scx=Latn}}]".format("".join(rf"\p{{scx={s}}}" for s in sorted(UNSPACED_SCRIPTS - {"Jpan"})))


class Characters(NamedTuple):
    """`pages` uint16 (0x1100,), `kinds` uint16 (n_pages, 256), then by kind: `flags` uint16, `shift` int32 (the folded
    minus the original), `folds` int16 (row of `longer`, or -1). `longer` int32 (n, 4): length, then the characters.
    """

    pages: np.ndarray
    kinds: np.ndarray
    flags: np.ndarray
    shift: np.ndarray
    folds: np.ndarray
    longer: np.ndarray


@cache
def all_codepoints() -> str:
    """Every code point in order, surrogates included, so that an offset is a code point."""
    return "".join(map(chr, range(0x110000)))


def codepoints(text: str) -> np.ndarray:
    """The text's code points, uint32 of shape (len(text),)."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


@cache
def own_flags() -> np.ndarray:
    """Flags of each code point as it stands, unfolded; uint16 of shape (0x110000,)."""
    table = np.zeros(0x110000, np.uint16)
    words = (
        (r"\p{N}+", RUN),
        (r"\p{L}+", RUN | LETTER),
        (rf"(?V1)[\p{{N}}&&{UNSPACED}]+", SINGLE),
        (rf"(?V1)[\p{{L}}&&{UNSPACED}]+", SINGLE | LETTER),
        (r"\p{M}+", MARK),
    )
    for pattern, value in words:
        for match in regex.finditer(pattern, all_codepoints()):
            table[match.start() : match.end()] = value
    others = (
        (r"\p{Nd}+", DIGIT),
        (r"\p{P}+", PUNCTUATION),
        (r"\p{S}+", SYMBOL),
        (r"[\p{Lu}\p{Lt}]+", UPPER),
        (r"[\p{Sentence_Terminal}\u2026]+", TERMINAL),
        ("[\u3002\uff01\uff0e\uff1f\uff61]+", WIDE_TERMINAL),
        ("[\\p{Pe}\\p{Pf}\\p{Pi}\"'*_\uff02\uff07]+", CLOSING),
    )
    for pattern, value in others:
        for match in regex.finditer(pattern, all_codepoints()):
            table[match.start() : match.end()] |= value
    table[[point for point, character in enumerate(all_codepoints()) if character.isspace()]] |= SPACE
    return table


@cache
def characters() -> Characters:
    """The tables, read once a process."""
    with np.load(TABLES) as stored:
        return Characters(*(stored[name] for name in Characters._fields))


def build() -> Characters:
    """The tables by the Unicode data of the installed `regex` and of Python's own case folding; about a second."""
    flags = own_flags().copy()
    shift = np.zeros(0x110000, np.int32)
    folds = np.full(0x110000, -1, np.int16)
    longer = [[0, 0, 0, 0]]
    word = np.uint16(RUN | SINGLE | MARK | LETTER)
    for point, character in enumerate(all_codepoints()):
        folded = character.casefold()
        if folded == character:
            continue
        if len(folded) == 1:
            shift[point] = ord(folded) - point
            flags[point] = (flags[point] & ~word) | (own_flags()[ord(folded)] & word)
        else:
            folds[point] = len(longer)
            longer.append([len(folded), *map(ord, folded), *[0] * (3 - len(folded))])
    combined = (
        (flags.astype(np.int64) << 40) | ((shift.astype(np.int64) + (1 << 22)) << 16) | (folds.astype(np.int64) + 1)
    )
    values, kinds = np.unique(combined, return_inverse=True)
    pages, index = np.unique(kinds.astype(np.uint16).reshape(-1, 256), axis=0, return_inverse=True)
    return Characters(
        index.astype(np.uint16).ravel(),
        np.ascontiguousarray(pages),
        (values >> 40).astype(np.uint16),
        (((values >> 16) & 0xFFFFFF) - (1 << 22)).astype(np.int32),
        ((values & 0xFFFF) - 1).astype(np.int16),
        np.array(longer, np.int32),
    )


@kernel
def decode(data: np.ndarray, at: int, end: int) -> tuple[np.int64, int]:
    """The code point at byte `at` and the byte behind it. Broken UTF-8 gives U+FFFD a byte; surrogates pass."""
    first = data[at]
    if first < 0x80:
        return np.int64(first), at + 1
    if first >= 0xF0:
        length, point = 4, np.int64(first & 0x07)
    elif first >= 0xE0:
        length, point = 3, np.int64(first & 0x0F)
    elif first >= 0xC0:
        length, point = 2, np.int64(first & 0x1F)
    else:
        return np.int64(0xFFFD), at + 1
    if at + length > end:
        return np.int64(0xFFFD), at + 1
    for place in range(at + 1, at + length):
        if data[place] & 0xC0 != 0x80:
            return np.int64(0xFFFD), at + 1
        point = (point << 6) | np.int64(data[place] & 0x3F)
    if point >= 0x110000:
        return np.int64(0xFFFD), at + 1
    return point, at + length


if __name__ == "__main__":
    np.savez_compressed(TABLES, **build()._asdict())
