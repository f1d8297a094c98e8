"""Geometry of the pictures, in percent and in units of a view box; the template draws it. Pure functions."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from schemas.records import Account

NAMED_REASONS = 7  # drawn apart; the rest of a stage's reasons share the last colour
CURVE_POINTS = 300
WIDTH, HEIGHT = 1000, 100  # of a curve's view box

Point = tuple[float, float]


class Segment(NamedTuple):
    """A part of a bar. x, width: percent. kind: `kept`, `r0` to `r6` or `rest`. share: of the bar's rows."""

    label: str
    value: int
    share: float
    kind: str
    x: float
    width: float


class Bar(NamedTuple):
    """A stage: its rows in, as wide as what the stage before let through."""

    stage: str
    rows_in: int
    rows_out: int
    segments: list[Segment]


class Funnel(NamedTuple):
    """full: the rows of a bar as wide as the picture. pageless: records of types that hold no page, left out of it."""

    bars: list[Bar]
    full: int
    pageless: int


def funnel(accounts: Mapping[str, Account]) -> Funnel:
    """A bar a stage, in the order given, all on one scale. Records that hold no page (`type`) are not drawn."""
    drawn = {
        stage: {r: n for r, n in account["dropped"].items() if not _pageless(r)} for stage, account in accounts.items()
    }
    rows = {stage: account["rows_out"] + sum(drawn[stage].values()) for stage, account in accounts.items()}
    full = max(rows.values(), default=0)
    bars = [
        Bar(stage, rows[stage], account["rows_out"], _segments(account, drawn[stage], full))
        for stage, account in accounts.items()
    ]
    pageless = sum(n for account in accounts.values() for reason, n in account["dropped"].items() if _pageless(reason))
    return Funnel(bars, full, pageless)


def _pageless(reason: str) -> bool:
    return reason.split(":")[0] == "type"


def _segments(account: Account, dropped: Mapping[str, int], full: int) -> list[Segment]:
    ordered = sorted(dropped.items(), key=lambda entry: (-entry[1], entry[0]))
    named, rest = ordered[:NAMED_REASONS], ordered[NAMED_REASONS:]
    parts = [("kept", account["rows_out"], "kept"), *((reason, n, f"r{i}") for i, (reason, n) in enumerate(named))]
    if rest:
        parts.append((rest[0][0] if len(rest) == 1 else f"{len(rest)} more reasons", sum(n for _, n in rest), "rest"))
    return stacked(parts, full)


def stacked(parts: Sequence[tuple[str, int, str]], full: int) -> list[Segment]:
    """(label, value, kind) one after another, on a scale where `full` is 100 percent."""
    total = sum(value for _, value, _ in parts)
    segments, done = [], 0
    for label, value, kind in parts:
        if value:
            x, width = (round(100 * amount / full, 3) for amount in (done, value))
            segments.append(Segment(label, value, value / total, kind, x, width))
        done += value
    return segments


class Curve(NamedTuple):
    """lines: name -> path data in the view box WIDTH x HEIGHT; dots: drawn as separate points.

    x_ticks, y_ticks: (percent from the left or the top, value).
    """

    lines: dict[str, str]
    dots: dict[str, list[Point]]
    x_ticks: list[tuple[float, float]]
    y_ticks: list[tuple[float, float]]


def curve(
    lines: Mapping[str, Sequence[Point]], dots: Mapping[str, Sequence[Point]] | None = None, about: int = 5
) -> Curve | None:
    """Lines and points over one pair of axes with `about` so many numbers at each; None without a point.

    Long lines are averaged to CURVE_POINTS.
    """
    thinned = {name: thin(points) for name, points in lines.items() if points}
    marked = {name: list(points) for name, points in (dots or {}).items() if points}
    every = [point for points in (*thinned.values(), *marked.values()) for point in points]
    if not every:
        return None
    xs, ys = (ticks(*_range([point[axis] for point in every]), about) for axis in (0, 1))
    low_x, high_x = min(x for x, _ in every), max(x for x, _ in every)
    low_y, high_y = ys[0], ys[-1]

    def place(point: Point) -> Point:
        across = (point[0] - low_x) / (high_x - low_x) if high_x > low_x else 0.5
        down = (high_y - point[1]) / (high_y - low_y)
        return round(WIDTH * across, 1), round(HEIGHT * down, 2)

    def share(value: float, low: float, high: float) -> float:
        return round(100 * (value - low) / (high - low), 2) if high > low else 50.0

    return Curve(
        {name: "M" + "L".join(f"{x:g} {y:g}" for x, y in map(place, points)) for name, points in thinned.items()},
        {name: [place(point) for point in points] for name, points in marked.items()},
        [(share(x, low_x, high_x), x) for x in xs if low_x <= x <= high_x],
        [(round(100 - share(y, low_y, high_y), 2), y) for y in ys],
    )


def thin(points: Sequence[Point], most: int = CURVE_POINTS) -> list[Point]:
    """At most `most` points, each the mean of as many neighbours as the others."""
    size = math.ceil(len(points) / most)
    groups = [points[start : start + size] for start in range(0, len(points), size or 1)]
    return [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]


def _range(values: Sequence[float]) -> tuple[float, float]:
    """Lowest and highest; what lies all in one place gets room on both sides."""
    low, high = min(values), max(values)
    size = max(abs(low), abs(high))
    if high - low > max(1e-9 * size, 1e-10):
        return low, high
    room = size / 2 if size > 1e-10 else 0.5
    return low - room, high + room


def ticks(low: float, high: float, about: int) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) that enclose low and high."""
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]
