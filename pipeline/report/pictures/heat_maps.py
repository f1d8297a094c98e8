"""Tables of an evaluation as heat maps: languages down, models and baselines across. Figures in, rows of text out."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.report.evaluations import Evaluations
from pipeline.report.words import count, tag
from schemas.evaluation import ALL, SIGNS, Better, Figure, Model, Rows, Table, behind_the_best, gaps, head_of_gaps

SHADES = 9  # of the ramp in the style sheet
OUTLYING = 0.02  # of the figures at either end share the last shade
MINUS = "\u2212"
EN_DASH = "\u2013"


class HeatCell(NamedTuple):
    """shade: 0 to SHADES - 1, the last the best; None without a figure. interval: short, empty where there is none.
    note: all that is known, in words. best: of its row. behind: its interval does not reach that of the best. gap: to
    the best of the others, above 0 where it is behind."""

    value: float | None
    text: str
    shade: int | None
    interval: str
    note: str
    best: bool
    behind: bool
    gap: float | None


class HeatRow(NamedTuple):
    """gap: of the first model, in words."""

    label: str
    tag: str
    cells: list[HeatCell]
    gap: str


class HeatMap(NamedTuple):
    """means: a row over the languages, None where there is none. gaps: what the column of gaps is headed, empty where
    there is none. low, high: where the ramp begins and ends. digits: after the point."""

    anchor: str
    title: str
    unit: str
    better: str
    models: list[str]
    baselines: list[str]
    means: HeatRow | None
    rows: list[HeatRow]
    gaps: str
    low: str
    high: str
    digits: int
    settings: list[tuple[str, object]]


class Overview(NamedTuple):
    """A row a table: of each model its mean, or the figure of all languages together."""

    models: list[str]
    rows: list[tuple[HeatMap, list[HeatCell]]]


def heat_maps(evaluations: Evaluations) -> list[HeatMap]:
    """In the order of the files; tables without a figure are left out."""
    order = [model["name"] for model in evaluations.models]
    drawn = [_heat_map(table, order, f"evaluation-{n}") for n, table in enumerate(evaluations.tables, 1)]
    return [one for one in drawn if one.rows]


def overview(maps: Sequence[HeatMap], models: Sequence[Model]) -> Overview | None:
    """None where one table says it all."""
    names = [model["name"] for model in models]
    rows = []
    for one in maps:
        row = one.means or next((row for row in one.rows if row.label == ALL), None)
        if row:
            cells = dict(zip(one.models, row.cells, strict=False))
            rows.append((one, [cells.get(name, _NOTHING) for name in names]))
    return Overview(names, rows) if len(rows) > 1 else None


_NOTHING = HeatCell(None, "", None, "", "not measured", False, False, None)


def _heat_map(table: Table, order: Sequence[str], anchor: str) -> HeatMap:
    models = [name for name in order if name in table["figures"]]
    baselines = list(table["baselines"])
    columns: dict[str, Rows] = {name: table["figures"][name] for name in models} | table["baselines"]
    every = [figure["value"] for rows in columns.values() for figure in rows.values()]
    digits = digits_of([*every, *(figure["value"] for figure in table["means"].values())])
    low, high = limits(every)
    sign = SIGNS[table["better"]]

    def row(label: str, figures: Mapping[str, Figure | None], over: str) -> HeatRow:
        cells = _cells(figures, table["better"], digits, (low, high), len(models), over)
        return HeatRow(label, "" if label == ALL else tag(label), cells, _gap_in_words(cells, digits))

    def row_of(label: str) -> HeatRow:
        return row(label, {name: rows.get(label) for name, rows in columns.items()}, "")

    rows = [row_of(ALL)] if any(ALL in one for one in columns.values()) else []
    for label, gap in gaps(table, models[0] if models else ""):
        one = row_of(label)
        if len(columns) == 1 and gap is not None:  # to the best language, which is in another row
            cells = [one.cells[0]._replace(gap=gap)]
            one = one._replace(cells=cells, gap=_gap_in_words(cells, digits))
        rows.append(one)
    of_all = {name: table["means"].get(name) for name in columns}
    return HeatMap(
        anchor,
        table["title"],
        table["unit"],
        table["better"],
        models,
        baselines,
        row("mean", of_all, " languages") if any(of_all.values()) else None,
        rows,
        head_of_gaps(table, models[0]) if any(one.gap for one in rows) else "",
        written(high if sign < 0 else low, digits),
        written(low if sign < 0 else high, digits),
        digits,
        sorted(table["settings"].items()),
    )


def _cells(
    figures: Mapping[str, Figure | None],
    better: Better,
    digits: int,
    ends: tuple[float, float],
    models: int,
    over: str,
) -> list[HeatCell]:
    """Of a row. models: so many of the figures are models', the rest baselines'; only models have gaps."""
    sign = SIGNS[better]
    there = {name: figure for name, figure in figures.items() if figure}
    best = max((sign * figure["value"] for figure in there.values()), default=0.0)
    leaders = [figure for figure in there.values() if sign and sign * figure["value"] == best]
    cells = []
    for number, (name, figure) in enumerate(figures.items()):
        if figure is None:
            cells.append(_NOTHING)
            continue
        leads = bool(sign and len(there) > 1 and sign * figure["value"] == best)
        behind = not leads and any(_apart(figure, leader, sign) for leader in leaders)
        gap = behind_the_best(there, name, better) if number < models else None
        cells.append(
            HeatCell(
                figure["value"],
                written(figure["value"], digits),
                shade(figure["value"], *ends, descending=sign < 0),
                _interval(figure, digits, EN_DASH),
                _note(figure, digits, over) + ("; clearly behind the best" if behind else ""),
                leads,
                behind,
                gap,
            )
        )
    return cells


def _apart(figure: Figure, leader: Figure, sign: int) -> bool:
    """Whether its interval ends before that of the best begins."""
    low, high = ("low", "high") if sign > 0 else ("high", "low")
    near, far = figure[high], leader[low]  # type: ignore[literal-required]
    return near is not None and far is not None and sign * near < sign * far


def _note(figure: Figure, digits: int, over: str) -> str:
    """With one more digit, for those who look closely."""
    bounds = _interval(figure, digits + 1, " to ")
    text = written(figure["value"], digits + 1) + (f" ({bounds})" if bounds else "")
    return f"{text}, over {count(figure['count'])}{over}"


def _interval(figure: Figure, digits: int, between: str) -> str:
    low, high = figure["low"], figure["high"]
    return "" if low is None or high is None else f"{written(low, digits)}{between}{written(high, digits)}"


def _gap_in_words(cells: Sequence[HeatCell], digits: int) -> str:
    gap = cells[0].gap if cells else None
    return "" if gap is None else gap_in_words(gap, digits)


def gap_in_words(gap: float, digits: int) -> str:
    text = written(abs(gap), digits)
    return "equal" if not text.strip("0.") else f"{text} {'behind' if gap > 0 else 'ahead'}"


def limits(values: Sequence[float]) -> tuple[float, float]:
    """Where the ramp begins and ends: beyond lie the few that would leave all others in one shade."""
    if len(values) * OUTLYING < 1:
        return min(values, default=0.0), max(values, default=0.0)
    low, high = np.quantile(values, [OUTLYING, 1 - OUTLYING])
    return float(low), float(high)


def shade(value: float, low: float, high: float, descending: bool = False) -> int:
    """0 to SHADES - 1; all that is equal lies in the middle."""
    if high <= low:
        return SHADES // 2
    share = min(max((value - low) / (high - low), 0.0), 1.0)
    return min(int((1 - share if descending else share) * SHADES), SHADES - 1)


def digits_of(values: Iterable[float]) -> int:
    """After the point: three for what lies between 0.1 and 10, more for less, one up to 1,000, then none."""
    most = max(map(abs, values), default=0.0)
    if most == 0:
        return 3
    if most >= 10:
        return 1 if most < 1000 else 0
    return min(8, 3 + max(0, -1 - math.floor(math.log10(most))))


def written(value: float, digits: int) -> str:
    text = f"{abs(value):,.{digits}f}"
    return MINUS + text if value < 0 and text.strip("0.,") else text
