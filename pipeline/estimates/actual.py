"""What a finished root has taken, beside its plan."""

from collections.abc import Mapping
from typing import Any

from pipeline.costs.records import together
from pipeline.estimates.intervals import TOTAL, Figure
from pipeline.estimates.whole import SUMMED
from pipeline.store import generations, storage
from pipeline.store.generations import Generation
from schemas.costs import COST, Cost
from schemas.errors import UserError
from schemas.records import STAGES

MEASURED = ("seconds", "cpu_seconds", "peak_bytes", "shuffle_bytes", "bytes_read", "bytes_written", "requests")
VERSION = 1  # of a plan's file

Compared = dict[str, dict[str, tuple[Figure, float | None]]]


def cost_of(now: Generation) -> Cost | None:
    """What the tables that a generation uses have taken: its own run's, and those of the runs whose files it goes on
    using. None where the whole one among them has none. A takedown has none, and counts for nothing."""
    costs: list[Cost | None] = [part.read_json(COST) for part in now.parts()]
    there = [cost for cost in costs if cost is not None]
    return together(there) if costs[0] is not None else None


def costs_of(root: str) -> dict[str, Cost]:
    """By stage. UserError for a root that is not finished, or that an older version has made."""
    if not storage.exists(root):
        raise UserError(f"--actual {root}: no such folder")
    found: dict[str, Cost] = {}
    for stage in STAGES:
        now = generations.current(storage.join(root, stage))
        if now is None:
            raise UserError(
                f"--actual {root}: {stage} is not finished: run jobs/corpus.py with the same flags again, it goes on"
            )
        cost = cost_of(now)
        if cost is None:
            raise UserError(
                f"--actual {root}: {stage} does not say what it took ({now.place} has no {COST}), as of a version "
                f"without costs: compare a root that this version has made"
            )
        found[stage] = cost
    return found


def read_plan(path: str) -> dict[str, Any]:
    """A file of `jobs/plan.py --output`. UserError where it is none."""
    told = storage.read_json(path)
    if told is None:
        raise UserError(f"--plan {path}: no such file; jobs/plan.py --output writes one")
    if (
        not isinstance(told, dict)
        or told.get("version") != VERSION
        or not {*STAGES, TOTAL} <= {*told.get("stages", ())}
    ):
        raise UserError(f"--plan {path}: no plan of this version: make it with jobs/plan.py --output")
    return told


def compared(plan: Mapping[str, Any], costs: Mapping[str, Cost], on_store: bool) -> Compared:
    """on_store: else nothing was requested."""
    found: Compared = {}
    names = [name for name in MEASURED if on_store or name != "requests"]
    for stage, cost in costs.items():
        said = plan["stages"][stage]
        found[stage] = {name: (Figure(*said[name]), cost.get(name)) for name in names}  # type: ignore[misc]
    total = {}
    for name in names:
        values = [cost.get(name) for cost in costs.values()]
        there = [float(value) for value in values if value is not None]  # type: ignore[arg-type]
        value = None if len(there) < len(values) else sum(there) if name in SUMMED else max(there)
        total[name] = (Figure(*plan["stages"][TOTAL][name]), value)
    found[TOTAL] = total
    return found
