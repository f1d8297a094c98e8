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
    less, more = "", ""
    codes = SequenceMatcher(None, a, b, autojunk=False).get_opcodes()
    for at, (tag, from_a, to_a, from_b, to_b) in enumerate(codes):
        gone, come = "".join(a[from_a:to_a]), "".join(b[from_b:to_b])
        # White space between two changed words is no sign of what they have in common.
        if tag != "equal" or (come.isspace() and 0 < at < len(codes) - 1):
            less, more = less + gone, more + come
            continue
        pieces += [*_changed(less, more), Piece("same", come)]
        less, more = "", ""
    pieces += _changed(less, more)
    if first.endswith(CUT) or second.endswith(CUT):
        tail = [at for at, piece in enumerate(pieces) if piece.kind == "same" and piece.text.strip(CUT)]
        pieces = pieces[: tail[-1] + 1] if tail else pieces
        if pieces and not pieces[-1].text.endswith(CUT):
            pieces[-1] = Piece(pieces[-1].kind, pieces[-1].text.rstrip() + CUT)
    return pieces


def _changed(less: str, more: str) -> list[Piece]:
    return [Piece(kind, text) for kind, text in (("del", less), ("ins", more)) if text]
