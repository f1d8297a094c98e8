"""From runs over a sample to each stage's figures of the whole.

Each figure is a line over the work that the stage does with it, which is not the same for all: extract reads bytes of
archives, clean documents, dedup what clean kept, sample what dedup kept, vocab a drawn sample that is capped; of what
dedup exchanges a part goes by documents and a part by texts, of what it writes by texts and by documents that have
copies. How many these are in the whole, `counts` says.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from pipeline.estimates import requests
from pipeline.estimates.counts import Counts
from pipeline.estimates.lines import LEAST_DEVIATION, Line, line
from pipeline.estimates.observed import SMALL, Observed, Table
from pipeline.estimates.prices import Prices
from schemas.records import STAGES

OF_TEXTS = ("dedup pairs", "dedup edges", "dedup component", "dedup chosen")  # jobs whose exchange goes by texts
BYTES_A_DOCUMENT = 1 << 10  # in the one task of dedup that clusters them (docs/quality.md)
OVERHEAD = 1.3  # of a cluster: starts, stragglers, lost machines and what is done again. Assumed
HOUR = 3600.0

X: Mapping[str, Callable[[Counts], float]] = {  # a stage's work
    "extract": lambda counts: counts.bytes,
    "clean": lambda counts: counts.documents,
    "dedup": lambda counts: counts.kept,
    "sample": lambda counts: counts.texts,
    "vocab": lambda counts: counts.drawn,
}
ROWS: Mapping[str, Mapping[str, Callable[[Counts], float]]] = {  # of its tables
    "extract": {
        "documents": lambda counts: counts.documents,
        "skipped": lambda counts: counts.skipped,
        "inputs": lambda counts: counts.archives,
    },
    "clean": {"documents": lambda counts: counts.documents},
    "dedup": {
        "documents": lambda counts: counts.texts,
        "clusters": lambda counts: counts.copied,
        "signatures": lambda counts: counts.kept,
        "lines": lambda counts: counts.kept,
    },
    "sample": {"data": lambda counts: counts.written},
    "vocab": {},
}
FIGURES = (
    "seconds", "core_hours", "cpu_seconds", "peak_bytes", "shuffle_bytes", "bytes_read", "bytes_written", "requests",
    "dollars",
)  # fmt: skip
SUMMED = tuple(name for name in FIGURES if name != "peak_bytes")


class Machines(NamedTuple):
    """cores: that the whole is run on. here: that the sample was. overhead: times the time, of a cluster."""

    cores: int
    here: int

    @property
    def overhead(self) -> float:
        return OVERHEAD if self.cores > self.here else 1.0


class Runs(NamedTuple):
    """Of a stage. cold: the first run, tiny; tiny: the same again; larger: over more. None where it gave nothing."""

    cold: Observed | None
    tiny: Observed | None
    larger: Sequence[Observed]


class Model(NamedTuple):
    """Of a stage: lines over its work, and its tables in the sample."""

    alone: Line
    spread: Line
    cpu: Line
    read: Line
    peak: Line
    exchanged: Line
    by_rows: Line  # of the engine's exchange
    by_texts: Line
    items: float  # a unit of work; 0: as many at any size
    most_items: int
    longest: float
    tables: Mapping[str, Table]
    row_deviation: float


def model(stage: str, runs: Runs) -> Model:
    def fitted(y: Callable[[Observed], float], x: Callable[[Observed], float] = lambda run: run.x) -> Line:
        cold, tiny = ((x(run), y(run)) if run else None for run in (runs.cold, runs.tiny))
        return line(tiny, [(x(run), y(run)) for run in runs.larger], cold)

    def engine(run: Observed, of_texts: bool) -> float:
        return float(sum(size for job, size in run.shuffled.items() if (job in OF_TEXTS) == of_texts))

    last = runs.larger[-1]
    several = len(runs.larger) > 1 and last.items > runs.larger[0].items
    return Model(
        alone=fitted(lambda run: run.alone),
        spread=fitted(lambda run: run.spread),
        cpu=fitted(lambda run: run.cost["cpu_seconds"] or 0.0),
        read=fitted(lambda run: float(run.cost["bytes_read"] or 0)),
        peak=_memory(stage, runs),
        exchanged=fitted(lambda run: run.exchanged),
        by_rows=fitted(lambda run: engine(run, False)),
        by_texts=fitted(lambda run: engine(run, True), lambda run: run.texts),
        items=last.items / last.x if (several or stage in ("extract", "clean", "dedup")) and last.x else 0.0,
        most_items=last.items,
        longest=last.longest,
        tables=last.tables,
        row_deviation=max([LEAST_DEVIATION, *(_apart(run.tables, last.tables) for run in runs.larger[:-1])]),
    )


def _memory(stage: str, runs: Runs) -> Line:
    """Of the largest process: as in the first runs, before the driver holds what later stages have left it. One task of
    dedup holds something of every document, vocab what it has drawn."""
    first, last = runs.larger[0], runs.larger[-1]
    x, most = first.x, max(float(run.cost["peak_bytes"] or 0) for run in (runs.cold, first) if run)
    slope = 0.0
    if stage == "dedup" and not last.shuffled:
        slope = float(BYTES_A_DOCUMENT)
    elif stage == "vocab" and last.x > first.x:
        slope = max(0.0, ((last.cost["peak_bytes"] or 0) - most) / (last.x - first.x))
    return Line(max(0.0, most - slope * x), slope, LEAST_DEVIATION)


def _apart(some: Mapping[str, Table], whole: Mapping[str, Table]) -> float:
    """By how much bytes a row of a stage's largest table differ between runs."""
    largest = max(whole, key=lambda name: whole[name].bytes if whole[name].rows else -1)
    one, other = some.get(largest), whole[largest]
    if one is None or not (one.rows and other.rows and other.bytes):  # vocab's have no files
        return 0.0
    return abs(one.bytes / one.rows / (other.bytes / other.rows) - 1)


