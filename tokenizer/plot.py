"""Dots by language, as plain SVG: a row a language, a coloured dot a tokenizer or a model.

On an axis of ratios equal ratios are equally far apart, on one of shares equal differences.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

# Okabe and Ito's colours without the yellow, which is too faint on white: told apart by colour-blind readers too.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_TICKS = ((1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9), (1, 1.5, 2, 3, 4, 5, 7), (1, 2, 5), (1,))
_MOST_TICKS = 12
_ROW, _ROW_OF_MANY, _MANY = 20, 15, 60  # pixels; above so many rows they stand closer
_RIGHT, _PLOT, _LETTER = 30, 640, 6.7  # pixels

Scale = Callable[[float], float]


class Row(NamedTuple):
    """values: one a name; None where there is nothing to show, as for 0 and less on an axis of ratios."""

    label: str
    values: Sequence[float | None]


class Panel(NamedTuple):
    """names: of tokenizers or models, in the order of each row's values; rows stand in the order given. unit: what the
    axis shows. reference: a value that gets a line of its own. linear: equal differences are equally far apart."""

    title: str
    unit: str
    names: Sequence[str]
    rows: Sequence[Row]
    reference: float | None = None
    linear: bool = False


def dots(title: str, unit: str, names: Sequence[str], rows: Sequence[Row], reference: float | None = None) -> str:
    """The picture of one panel of ratios."""
    return picture(title, [Panel(title, unit, names, rows, reference)])


def picture(title: str, panels: Sequence[Panel]) -> str:
    """Panels below each other, 800 pixels wide or a little more and as high as they have rows. A dot says its row, name
    and value where a pointer rests on it."""
    left = 24 + _LETTER * max((len(row.label) for panel in panels for row in panel.rows), default=0)
    width = left + _PLOT + _RIGHT
    parts: list[str] = []
    height = 0
    for panel in panels:
        drawn, height = _panel(panel, left, width, height)
        parts += drawn
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" '
        f'height="{height}" role="img" aria-label={quoteattr(title)}>'
    )
    return "\n".join([head, STYLE, '<rect width="100%" height="100%" fill="#ffffff"/>', *parts, "</svg>", ""])


def _panel(panel: Panel, left: float, width: float, above: int) -> tuple[list[str], int]:
    """(its elements, where the next one begins)."""
    names, rows = panel.names, [Row(row.label, [_shown(value, panel) for value in row.values]) for row in panel.rows]
    values = [value for row in rows for value in row.values if value is not None]
    if (reference := _shown(panel.reference, panel)) is not None:
        values.append(reference)
    low, high = (linear_range if panel.linear else _range)(values)
    step = _ROW_OF_MANY if len(rows) > _MANY else _ROW
    legend, legend_height = _legend(names, left, width, above)
    top = above + 74 + legend_height
    bottom = top + step * len(rows)

    def x(value: float) -> float:
        share = (value - low) / (high - low) if panel.linear else math.log(value / low) / math.log(high / low)
        return left + _PLOT * share

    parts = [
        f'<text x="{left:.0f}" y="{above + 26}" class="title">{escape(panel.title)}</text>',
        *legend,
        f'<text x="{left:.0f}" y="{top - 26}" class="unit">{escape(panel.unit)}</text>',
        *_bands(len(rows), left, top, step),
        *_axis(x, (linear_ticks if panel.linear else _ticks)(low, high), top, bottom),
    ]
    if reference is not None:
        parts.append(f'<path d="M{x(reference):.1f} {top}V{bottom}" class="reference"/>')
    for i, row in enumerate(rows):
        parts += _row(row, names, x, left, top + step * (i + 0.5), 3 if panel.linear else 2)
    return parts, bottom + 34


def _shown(value: float | None, panel: Panel) -> float | None:
    return value if value is not None and (panel.linear or value > 0) else None


STYLE = """<style>
text { font: 12px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: #222222 }
.title { font-size: 16px; font-weight: 600 }
.unit, .tick { fill: #666666 }
.tick { text-anchor: middle }
.label { text-anchor: end }
.grid { stroke: #e3e3e3 }
.reference { stroke: #888888; stroke-dasharray: 4 3 }
.span { stroke: #c4c4c4; stroke-width: 2 }
.band { fill: #f7f7f7 }
</style>"""


def _range(values: Sequence[float]) -> tuple[float, float]:
    """A little more than the values take; never empty."""
    low, high = min(values, default=1.0), max(values, default=2.0)
    if high < low * 1.5:
        low, high = low / 1.25, high * 1.25
    room = (high / low) ** 0.03
    return low / room, high * room


def linear_range(values: Sequence[float]) -> tuple[float, float]:
    """From 0, or below where values are, with a little room on both sides."""
    low, high = min([0.0, *values]), max([0.0, *values])
    room = 0.02 * ((high - low) or 1.0)
    return low - room, (high if high > low else low + 1.0) + room


def linear_ticks(low: float, high: float, most: int = _MOST_TICKS) -> list[float]:
    """Multiples of 1, 2 or 5 of a power of ten, `most` of them or fewer: as many as can stand side by side."""
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(power * one for one in (1, 2, 5, 10) if (high - low) / (power * one) <= most)
    return [round(step * one, 12) for one in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _ticks(low: float, high: float) -> list[float]:
    """As many round numbers as can stand side by side."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in _TICKS:
        ticks = [tick for power in powers for step in steps if low <= (tick := round(step * 10.0**power, 9)) <= high]
        if len(ticks) <= _MOST_TICKS:
            break
    return ticks


def _bands(rows: int, left: float, top: float, step: int) -> list[str]:
    """Behind every other row, so that the eye keeps to its row."""
    look = f'x="{left:.0f}" width="{_PLOT}" height="{step}" class="band"'
    return [f'<rect y="{top + step * i}" {look}/>' for i in range(1, rows, 2)]


def _axis(x: Scale, ticks: Sequence[float], top: float, bottom: float) -> list[str]:
    parts = []
    for tick in ticks:
        at, text = f"{x(tick):.1f}", f"{tick:.3g}"
        parts.append(f'<path d="M{at} {top}V{bottom}" class="grid"/>')
        parts += [f'<text x="{at}" y="{y}" class="tick">{text}</text>' for y in (top - 8, bottom + 18)]
    return parts


def _legend(names: Sequence[str], left: float, width: float, above: int) -> tuple[list[str], int]:
    """As many names to a line as fit; answers the height of all lines after the first."""
    parts, at, y = [], left, above + 50
    for i, name in enumerate(names):
        needed = 26 + _LETTER * len(name)
        if at > left and at + needed > width:
            at, y = left, y + 20
        parts.append(_dot(at + 6, y - 4, i))
        parts.append(f'<text x="{at + 16:.1f}" y="{y}">{escape(name)}</text>')
        at += needed + 10
    return parts, y - above - 30


def _row(row: Row, names: Sequence[str], x: Scale, left: float, y: float, digits: int) -> list[str]:
    parts = [f'<text x="{left - 12:.0f}" y="{y + 4}" class="label">{escape(row.label)}</text>']
    shown = [x(value) for value in row.values if value is not None]
    if len(shown) > 1:
        parts.append(f'<path d="M{min(shown):.1f} {y}H{max(shown):.1f}" class="span"/>')
    # The first last, so that it lies on top where dots meet.
    for i, value in reversed(list(enumerate(row.values))):
        if value is not None:
            parts.append(_dot(x(value), y, i, f"{row.label}, {names[i]}: {value:.{digits}f}"))
    return parts


def _dot(x: float, y: float, i: int, title: str = "") -> str:
    """Colours come again as rings once they are used up, then as squares, full and hollow: 28 names are told apart."""
    colour, turn = COLOURS[i % len(COLOURS)], i // len(COLOURS)
    fill = colour if turn % 2 == 0 else "#ffffff"
    inside = f"<title>{escape(title)}</title>" if title else ""
    look = f'fill="{fill}" stroke="{colour}" stroke-width="1.5"'
    if turn % 4 >= 2:
        return f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8" {look}>{inside}</rect>'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" {look}>{inside}</circle>'
