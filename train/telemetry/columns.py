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
    return sum(
        0 if unicodedata.category(sign) in ("Mn", "Me", "Cf") else 1 + (unicodedata.east_asian_width(sign) in "WF")
        for sign in text
    )


def shortened(text: str, keep: str = "", width: int = WIDTH) -> str:
    """A text in `width` columns, with the first `keep` in it."""
    text = readable(text)
    begin = max(0, text.find(keep) - width // 4) if columns(text) > width else 0
    shown = ("…" if begin else "") + text[begin:]
    if columns(shown) <= width:
        return shown
    while columns(shown) >= width:
        shown = shown[:-1]
    return shown + "…"


def readable(text: str) -> str:
    """On one line, without signs that steer a terminal; of white space alone, its names."""
    if text and not text.strip():
        return repr(text)
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
