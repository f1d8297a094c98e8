"""Repair of text: mojibake undone, plain letters, NFC, no control characters, one kind of line end, nothing invisible
without a use. Quotes, ligatures, other compatibility characters and HTML entities stay as the page's author wrote them.
"""

import unicodedata

import numpy as np
import pyarrow as pa
import regex

from pipeline.kernels.arrow_text import from_strings, to_strings
from pipeline.privacy.disguises import undisguise
from pipeline.privacy.invisible import LINE_END, ODD, SURROGATE, UNWANTED, drop_invisible
from pipeline.privacy.mojibake import mend
from pipeline.privacy.suspects import DISGUISED, MISREAD, look

MAX_PASSES = 8  # one repair can bring the next to light; two passes nearly always settle it
# UAX #15, 13: stream-safe text has no more than 30 combining marks in a row. Canonical reordering takes quadratic
# time in the length of such a run, and pages stack thousands.
MAX_MARKS = 30
COMBINING_RUN = regex.compile(r"[^\p{CCC=0}]" rf"{{{MAX_MARKS + 1}}}")
GRAPHEME_JOINER = "\u034f"


def _break_mark_runs(text: str) -> str:
    if not COMBINING_RUN.search(text):
        return text
    parts, run = [], 0
    for character in text:
        run = run + 1 if unicodedata.combining(character) else 0
        if run > MAX_MARKS:
            parts.append(GRAPHEME_JOINER)
            run = 1
        parts.append(character)
    return "".join(parts)


def _pass(text: str, flags: int) -> str:
    odd = ODD.search(text)
    if odd:
        if SURROGATE.search(text):
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
        if UNWANTED.search(text):
            text = UNWANTED.sub("", LINE_END.sub("\n", text))
    if flags & MISREAD:
        text = mend(text)
    if odd:  # after mojibake, to which a soft hyphen can be half a letter
        text = drop_invisible(text)
    if flags & DISGUISED:
        text = undisguise(text)
    if not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", _break_mark_runs(text))
    return text


def repair(text: str) -> str:
    """The repaired text; the same object where there is nothing to do. Takes any str, lone surrogates included.

    A surrogate pair becomes its character, a lone surrogate disappears. Where NFC has work to do, runs of more than
    30 combining marks get a U+034F after each 30th (the Stream-Safe Text Process of UAX #15).
    """
    if text.isascii() and not UNWANTED.search(text):
        return text
    return _repaired(text, _flags(text))


def _flags(text: str) -> int:
    return int(look(from_strings([text])).flags[0])


def _repaired(text: str, flags: int) -> str:
    for _ in range(MAX_PASSES):
        before, text = text, _pass(text, flags)
        if text == before:
            return before
        flags = _flags(text)
    return text


def repair_column(texts: pa.Array) -> list[str]:
    """The repaired texts of a string or large_string array, null as empty; what is no UTF-8 becomes U+FFFD.

    Most texts need nothing, as one pass of a kernel over the column tells.
    """
    flags = look(texts).flags
    strings = to_strings(texts)
    for row in np.flatnonzero(flags).tolist():
        if text := strings[row]:
            strings[row] = _repaired(text, int(flags[row]))
    return [text or "" for text in strings]
