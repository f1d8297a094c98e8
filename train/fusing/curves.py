"""Curves of many rows as plain SVG: a small picture each, all with the same axes, so that they compare at a glance
however many there are; in each a line a name, of the colour that the legend says."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from tokenizer.plot import COLOURS, STYLE, linear_range, linear_ticks

_ACROSS, _WIDTH, _HEIGHT = 4, 190, 110  # small pictures in a row, and their size in pixels
_LEFT, _GAP, _ABOVE, _BELOW, _LETTER = 62, 24, 26, 20, 6.7
_DASHES = ("", "6 3", "2 3", "8 3 2 3")  # colours come again with other dashes once they are used up

Points = Sequence[tuple[float, float]]


class Grid(NamedTuple):
    """names: of lines, in the order of colours. rows: title of a small picture -> name -> its points. units: what lies
    across, and what upwards; 0 upwards gets a line of its own."""

    title: str
    units: tuple[str, str]
    names: Sequence[str]
    rows: Mapping[str, Mapping[str, Points]]


def drawn(grid: Grid) -> str:
    """The picture. A line says its row and name where a pointer rests on it."""
    points = [point for row in grid.rows.values() for line in row.values() for point in line]
    across = min((x for x, _ in points), default=0.0), max((x for x, _ in points), default=1.0)
    upwards = linear_range([y for _, y in points])
    columns = min(_ACROSS, max(len(grid.rows), 1))
    width = max(_LEFT + columns * (_WIDTH + _GAP), 520.0, *(40 + _LETTER * len(name) for name in grid.names))
    legend, top = _legend(grid.names, width)
    parts = [f'<text x="12" y="26" class="title">{escape(grid.title)}</text>', *legend]
    parts.append(
        f'<text x="12" y="{top + 14}" class="unit">{escape(grid.units[1])}, over {escape(grid.units[0])}</text>'
    )
    top += 24
    for number, (title, lines) in enumerate(grid.rows.items()):
        place = (
            _LEFT + number % columns * (_WIDTH + _GAP),
            top + number // columns * (_ABOVE + _HEIGHT + _BELOW) + _ABOVE,
        )
        parts += _small(title, lines, grid.names, place, across, upwards, first=number % columns == 0)
    height = top + -(-len(grid.rows) // columns) * (_ABOVE + _HEIGHT + _BELOW) + 10
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img" aria-label={quoteattr(grid.title)}>'
    )
    return "\n".join([head, STYLE, '<rect width="100%" height="100%" fill="#ffffff"/>', *parts, "</svg>", ""])


def _legend(names: Sequence[str], width: float) -> tuple[list[str], float]:
    """(its elements, where it ends): as many names to a line as fit."""
    parts, at, y = [], 12.0, 50.0
    for number, name in enumerate(names):
        needed = 40 + _LETTER * len(name)
        if at > 12 and at + needed > width:
            at, y = 12.0, y + 20
        parts.append(f'<path d="M{at:.1f} {y - 4:.1f}h24" {_look(number)}/>')
        parts.append(f'<text x="{at + 30:.1f}" y="{y:.1f}">{escape(name)}</text>')
        at += needed + 10
    return parts, y + 10


def _small(
    title: str,
    lines: Mapping[str, Points],
    names: Sequence[str],
    place: tuple[float, float],
    across: tuple[float, float],
    upwards: tuple[float, float],
    first: bool,
) -> list[str]:
    """first: of its row, whose ticks upwards are written."""
    left, top = place

    def x(value: float) -> float:
        return left + _WIDTH * (value - across[0]) / ((across[1] - across[0]) or 1.0)

    def y(value: float) -> float:
        return top + _HEIGHT * (upwards[1] - value) / (upwards[1] - upwards[0])

    parts = [f'<text x="{left:.1f}" y="{top - 8:.1f}">{escape(title)}</text>']
    for tick in linear_ticks(*upwards, most=5):
        parts.append(f'<path d="M{left:.1f} {y(tick):.1f}h{_WIDTH}" class="{"grid" if tick else "reference"}"/>')
        if first:
            parts.append(f'<text x="{left - 6:.1f}" y="{y(tick) + 4:.1f}" class="label">{tick:.3g}</text>')
    for tick in linear_ticks(*across, most=4):
        parts.append(f'<text x="{x(tick):.1f}" y="{top + _HEIGHT + 14:.1f}" class="tick">{tick:.3g}</text>')
    for number, name in reversed(list(enumerate(names))):
        if points := lines.get(name):
            path = "L".join(f"{x(one):.1f} {y(other):.1f}" for one, other in points)
            parts.append(f'<path d="M{path}" {_look(number)}><title>{escape(f"{title}, {name}")}</title></path>')
    return parts


def _look(number: int) -> str:
    dashes = _DASHES[number // len(COLOURS) % len(_DASHES)]
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'fill="none" stroke="{COLOURS[number % len(COLOURS)]}" stroke-width="2"{dashed}'
