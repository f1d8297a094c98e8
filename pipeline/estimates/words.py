"""Figures for people."""

import math
from collections.abc import Callable, Mapping, Sequence

from pipeline.estimates.intervals import COUNTS, TOTAL, Estimates, Figure
from pipeline.estimates.prices import Prices
from schemas.records import STAGES


def shown(value: float) -> str:
    """Two digits that count."""
    for unit, name in ((1e9, " billion"), (1e6, " million")):
        if value >= unit:
            return f"{shown(value / unit)}{name}"
    if value <= 0:
        return "0"
    digits = 1 - math.floor(math.log10(value))
    return f"{round(value, digits):,.{max(0, digits)}f}"


def size(value: float) -> str:
    for unit, name in ((1e12, "TB"), (1e9, "GB")):
        if value >= unit:
            return f"{shown(value / unit)} {name}"
    return f"{shown(value / 1e6)} MB"


def money(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def duration(seconds: float) -> str:
    if seconds < 120:
        return f"{shown(seconds)} s"
    return f"{shown(seconds / 60)} min" if seconds < 7200 else f"{shown(seconds / 3600)} h"


Words = Callable[[float], str]
COLUMNS: Sequence[tuple[str, str, Words]] = (
    ("core-hours", "core_hours", shown),
    ("time", "seconds", duration),
    ("memory", "peak_bytes", size),
    ("shuffle", "shuffle_bytes", size),
    ("read", "bytes_read", size),
    ("written", "bytes_written", size),
    ("requests", "requests", shown),
)


def spread(figure: Figure, words: Words, wide: bool = True) -> str:
    """`1.2 (0.9 to 1.4)`; the estimate alone where the rest says the same."""
    middle, low, high = map(words, figure)
    return middle if not wide or low == high else f"{middle} ({low} to {high})"


def plan_lines(found: Estimates, prices: Prices, cores: int) -> list[str]:
    """A table of stages, and what all of it takes."""
    heads = ["", *(name for name, _, _ in COLUMNS), prices.currency]
    rows = [heads]
    for stage in (*STAGES, TOTAL):
        cells = [spread(found[stage][figure], words, wide=stage == TOTAL) for _, figure, words in COLUMNS]
        name = "all" if stage == TOTAL else stage
        rows.append([name, *cells, spread(found[stage]["dollars"], money, wide=stage == TOTAL)])
    counts, total = found[COUNTS], found[TOTAL]
    told = ", ".join(
        f"{name} {spread(counts[figure], shown)}"
        for name, figure in (("documents", "documents"), ("kept by clean", "kept"), ("by dedup", "texts"))
    )
    return [
        *aligned(rows),
        "",
        f"documents   {told}".replace("documents   documents", "documents  "),
        f"time        on {cores:,} cores, one stage after the other",
        f"storage     {spread(total['storage_bytes'], size)}, {size(total['peak_storage_bytes'].estimate)} while it is "
        f"made; {money(total['dollars_a_month'].estimate)} {prices.currency} a month",
        f"money       {spread(total['dollars'], money)} {prices.currency} ({money(total['spot_dollars'].estimate)} on "
        f"spot cores): {prices.of}, {prices.date}",
        "In brackets: where nine of ten would lie.",
    ]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if n == 0 else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


COMPARED: Sequence[tuple[str, str, Words]] = (
    ("time", "seconds", duration),
    ("CPU", "cpu_seconds", duration),
    ("memory", "peak_bytes", size),
    ("shuffle", "shuffle_bytes", size),
    ("written", "bytes_written", size),
    ("requests", "requests", shown),
)


def comparison_lines(compared: Mapping[str, Mapping[str, tuple[Figure, float | None]]]) -> list[str]:
    """Stage by stage: estimate, interval, what was measured, its ratio to the estimate."""
    rows = [["", "", "estimate", "low", "high", "measured", "ratio", ""]]
    for stage, figures in compared.items():
        for name, figure, words in COMPARED:
            if figure not in figures:
                continue
            (estimate, low, high), value = figures[figure]
            row = ["all" if stage == TOTAL else stage, name, words(estimate), words(low), words(high)]
            if value is None:
                rows.append([*row, "unknown", "", ""])
            else:
                inside = "inside" if low <= value <= high else "below" if value < low else "above"
                ratio = f"{value / estimate:.2f}" if estimate else ""
                rows.append([*row, words(value), ratio, inside])
    return aligned(rows)
