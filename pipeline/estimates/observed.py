"""What a run over a sample shows of each stage."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pipeline.costs.usage import Call
from pipeline.store import generations, storage
from schemas.costs import COST, Cost
from schemas.records import LEDGER, Ledger

SMALL = ""  # of tables: what is no table's
SINGLE = ("_cluster",)  # functions that have one item at any size (pipeline/duplicates/small_dedup.py)


class Engine(NamedTuple):
    """Of the engine's stages in a run: seconds of cores that its tasks held, bytes shuffled by what the job said it was
    doing."""

    busy_seconds: float
    shuffled: Mapping[str, int]


class Table(NamedTuple):
    rows: int
    files: int
    bytes: int


class Observed(NamedTuple):
    """A stage's run. x: its work, in the stage's unit; texts: that came out of dedup, 0 of others. Seconds of cores:
    `alone` where one core worked, `spread` where as many as there were; `longest` of the longest item. exchanged: bytes
    of our own temporary files. shuffled: by the engine, by job. tables: as they are then, with what earlier runs have
    put there."""

    x: float
    texts: float
    cost: Cost
    alone: float
    spread: float
    items: int
    longest: float
    exchanged: float
    shuffled: Mapping[str, int]
    tables: Mapping[str, Table]


def observed(
    x: float, texts: float, cost: Cost, calls: Sequence[Call], engine: Engine, tables: Mapping[str, Table]
) -> Observed:
    """Of a run's cost, calls of workers and engine."""
    cores = max(1, cost["cores"])
    shared = [call for call in calls if call.name not in SINGLE]
    if engine.busy_seconds:
        spread, taken = engine.busy_seconds, engine.busy_seconds / cores
    else:
        spread = sum(call.usage.seconds for call in shared)
        taken = sum(max(call.usage.seconds / min(cores, call.items), call.longest) for call in shared)
    return Observed(
        x,
        texts,
        cost,
        max(0.0, cost["seconds"] - taken),
        spread,
        max((call.items for call in shared), default=1),
        max((call.longest for call in shared), default=0.0),
        float(sum(call.usage.exchanged for call in calls)),
        engine.shuffled,
        tables,
    )


def tables_of(folder: str) -> dict[str, Table]:
    """A finished stage's tables with all files that belong to each, its indexes of keys too; under SMALL the others."""
    ledger: Ledger = generations.required(folder).read_json(LEDGER)
    rows = {name: number for name, number in ledger["tables"].items()}
    found: dict[str, list[int]] = {name: [0, 0] for name in [*rows, SMALL]}
    for path, size in storage.listing(folder, hidden=True).items():
        parts = path.split("/")
        parts = parts[1:] if parts[0][:1] == "g" and parts[0][1:].isdecimal() else parts
        name = parts[1] if parts[0] == "_keys" and len(parts) > 1 else parts[0]
        if path.rpartition("/")[2] == COST:
            continue
        entry = found[name if name in rows and len(parts) > 1 else SMALL]
        entry[0] += parts[0] == name
        entry[1] += size
    return {name: Table(rows.get(name, 0), *entry) for name, entry in found.items()}