Figures = dict[str, float]
Noise = tuple[float, float]  # by how many standard deviations times, and bytes a row, are off


def figures(
    stage: str, model: Model, whole: Counts, machines: Machines, prices: Prices, noise: Noise = (0.0, 0.0)
) -> Figures:
    """Of the stage over the whole."""
    x = X[stage](whole)
    off = max(0.1, 1 + noise[0] * model.spread.deviation)
    off_bytes = max(0.1, 1 + noise[1] * model.row_deviation)
    alone, spread = model.alone.at(x), model.spread.at(x) * off
    items = max(1.0, model.items * x) if model.items else model.most_items
    seconds = alone + max(spread / min(machines.cores, items), min(model.longest, spread))
    seconds *= machines.overhead
    core_hours = (alone + spread) * machines.overhead / HOUR
    exchanged = model.exchanged.at(x) * off_bytes
    shuffled = model.by_rows.at(x) + (model.by_texts.at(whole.texts) if model.by_texts.slope else model.by_texts.fixed)
    shuffled *= off_bytes
    tables = written(stage, model, whole)
    size = sum(one.bytes for one in tables.values()) * off_bytes
    files = sum(one.files for name, one in tables.items() if name != SMALL)
    read = whole.bytes if stage == "extract" else model.read.at(x)
    gets = requests.gets(whole.archives, read, whole=stage == "extract")
    puts = requests.puts(max(1.0, files / max(1, len(tables) - 1)), size, max(1, len(tables) - 1))
    money = (
        core_hours * prices.core_hour
        + gets / 1e3 * prices.thousand_gets
        + puts / 1e3 * prices.thousand_puts
        + (read / 1e9 * prices.gb_in if stage == "extract" else 0.0)
        + size / 1e9 * prices.gb_out
    )
    return {
        "seconds": seconds,
        "core_hours": core_hours,
        "cpu_seconds": model.cpu.at(x) * off * machines.overhead,
        "peak_bytes": model.peak.at(x) * off_bytes,
        "shuffle_bytes": shuffled + exchanged,
        "exchanged_bytes": exchanged,
        "bytes_read": read,
        "bytes_written": size,
        "gets": gets,
        "puts": puts,
        "requests": gets + puts,
        "dollars": money,
    }


def written(stage: str, model: Model, whole: Counts) -> dict[str, Table]:
    """The stage's tables in the whole: each as many bytes a row as in the sample."""
    found = {}
    for name, table in model.tables.items():
        rows = ROWS[stage][name](whole) if name in ROWS[stage] and table.rows else float(table.rows)
        scale = rows / table.rows if table.rows else 1.0
        found[name] = Table(round(rows), max(table.files, round(table.files * scale)), round(table.bytes * scale))
    return found


def totals(stages: Mapping[str, Figures], prices: Prices) -> Figures:
    """Of all stages. storage_bytes: of all tables; peak_storage_bytes: with what the stage that needs most writes
    meanwhile; a month of storage is in the money."""
    found = {name: sum(one[name] for one in stages.values()) for name in SUMMED}
    found["peak_bytes"] = max(one["peak_bytes"] for one in stages.values())
    kept = 0.0
    peak = 0.0
    for stage in STAGES:
        kept += stages[stage]["bytes_written"]
        peak = max(peak, kept + stages[stage]["exchanged_bytes"])
    found["storage_bytes"], found["peak_storage_bytes"] = kept, peak
    found["dollars_a_month"] = kept / 1e9 * prices.gb_month
    found["spot_dollars"] = found["dollars"] - found["core_hours"] * (prices.core_hour - prices.spot_core_hour)
    return found
