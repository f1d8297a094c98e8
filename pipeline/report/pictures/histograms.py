"""Histograms of a signal, kept above a line and dropped below it, with the bounds that rules put on it.

Bins are drawn equally wide whatever their edges, so that a scale that grows by factors is read as easily as an even
one; edges are written below.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pipeline.report.words import count, number
from schemas.distributions import Distribution, Histogram, Threshold

ABOVE, BELOW = 62, 34  # heights of the highest bins, in the view box's units
AXIS = ABOVE
HEIGHT = ABOVE + BELOW
TICKS = 4
NEAR = 24  # percent, within which two texts would lie on each other
OUTSIDE = -1  # row of a bound that is not drawn


class Mark(NamedTuple):
    """A bound. at: percent from the left. row: of its text, so that neighbours do not cover each other."""

    at: float
    text: str
    rule: str
    row: int


class Picture(NamedTuple):
    """bins: units of the view box across. kept, dropped: path data; empty where there is no such document.
    ticks: (percent from the left, text). outside: bounds that no bin of the picture reaches. words: what a reader who
    sees no picture should know."""

    signal: str
    meaning: str
    bins: int
    kept: str
    dropped: str
    ticks: list[tuple[float, str]]
    marks: list[Mark]
    outside: list[Mark]
    words: str


def histogram(one: Distribution, meanings: Mapping[str, str]) -> Picture:
    """Kept and dropped documents each on their own scale: what a rule drops is often a hundredth of all."""
    drawn = one["histogram"]
    edges, bins = drawn["edges"], len(drawn["kept"])
    if len(edges) != bins + 1:
        raise ValueError(f"{one['signal']}: {len(edges)} edges are too few or too many for {bins} bins")
    marks = _marks(one["thresholds"], edges)
    return Picture(
        one["signal"],
        meanings.get(one["signal"], ""),
        bins,
        _outline(drawn["kept"], -ABOVE),
        _outline(drawn["dropped"], BELOW),
        [(round(100 * at / bins, 2), number(edges[at])) for at in _ticked(bins)],
        [mark for mark in marks if mark.row != OUTSIDE],
        [mark for mark in marks if mark.row == OUTSIDE],
        _in_words(drawn),
    )


def _outline(counts: Sequence[int], height: int) -> str:
    """Steps from the axis, the highest `height` away, the others by the square root of their documents, so that the few
    about a threshold are seen beside the many at zero; a bin with one document is seen."""
    most = max(counts, default=0)
    if not most:
        return ""
    parts, now = [f"M0 {AXIS}"], 0.0
    for at, rows in enumerate(counts):
        away = round(height * math.sqrt(rows / most), 1)
        if rows and abs(away) < 1:
            away = 1.0 if height > 0 else -1.0
        if away != now:
            parts.append(f"H{at}V{AXIS + away:g}")
            now = away
    return "".join(parts) + f"H{len(counts)}V{AXIS}Z"


def _ticked(bins: int) -> list[int]:
    return sorted({round(bins * at / TICKS) for at in range(TICKS + 1)})


def place(value: float, edges: Sequence[float]) -> float | None:
    """Percent from the left; None outside the edges."""
    if not edges[0] <= value <= edges[-1]:
        return None
    at = min(bisect_right(edges, value), len(edges) - 1) - 1
    inside = (value - edges[at]) / (edges[at + 1] - edges[at])
    return round(100 * (at + inside) / (len(edges) - 1), 2)


def _marks(thresholds: Sequence[Threshold], edges: Sequence[float]) -> list[Mark]:
    """From the left; the texts of neighbours stand in two rows, those of bounds outside in row OUTSIDE."""
    marks: list[Mark] = []
    for one in sorted(thresholds, key=lambda one: (one["value"], one["rule"])):
        at, text = place(one["value"], edges), f"{one['operator']} {number(one['value'])}"
        if marks and marks[-1].text == text:
            marks[-1] = marks[-1]._replace(rule=f"{marks[-1].rule}, {one['rule']}")
            continue
        last = next((mark for mark in reversed(marks) if mark.row != OUTSIDE), None)
        near = at is not None and last is not None and at - last.at < NEAR
        row = OUTSIDE if at is None else 1 - last.row if near and last else 0
        marks.append(Mark(at or 0.0, text, one["rule"], row))
    return marks


def _in_words(drawn: Histogram) -> str:
    return "; ".join(_median(name, drawn[name], drawn["edges"]) for name in ("kept", "dropped"))


def _median(name: str, counts: Sequence[int], edges: Sequence[float]) -> str:
    total, seen = sum(counts), 0
    if not total:
        return f"none {name}"
    for at, rows in enumerate(counts):
        seen += rows
        if 2 * seen >= total:
            return f"{count(total)} {name}, the middle one {_between(at, edges)}"
    raise AssertionError("half of the documents lie in no bin")


def _between(at: int, edges: Sequence[float]) -> str:
    """Of a bin; the first and the last are open to their side."""
    if at == 0:
        return f"below {number(edges[1])}"
    return (
        f"from {number(edges[at])} on"
        if at == len(edges) - 2
        else f"from {number(edges[at])} to {number(edges[at + 1])}"
    )
