"""Text in columns of a terminal, whatever its script: cut, made safe, aligned."""

import unicodedata
from collections.abc import Sequence

WIDTH = 56  # columns of a text on the screen


def laid_out(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines, their columns aligned, a rule below the first one."""
    widths = [max(map(columns, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell + " " * (width - columns(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]


def columns(text: str) -> int:
    """Columns of a terminal: two of a wide sign, none of a mark on another or of a sign that is not seen."""
    return sum(map(_columns_of, text))


def shortened(text: str, keep: str = "", width: int = WIDTH) -> str:
    """A text in `width` columns, with the first `keep` in it."""
    text = readable(text)
    begin = max(0, text.find(keep) - width // 4) if columns(text) > width else 0
    shown = ("…" if begin else "") + text[begin:]
    used = end = 0  # of what leaves room for the sign that it is cut
    for place, sign in enumerate(shown, 1):
        used += _columns_of(sign)
        if used > width:
            return shown[:end] + "…"
        if used < width:
            end = place
    return shown


def _columns_of(sign: str) -> int:
    if unicodedata.category(sign) in ("Mn", "Me", "Cf"):
        return 0
    return 1 + (unicodedata.east_asian_width(sign) in "WF")


def readable(text: str) -> str:
    """On one line, without signs that steer a terminal; of white space alone, its names."""
    if text and not text.strip():
        return repr(text)
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
