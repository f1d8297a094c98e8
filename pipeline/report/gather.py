"""What the report is made of, read from the small files of finished stages, of training runs and of evaluations.

Never a table of documents. The largest read is extract/inputs, a row an archive, in batches.
"""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds

from pipeline.report.evaluations import Evaluations, read_evaluations
from pipeline.report.runs import Run, read_runs
from pipeline.store import generations, storage
from pipeline.store.generations import Generation
from schemas.costs import COST, Cost
from schemas.distributions import CLUSTERS, DISTRIBUTIONS, Distribution, LargeCluster
from schemas.errors import UserError
from schemas.extract import FAILED, INPUTS
from schemas.records import EXAMPLES, LEDGER, STAGES, Example, Ledger, RunRecord
from schemas.repeats import LINES, PARAGRAPH_EXAMPLES, PARAGRAPHS
from schemas.scores import SCORES, LearntRule
from schemas.vocab import REPORT

WORST_ARCHIVES = 50
COMMONEST_LINES = 30
COMMONEST_PARAGRAPHS = 30


@dataclass(frozen=True)
class Stage:
    """A finished stage. `outdated`: names of stages that were run again since it read them. cost: None where the run
    left no record of it."""

    record: RunRecord
    ledger: Ledger
    examples: list[Example]
    outdated: list[str]
    cost: Cost | None = None


@dataclass(frozen=True)
class Archives:
    """size: bytes as stored, where the stores told. worst: rows of INPUTS, the most broken first."""

    count: int
    size: int
    broken: int
    worst: list[dict[str, Any]]


@dataclass(frozen=True)
class RepeatedLines:
    """count: lines that a host repeats, all cut. commonest: rows of LINES on the most pages."""

    count: int
    commonest: list[dict[str, Any]]


@dataclass(frozen=True)
class RepeatedParagraphs:
    """listed: on two pages of two hosts; count: of these the ones that are cut. commonest: rows of PARAGRAPHS that are
    cut, those on the most pages, each with a `text` and the `url` where it stands, empty where it was taken down."""

    listed: int
    count: int
    commonest: list[dict[str, Any]]


@dataclass(frozen=True)
class Corpus:
    """Everything; None where a stage has not run. root: None where there are runs and evaluations alone.
    distributions, clusters, learnt: None too where clean or dedup were run by a version that wrote none;
    of learnt also where no rule reads a learnt score."""

    root: str | None
    stages: dict[str, Stage | None]
    archives: Archives | None
    lines: RepeatedLines | None
    mixture: dict[str, Any] | None
    vocabulary: dict[str, Any] | None
    runs: list[Run]
    evaluations: Evaluations | None = None
    distributions: list[Distribution] | None = None
    clusters: list[LargeCluster] | None = None
    learnt: list[LearntRule] | None = None
    paragraphs: RepeatedParagraphs | None = None


def gather(root: str | None, runs: Sequence[str], evaluations: Sequence[str] = ()) -> Corpus:
    """UserError where `root` or one of `runs` is no folder, or one of `evaluations` not what its contract says."""
    logs = read_runs(runs)
    folders = [run.folder for run in logs]
    if root is None:
        judged = read_evaluations(evaluations, None, folders)
        return Corpus(None, dict.fromkeys(STAGES), None, None, None, None, logs, judged)
    if not storage.exists(root):
        raise UserError(f"--root {root}: no such folder")
    found = {stage: generations.current(storage.join(root, stage)) for stage in STAGES}
    finished = {stage: generation for stage, generation in found.items() if generation}
    if not finished and generations.current(root):
        corpus = root.rpartition("/")[0]
        raise UserError(f"--root {root}: the folder of a stage; give the corpus that it lies in, {corpus}")
    records = {stage: generation.record() for stage, generation in finished.items()}
    stages = {stage: _stage(stage, finished, records) for stage in STAGES}
    return Corpus(
        root,
        stages,
        archives(list(finished["extract"].files("inputs").values())) if stages["extract"] else None,
        repeated_lines(list(finished["dedup"].files("lines").values())) if stages["dedup"] else None,
        finished["sample"].read_json("mixture.json") if stages["sample"] else None,
        storage.read_json(storage.join(root, "vocab", REPORT)) if stages["vocab"] else None,
        logs,
        read_evaluations(evaluations, root, folders),
        finished["clean"].read_json(DISTRIBUTIONS) if stages["clean"] else None,
        finished["dedup"].read_json(CLUSTERS) if stages["dedup"] else None,
        finished["clean"].read_json(SCORES) if stages["clean"] else None,
        repeated_paragraphs(finished["dedup"]) if stages["dedup"] else None,
    )


