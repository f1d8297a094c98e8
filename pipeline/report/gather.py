"""What the report is made of, read from the small files of finished stages and of a training run.

Never a table of documents. The largest read is extract/inputs, a row an archive, in batches.
"""

import heapq
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow.dataset as ds

from pipeline.store import storage
from schemas.errors import UserError
from schemas.extract import FAILED, INPUTS
from schemas.records import EXAMPLES, LEDGER, RUN, STAGES, Example, Ledger, RunRecord
from schemas.repeated_lines import LINES

WORST_ARCHIVES = 50
COMMONEST_LINES = 30
RECENT_LINES = 20  # of metrics.jsonl, over which a language's training loss is averaged


@dataclass(frozen=True)
class Stage:
    """A finished stage. `outdated`: names of stages that were run again since it read them."""

    record: RunRecord
    ledger: Ledger
    examples: list[Example]
    outdated: list[str]


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


@dataclass
class Training:
    """A run's log. steps: the train lines without their languages. validation: (step, loss).

    languages: `eng_Latn` -> tokens, documents, epochs since the start, and loss, the mean in nats over the guesses of
    the last lines. validation_languages: `eng_Latn` -> loss of the last validation.
    """

    folder: str
    record: dict[str, Any]
    steps: list[dict[str, Any]] = field(default_factory=list)
    validation: list[tuple[int, float]] = field(default_factory=list)
    languages: dict[str, dict[str, Any]] = field(default_factory=dict)
    validation_languages: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Corpus:
    """Everything; None where a stage has not run, or no run was named."""

    stages: dict[str, Stage | None]
    archives: Archives | None
    lines: RepeatedLines | None
    mixture: dict[str, Any] | None
    vocabulary: dict[str, Any] | None
    training: Training | None


def gather(root: str, run: str | None) -> Corpus:
    """UserError where `root` or `run` is no folder."""
    for flag, folder in (("--root", root), ("--run", run)):
        if folder is not None and not storage.exists(folder):
            raise UserError(f"{flag} {folder}: no such folder")
    records = {stage: storage.read_json(storage.join(root, stage, RUN)) for stage in STAGES}
    stages = {stage: _stage(root, stage, records) for stage in STAGES}
    return Corpus(
        stages,
        archives(storage.join(root, "extract", "inputs")) if stages["extract"] else None,
        repeated_lines(storage.join(root, "dedup", "lines")) if stages["dedup"] else None,
        storage.read_json(storage.join(root, "sample", "mixture.json")) if stages["sample"] else None,
        storage.read_json(storage.join(root, "vocab", "report.json")) if stages["vocab"] else None,
        training(run) if run else None,
    )


def _stage(root: str, name: str, records: dict[str, RunRecord | None]) -> Stage | None:
    record = records[name]
    ledger = storage.read_json(storage.join(root, name, LEDGER))
    if record is None or ledger is None:
        return None
    above = {key: upstream["fingerprint"] for key in record["inputs"] if (upstream := records.get(key))}
    outdated = [key for key, now in sorted(above.items()) if record["inputs"][key] != now]
    return Stage(record, ledger, storage.read_json(storage.join(root, name, EXAMPLES)) or [], outdated)


def archives(folder: str) -> Archives | None:
    """Every receipt counts. The worst are those that gave nothing, then with most breaks, then most bytes left."""
    if not storage.listing(folder):
        return None
    fs, inside = storage.filesystem(folder)
    receipts = ds.dataset(inside, schema=INPUTS, filesystem=fs, format="parquet")
    count = size = broken = 0
    worst: list[tuple[Any, dict[str, Any]]] = []
    for batch in receipts.to_batches():
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


def repeated_lines(folder: str) -> RepeatedLines | None:
    """None where dedup has cut no lines."""
    if not storage.listing(folder):
        return None
    fs, inside = storage.filesystem(folder)
    count, commonest = 0, list[dict[str, Any]]()
    for batch in ds.dataset(inside, schema=LINES, filesystem=fs, format="parquet").to_batches():
        count += len(batch)
        rows = commonest + batch.to_pylist()
        order = [(-row["pages"], row["host"], row["line_hash"]) for row in rows]
        commonest = [rows[i] for i in heapq.nsmallest(COMMONEST_LINES, range(len(rows)), key=order.__getitem__)]
    return RepeatedLines(count, commonest)


def _health(row: dict[str, Any]) -> tuple[bool, int, int, str]:
    lost = (row["size"] or 0) - (row["broke_at"] or 0)
    return row["status"] not in FAILED, -row["breaks"], -lost, row["file_path"]


def training(folder: str) -> Training:
    """The log line by line; a run that has logged nothing yet has no steps."""
    result = Training(folder, storage.read_json(storage.join(folder, RUN)) or {})
    recent: deque[dict[str, Any]] = deque(maxlen=RECENT_LINES)
    for line in _lines(storage.join(folder, "metrics.jsonl")):
        languages = line.pop("languages", {})
        if line.get("split") == "validation":
            if line["loss"] is not None:
                result.validation.append((line["step"], line["loss"]))
            result.validation_languages = {name: scores["loss"] for name, scores in languages.items()}
        else:
            result.steps.append(line)
            recent.append(languages)
    for name, last in sorted(recent[-1].items()) if recent else ():
        lines = [languages[name] for languages in recent if languages.get(name, {}).get("loss") is not None]
        guesses = sum(line["masked"] for line in lines)
        loss = sum(line["loss"] * line["masked"] for line in lines) / guesses if guesses else None
        result.languages[name] = {key: last.get(key) for key in ("tokens", "documents", "epochs")} | {"loss": loss}
    return result


def _lines(path: str) -> Iterator[dict[str, Any]]:
    """Whole lines of JSON; a last one that is being written is left out."""
    if not storage.exists(path):
        return
    fs, inside = storage.filesystem(path)
    with fs.open(inside, "rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield json.loads(line)
