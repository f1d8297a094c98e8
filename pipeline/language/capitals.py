"""Texts in capitals as they would be in small letters, which is how models and lists of words know a language.

`str.lower` by the Unicode Standard, final sigma and Mtavruli included, but:

- In a text with İ, which only the Turkic alphabets have, I is the capital of ı; and İ is that of i, without a dot more.
- Cherokee is written in what Unicode calls its capitals, and Ӏ (palochka) stands among small letters as it is.
"""

import re

import numpy as np
import pyarrow as pa

from pipeline.kernels.arrow_text import from_strings, utf8
from pipeline.kernels.compiling import kernel
from pipeline.words.characters import LETTER, UPPER, Characters, characters, decode

# Of all letters. Prose has under 0.2, even where nouns or titles have capitals; a text without case has none.
MIN_SHARE = 0.5
_KEPT = "\u04c0\u13a0-\u13f5"
LOWERED = re.compile(f"[^{_KEPT}]+")
DOTTED = "\u0130"


@kernel
def _in_capitals(data: np.ndarray, offsets: np.ndarray, tables: Characters, least: float) -> np.ndarray:
    out = np.zeros(len(offsets) - 1, np.bool_)
    for text in range(len(out)):
        at, end = offsets[text], offsets[text + 1]
        letters, capitals = 0, 0
        while at < end:
            point, at = decode(data, at, end)
            flags = tables.flags[tables.kinds[tables.pages[point >> 8], point & 255]]
            if flags & LETTER:
                letters += 1
                if flags & UPPER:
                    capitals += 1
        out[text] = capitals > least * letters
    return out


def in_capitals(texts: pa.Array) -> np.ndarray:
    """Which texts of a string or large_string array are, most letters of them; bool. Any bytes will do."""
    return _in_capitals(*utf8(texts), characters(), MIN_SHARE)


def lower(text: str) -> str:
    """The text in small letters."""
    if DOTTED in text:
        text = text.replace("I", "\u0131").replace(DOTTED, "i")
    return LOWERED.sub(lambda part: part.group().lower(), text)


def lowered(texts: pa.Array) -> pa.Array:
    """A string or large_string array in small letters, as large_string; what is no UTF-8 in it becomes U+FFFD."""
    data, offsets = utf8(texts)
    spans = zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
    return from_strings(lower(data[start:end].tobytes().decode("utf-8", "replace")) for start, end in spans)
