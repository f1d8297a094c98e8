"""Cards on a terminal: bars in eighths of a column, spans in their sentence, every script in its place."""

import re
import unicodedata
from collections.abc import Iterator

from train.answers.cards import MASK, Bar, Card, Line, Mark
from train.telemetry.columns import columns

BAR, FIGURE = 20, 7  # columns
EIGHTHS = " ▏▎▍▌▋▊▉"
UNMARKED = 480  # columns of a stretch without a mark that are shown; of a longer one its ends
LABEL = 160  # columns of a label
INDENT = "  "
RIGHT_TO_LEFT, LEFT_TO_RIGHT, END = "\u2067", "\u2066", "\u2069"  # isolates (Unicode Standard Annex 9)
JOINERS = "\u200c\u200d"  # Persian, Indic scripts and emoji are not spelt without them
COLOURS = (36, 35, 33, 32, 34, 31)  # SGR, of kinds in order of appearance
DIM, UNDERLINE, PLAIN = "\x1b[2m", "\x1b[4m", "\x1b[0m"


class TerminalView:
    """colour: spans are underlined in colours, else in brackets."""

    def __init__(self, colour: bool) -> None:
        self.colour = colour
        self._kinds: dict[str, int] = {}

    def lines(self, card: Card) -> Iterator[str]:
        """Without an empty one at the end."""
        if head := INDENT.join(one_line(part) for part in (card.place, card.language) if part):
            yield self._dim(head)
        for line in card.lines:
            role = self._dim(f"{line.role}: ") if line.role else ""
            yield role + self._line(line)
        notes = max((columns(bar.note) for group in card.bars for bar in group.bars), default=0)
        for group in card.bars:
            if group.heading:
                yield INDENT + self._dim(group.heading)
            for bar in group.bars:
                yield self._bar(bar, notes)

    def _bar(self, one: Bar, notes: int) -> str:
        drawn = [] if one.share is None else [bar(one.share)]
        note = [self._dim(one.note) + " " * (notes - columns(one.note))] if notes else []
        label = isolated(cut(spelt(one.label), LABEL))
        return INDENT + INDENT.join([*drawn, one.figure.rjust(FIGURE), *note, label])

    def _line(self, line: Line) -> str:
        parts, place = [], 0
        for mark in line.marks:
            parts += [cut_in_the_middle(one_line(line.text[place : mark.begin]), UNMARKED), self._marked(line, mark)]
            place = mark.end
        parts.append(cut_in_the_middle(one_line(line.text[place:]), UNMARKED))
        return isolated("".join(parts).strip())

    def _marked(self, line: Line, mark: Mark) -> str:
        text = one_line(line.text[mark.begin : mark.end])
        note = f" {mark.note}" if mark.note else ""
        if note and has_right_to_left(line.text):
            note = f" {LEFT_TO_RIGHT}{mark.note}{END}"
        if not self.colour:
            return text if mark.kind == MASK else f"[{text}{note}]"
        colour = COLOURS[self._kinds.setdefault(mark.kind, len(self._kinds)) % len(COLOURS)]
        return f"\x1b[{colour}m{UNDERLINE}{text}{PLAIN}{self._dim(note)}"

    def _dim(self, text: str) -> str:
        return f"{DIM}{text}{PLAIN}" if self.colour and text else text


def bar(share: float, width: int = BAR) -> str:
    """In `width` columns; what is more than nothing is seen."""
    eighths = max(round(share * width * 8), int(share > 0))
    full, rest = divmod(min(eighths, width * 8), 8)
    return ("█" * full + (EIGHTHS[rest] if rest else "")).ljust(width)


def isolated(text: str) -> str:
    """A text with right-to-left letters in isolates of its own direction, so that what stands beside it keeps its
    place."""
    if not has_right_to_left(text):
        return text
    strong = (unicodedata.bidirectional(sign) for sign in re.sub(r"\x1b\[\d*m", "", text))
    first = next((kind for kind in strong if kind in ("L", "R", "AL")), "L")
    return f"{LEFT_TO_RIGHT if first == 'L' else RIGHT_TO_LEFT}{text}{END}"


def has_right_to_left(text: str) -> bool:
    return any(unicodedata.bidirectional(sign) in ("R", "AL") for sign in text if not sign.isascii())


def one_line(text: str) -> str:
    """White space is a space, and so is what steers a terminal; spaces at the ends stay."""
    return re.sub(r"\s+", " ", "".join(sign if sign.isprintable() or sign in JOINERS else " " for sign in text))


def spelt(text: str) -> str:
    """A word of a vocabulary: white space alone is told by its name."""
    return one_line(text).strip() or repr(text)


def cut(text: str, width: int) -> str:
    """To `width` columns."""
    if columns(text) <= width:
        return text
    return _head(text, width - 1) + "…"


def cut_in_the_middle(text: str, width: int) -> str:
    if columns(text) <= width:
        return text
    tail = _head(text[::-1], width // 2)[::-1]
    while tail and unicodedata.category(tail[0])[0] == "M":  # marks go with the sign before them
        tail = tail[1:]
    return f"{_head(text, width // 2)} … {tail}"


def _head(text: str, width: int) -> str:
    used = 0
    for at, sign in enumerate(text):
        used += columns(sign)
        if used > width:
            return text[:at]
    return text