def _stage(name: str, finished: Mapping[str, Generation], records: Mapping[str, RunRecord]) -> Stage | None:
    if name not in finished or (ledger := finished[name].read_json(LEDGER)) is None:
        return None
    record = records[name]
    above = {key: upstream["fingerprint"] for key in record["inputs"] if (upstream := records.get(key))}
    outdated = [key for key, now in sorted(above.items()) if record["inputs"][key] != now]
    examples, cost = (finished[name].read_json(file) for file in (EXAMPLES, COST))
    return Stage(record, ledger, examples or [], outdated, cost)


def archives(paths: Sequence[str]) -> Archives | None:
    """Every receipt counts. The worst are those that gave nothing, then with most breaks, then most bytes left."""
    if not paths:
        return None
    count = size = broken = 0
    worst: list[tuple[Any, dict[str, Any]]] = []
    for batch in _dataset(paths, INPUTS).to_batches():
        for row in batch.to_pylist():
            count += 1
            size += row["size"] or 0
            if row["status"] != "ok":
                broken += 1
                row["breaks"] = sum(
                    entry["count"] for entry in row["counts"] or [] if entry["record_type"] == "archive"
                )
                worst.append((_health(row), row))
        worst = heapq.nsmallest(WORST_ARCHIVES, worst, key=lambda entry: entry[0])
    return Archives(count, size, broken, [row for _, row in worst])


def _dataset(paths: Sequence[str], schema: pa.Schema) -> ds.Dataset:
    fs, _ = storage.filesystem(paths[0])
    return ds.dataset([storage.filesystem(path)[1] for path in paths], schema=schema, filesystem=fs, format="parquet")


def repeated_lines(paths: Sequence[str]) -> RepeatedLines | None:
    """None where dedup has cut no lines."""
    if not paths:
        return None
    count, commonest = 0, list[dict[str, Any]]()
    for batch in _dataset(paths, LINES).to_batches():
        count += len(batch)
        rows = commonest + batch.to_pylist()
        order = [(-row["pages"], row["host"], row["line_hash"]) for row in rows]
        commonest = [rows[i] for i in heapq.nsmallest(COMMONEST_LINES, range(len(rows)), key=order.__getitem__)]
    return RepeatedLines(count, commonest)


def repeated_paragraphs(dedup: Generation) -> RepeatedParagraphs | None:
    """None where dedup has looked for none."""
    paths = list(dedup.files("paragraphs").values())
    if not paths:
        return None
    listed, count, commonest = 0, 0, list[dict[str, Any]]()
    for batch in _dataset(paths, PARAGRAPHS).to_batches():
        found = batch.filter(batch.column("is_cut"))
        listed, count = listed + len(batch), count + len(found)
        rows = commonest + found.to_pylist()
        commonest = heapq.nsmallest(COMMONEST_PARAGRAPHS, rows, key=lambda row: (-row["pages"], row["paragraph"]))
    shown: dict[int, dict[str, Any]] = {}
    wanted = ds.field("paragraph").isin([row["paragraph"] for row in commonest])
    examples = _dataset(list(dedup.files("paragraph_examples").values()), PARAGRAPH_EXAMPLES)
    for row in examples.to_table(filter=wanted).to_pylist():
        known = shown.setdefault(row["paragraph"], row)
        shown[row["paragraph"]] = min(known, row, key=lambda one: one["id"])
    for row in commonest:
        told = shown.get(row["paragraph"], {})
        row |= {"text": told.get("text") or "", "url": told.get("url") or told.get("id") or ""}
    return RepeatedParagraphs(listed, count, commonest)


def _health(row: dict[str, Any]) -> tuple[bool, int, int, str]:
    lost = (row["size"] or 0) - (row["broke_at"] or 0)
    return row["status"] not in FAILED, -row["breaks"], -lost, row["file_path"]
