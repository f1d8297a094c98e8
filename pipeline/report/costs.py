"""What each stage's run has cost, as it was measured. Values in, rows of text out."""

from collections.abc import Mapping
from typing import NamedTuple

from pipeline.report.words import count, share, size
from schemas.costs import Cost
from schemas.records import STAGES

UNKNOWN = "not known"


class CostRow(NamedTuple):
    """values: as COLUMNS. width: percent of the longest stage's time. recorded: whether the run left a record."""

    stage: str
    recorded: bool
    width: float
    values: list[str]


COLUMNS = (
    "time",
    "cores",
    "core hours",
    "used",
    "peak of a process",
    "shuffled",
    "read",
    "written",
    "requests",
    "attempts",
)


class CostTable(NamedTuple):
    """total: of the stages that have a record, where it is known of all of them."""

    rows: list[CostRow]
    total: list[str]


def costs(recorded: Mapping[str, Cost | None]) -> CostTable | None:
    """A row a finished stage. None where no stage has left a record."""
    found = [one for one in recorded.values() if one]
    if not found:
        return None
    longest = max(one["seconds"] for one in found) or 1.0
    rows = []
    for stage in STAGES:
        if stage in recorded:
            one = recorded[stage]
            rows.append(
                CostRow(stage, True, round(100 * one["seconds"] / longest, 2), _values(one))
                if one
                else CostRow(stage, False, 0.0, [])
            )
    return CostTable(rows, _total(found) if len(found) > 1 else [])


def _values(one: Cost) -> list[str]:
    held = one["seconds"] * one["cores"]
    used = one["cpu_seconds"]
    return [
        duration(one["seconds"]),
        count(one["cores"]),
        hours(held),
        UNKNOWN if used is None else share(min(used / held, 1.0)) if held else "",
        *(UNKNOWN if one[key] is None else size(one[key]) for key in ("peak_bytes", "shuffle_bytes")),
        *(UNKNOWN if one[key] is None else size(one[key]) for key in ("bytes_read", "bytes_written")),
        UNKNOWN if one["requests"] is None else count(one["requests"]),
        count(one["attempts"]),
    ]


def _total(found: list[Cost]) -> list[str]:
    held = sum(one["seconds"] * one["cores"] for one in found)

    def over(key: str) -> float | None:
        values = [one[key] for one in found]  # type: ignore[literal-required]
        return None if None in values else sum(values)

    used, peaks = over("cpu_seconds"), [one["peak_bytes"] for one in found if one["peak_bytes"] is not None]
    return [
        duration(sum(one["seconds"] for one in found)),
        "",
        hours(held),
        "" if used is None or not held else share(min(used / held, 1.0)),
        size(max(peaks)) if peaks else "",
        *(size(over(key)) for key in ("shuffle_bytes", "bytes_read", "bytes_written")),
        count(over("requests")),
        "",
    ]


def duration(seconds: float) -> str:
    """`41 s`, `12 min 5 s`, `3 h 20 min`."""
    if seconds < 60:
        return f"{seconds:.1f}\u00a0s" if seconds < 9.95 else f"{seconds:.0f}\u00a0s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}\u00a0min {rest}\u00a0s"
    return f"{minutes // 60:,}\u00a0h {minutes % 60}\u00a0min"


def hours(core_seconds: float) -> str:
    value = core_seconds / 3600
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
