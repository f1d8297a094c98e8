"""The way from records to shards as a Sankey picture (Kennedy and Sankey 1898): bands as thick as their rows.

Laid out twice, across for wide windows and down for narrow ones, since text in a picture shrinks with it. In units of
the view box; the template draws both and a style sheet shows one.
"""

from typing import NamedTuple

from pipeline.report.pictures.charts import Bar, Funnel, Segment

THINNEST = 1.0  # a band of one row is still seen
LABEL_HEIGHT = 34  # two lines of text
NODE = 12  # thickness of the bar that stands for a table
TABLES = {"extract": "documents", "clean": "pass the rules", "dedup": "without copies", "sample": "in the shards"}


class Node(NamedTuple):
    """Rows of a table: a bar, and the place of its text."""

    name: str
    rows: int
    x: float
    y: float
    width: float
    height: float
    text_x: float
    text_y: float


class Band(NamedTuple):
    """path: the band's outline, filled. x, y: of the label's first line; what is kept has no label."""

    label: str
    rows: int
    share: float
    kind: str
    path: str
    x: float = 0.0
    y: float = 0.0


class Flow(NamedTuple):
    width: float
    height: float
    nodes: list[Node]
    bands: list[Band]


def across(funnel: Funnel, width: float = 1220.0, thick: float = 190.0) -> Flow:
    """Tables from left to right, what leaves bends down. thick: of the first table's bar."""
    top, last_text = 52.0, 150.0
    scale = thick / max(funnel.full, 1)
    step = (width - last_text) / max(len(funnel.bars), 1)
    nodes, bands, height = [], [], top + thick
    for number, bar in enumerate(funnel.bars):
        x = number * step
        if not number:
            nodes.append(_upright(_first_name(bar), bar.rows_in, x, top, scale))
        nodes.append(_upright(TABLES[bar.stage], bar.rows_out, x + step, top, scale))
        kept = max(bar.rows_out * scale, THINNEST if bar.rows_out else 0)
        bands.append(Band("kept", bar.rows_out, _kept_share(bar), "kept", _box(x + NODE, top, x + step, top + kept)))
        # Below all that stands right of here: a later table is higher where a stage was made of an earlier run.
        floor = top + scale * max(one.rows_in if at > number else one.rows_out for at, one in _from(funnel, number))
        start, end = top + kept, floor + 30
        for part in _left(bar):
            thickness = max(part.value * scale, THINNEST)
            middle = end + max(thickness, LABEL_HEIGHT) / 2
            path = _bend(x + NODE, start, x + NODE + 66, middle - thickness / 2, thickness)
            bands.append(
                Band(part.label, part.value, part.share, part.kind, path, round(x + NODE + 73, 1), round(middle - 3, 1))
            )
            start += part.value * scale
            end += max(thickness + 4, LABEL_HEIGHT)
        height = max(height, end)
    return Flow(width, round(height + 4), nodes, bands)


def down(funnel: Funnel, width: float = 340.0, thick: float = 88.0) -> Flow:
    """Tables from top to bottom, what leaves bends to the right."""
    scale, right = thick / max(funnel.full, 1), thick + 34
    nodes, bands, y = [], [], 20.0
    for number, bar in enumerate(funnel.bars):
        if not number:
            nodes.append(_level(_first_name(bar), bar.rows_in, y, scale))
        y += NODE
        kept = max(bar.rows_out * scale, THINNEST if bar.rows_out else 0)
        end, start = y + 12, kept + sum(part.value for part in _left(bar)) * scale
        leaving = []
        for part in _left(bar):  # the band on the right edge bends first, so that none cross
            thickness = max(part.value * scale, THINNEST)
            left, middle = start - part.value * scale, end + max(thickness, LABEL_HEIGHT) / 2
            path = _turn(left, max(start, left + thickness), y, right, middle - thickness / 2, thickness)
            leaving.append(
                Band(part.label, part.value, part.share, part.kind, path, round(right + 7, 1), round(middle - 3, 1))
            )
            start = left
            end += max(thickness + 4, LABEL_HEIGHT)
        below = max(end + 26, y + 50)
        bands.append(Band("kept", bar.rows_out, _kept_share(bar), "kept", _box(0, y, kept, below)))
        bands += leaving
        y = below
        nodes.append(_level(TABLES[bar.stage], bar.rows_out, y, scale))
    return Flow(width, round(y + NODE + 6), nodes, bands)


def _from(funnel: Funnel, number: int) -> list[tuple[int, Bar]]:
    return list(enumerate(funnel.bars))[number:]


def _first_name(bar: Bar) -> str:
    return "records read" if bar.stage == "extract" else "documents read"


def _left(bar: Bar) -> list[Segment]:
    return [part for part in bar.segments if part.kind != "kept"]


def _kept_share(bar: Bar) -> float:
    return bar.rows_out / bar.rows_in if bar.rows_in else 0.0


def _upright(name: str, rows: int, x: float, y: float, scale: float) -> Node:
    return Node(name, rows, round(x, 1), y, NODE, round(max(rows * scale, THINNEST), 2), round(x, 1), y - 28)


def _level(name: str, rows: int, y: float, scale: float) -> Node:
    return Node(name, rows, 0.0, round(y, 1), round(max(rows * scale, THINNEST), 2), NODE, 0.0, round(y - 7, 1))


def _path(*parts: str | float) -> str:
    return " ".join(part if isinstance(part, str) else f"{round(part, 2):g}" for part in parts)


def _box(left: float, top: float, right: float, bottom: float) -> str:
    return _path("M", left, top, "H", right, "V", bottom, "H", left, "Z")


def _bend(x: float, y: float, to_x: float, to_y: float, thick: float) -> str:
    """From (x, y) to (to_x, to_y), both of the upper edge, level at both ends."""
    half = (x + to_x) / 2
    upper = ("M", x, y, "C", half, y, half, to_y, to_x, to_y)
    return _path(*upper, "v", thick, "C", half, to_y + thick, half, y + thick, x, y + thick, "Z")


def _turn(left: float, right: float, y: float, to_x: float, to_y: float, thick: float) -> str:
    """Down from the edge [left, right] at y, then level to to_x, where its upper edge is to_y."""
    low = to_y + thick
    lower = ("M", left, y, "C", left, low, left, low, to_x, low, "V", to_y)
    return _path(*lower, "C", right, to_y, right, to_y, right, y, "Z")
