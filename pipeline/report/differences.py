"""How two texts differ, for people: by words, and by characters where a script has no spaces between words."""

from difflib import SequenceMatcher
from functools import cache
from typing import NamedTuple

import regex

from pipeline.report.words import CUT
from pipeline.words.characters import UNSPACED


class Piece(NamedTuple):
    """kind: `same`; `ins`: in the second text alone; `del`: in the first alone."""

    kind: str
    text: str


@cache
def _tokens() -> regex.Pattern[str]:
    """A word, or a character of an unspaced script with its marks, or white space, or any other grapheme."""
    return regex.compile(rf"(?V1){UNSPACED}\p{{M}}*|[[\p{{L}}\p{{M}}\p{{N}}]--{UNSPACED}]+|\s+|\X")


def tokens(text: str) -> list[str]:
    return _tokens().findall(text)


def differences(first: str, second: str) -> list[Piece]:
    """Pieces in order: `same` and `ins` make the second text, `same` and `del` the first.

    Where one of them was cut (ends in CUT), what only one has behind their last common piece is left out: nobody knows.
    """
    a, b = tokens(first), tokens(second)
    pieces: list[Piece] = []
    for tag, from_a, to_a, from_b, to_b in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "equal":
            pieces.append(Piece("same", "".join(a[from_a:to_a])))
            continue
        for kind, text in (("del", "".join(a[from_a:to_a])), ("ins", "".join(b[from_b:to_b]))):
            if text:
                pieces.append(Piece(kind, text))
    if first.endswith(CUT) or second.endswith(CUT):
        tail = [at for at, piece in enumerate(pieces) if piece.kind == "same" and piece.text.strip(CUT)]
        pieces = pieces[: tail[-1] + 1] if tail else pieces
        if pieces and not pieces[-1].text.endswith(CUT):
            pieces[-1] = Piece(pieces[-1].kind, pieces[-1].text.rstrip() + CUT)
    return pieces
