"""NFKC as rules that SentencePiece compiles into a model, the same that the exported tokenizer applies.

SentencePiece's own table is of another version of Unicode than that of tokenizers (173 characters differ), so the rules
are made of what tokenizers does. Text is taken to be NFC, as stages write it: where marks stand in another order than
NFC has them, SentencePiece, which looks at one combination at a time, and tokenizers may differ.
"""

import sys
import unicodedata
from collections.abc import Iterator
from functools import cache

from tokenizers import normalizers


@cache
def nfkc_rules() -> tuple[tuple[str, str], ...]:
    """(before, after): characters that NFKC changes, and pairs that it composes."""
    return tuple(_rules())


def _rules() -> Iterator[tuple[str, str]]:
    nfkc = normalizers.NFKC().normalize_str
    for code in range(1, sys.maxunicode + 1):
        if 0xD800 <= code < 0xE000:
            continue
        character = chr(code)
        if unicodedata.category(character) == "Cn":
            continue
        after = nfkc(character)
        if after != character:
            yield character, after
        parts = unicodedata.decomposition(character)
        if parts and not parts.startswith("<") and " " in parts:
            pair = "".join(chr(int(part, 16)) for part in parts.split())
            composed = nfkc(pair)
            if composed != pair:
                yield pair, composed
    for base in range(0xFF66, 0xFF9E):  # half-width katakana, whose marks are characters beside them
        for mark in "\uff9e\uff9f":
            pair = chr(base) + mark
            if len(composed := nfkc(pair)) == 1:
                yield pair, composed
