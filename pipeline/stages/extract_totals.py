"""What extract wrote, added up from its files: the account, the rows of each table, a few pages for people to see.

Each task reads the receipts of some archives and of their other files the footers and the ids.
"""

import functools
import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh3_64_intdigest

from pipeline.archive.manifest import Archive, Asked
from pipeline.stages.extract import file_name
from pipeline.stages.extract_receipts import RETRY
from pipeline.store import storage
from pipeline.store.parquet_files import batches_of
from pipeline.workers.tasks import TaskRunner
from schemas.extract import FAILED
from schemas.records import EXAMPLE_CHARACTERS, EXAMPLES_A_REASON, Example

ARCHIVES_A_TASK = 50


class Broken(NamedTuple):
    file_path: str
    status: str
    detail: str


class Pick(NamedTuple):
    """A page to be shown: the ones whose ids hash lowest."""

    order: int
    id: str
    table: str
    file: str


class Totals(NamedTuple):
    """refused: files of archives that a store refused after all retries.  worst: the first of those that gave nothing.
    picks: by reason, None for documents."""

    archives: int
    failed: int  # archives that gave nothing at all
    records: int
    documents: int
    rows: Counter[str]
    reasons: Counter[str]
    refused: frozenset[str]
    worst: Broken | None
    picks: dict[str | None, list[Pick]]


def totals(run_tasks: TaskRunner, folder: str) -> Totals:
    """Of all archives with a receipt in `folder`."""
    names = storage.listing(storage.join(folder, "inputs"))
    return _added(run_tasks(functools.partial(_of_archives, folder=folder), _tasks(names)))


def refused(run_tasks: TaskRunner, folder: str, names: Iterable[str]) -> set[str]:
    """Those files of archives whose receipt says that a store refused them."""
    return {
        name for refusals in run_tasks(functools.partial(_refused, folder=folder), _tasks(names)) for name in refusals
    }


def others(run_tasks: TaskRunner, folder: str, archives: Sequence[Archive]) -> list[Archive]:
    """The archives with a receipt in `folder` whose paths are not those of `archives`, by path. Where they are is not
    known any more: their location is empty."""
    asked = {file_name(archive) for archive in archives}
    paths = {archive.file_path for archive in archives}
    names = [name for name in storage.listing(storage.join(folder, "inputs")) if name not in asked]
    found = run_tasks(functools.partial(_archives, folder=folder), _tasks(names))
    kept = [archive for part in found for archive in part if archive.file_path not in paths]
    return sorted(kept, key=lambda archive: archive.file_path)


def examples(total: Totals, folder: str) -> list[Example]:
    """The pages picked, documents first, then by reason."""
    shown = []
    for reason in sorted(total.picks, key=lambda reason: (reason is not None, reason or "")):
        for pick in total.picks[reason]:
            url, text = _shown(pick, folder)
            shown.append(Example(id=pick.id, url=url, language="", reason=reason, text=text[:EXAMPLE_CHARACTERS]))
    return shown


def _tasks(names: Iterable[str]) -> list[list[str]]:
    ordered = sorted(names)
    return [ordered[at : at + ARCHIVES_A_TASK] for at in range(0, len(ordered), ARCHIVES_A_TASK)]


def _shown(pick: Pick, folder: str) -> tuple[str, str]:
    """Address and text, or the detail of what was not read."""
    text = "text" if pick.table == "documents" else "detail"
    for batch in _batches(folder, pick.table, pick.file, ["id", "url", text]):
        for row in batch.filter(pc.equal(batch.column("id"), pick.id)).to_pylist():
            return row["url"] or "", row[text] or ""
    raise AssertionError(f"{pick.file} of {pick.table} lost {pick.id}")


def _batches(folder: str, table: str, name: str, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    yield from batches_of(storage.join(folder, table, name), 1024, columns)


def _archives(names: Sequence[str], folder: str) -> list[Archive]:
    return [
        Archive(row["file_path"], "", row["size"], _asked(row))
        for name in names
        for batch in _batches(folder, "inputs", name, ["file_path", "size", "asked", "asked_digest"])
        for row in batch.to_pylist()
    ]


def _asked(receipt: dict[str, Any]) -> Asked | None:
    """Without the places, which are not kept."""
    if receipt["asked"] is None:
        return None
    return Asked("", 0, receipt["asked"], receipt["size"], receipt["asked_digest"])


def _refused(names: Sequence[str], folder: str) -> list[str]:
    return [name for name in names if _column(folder, "inputs", name, "status") == [RETRY]]


def _column(folder: str, table: str, name: str, column: str) -> list[str | None]:
    return [value for batch in _batches(folder, table, name, [column]) for value in batch.column(0).to_pylist()]


def _of_archives(names: Sequence[str], folder: str) -> Totals:
    return _added([_of_archive(name, folder) for name in names])


def _of_archive(name: str, folder: str) -> Totals:
    (receipt,) = (row for batch in _batches(folder, "inputs", name) for row in batch.to_pylist())
    reasons: Counter[str] = Counter()
    for entry in receipt["counts"]:
        if entry["reason"] is not None:
            reasons[f"type:{entry['record_type']}" if entry["reason"] == "type" else entry["reason"]] += entry["count"]
    documents = _column(folder, "documents", name, "id")
    lost = [
        (row["id"], row["reason"])
        for batch in _batches(folder, "skipped", name, ["id", "reason"])
        for row in batch.to_pylist()
    ]
    pages: dict[str | None, list[tuple[str, str]]] = {None: [(page, "documents") for page in documents if page]}
    for page, reason in lost:
        if page is not None:  # a break has no page
            pages.setdefault(reason, []).append((page, "skipped"))
    picks = {
        reason: _lowest(Pick(xxh3_64_intdigest(page.encode()), page, table, name) for page, table in ids)
        for reason, ids in pages.items()
        if ids
    }
    failed = receipt["status"] in FAILED
    if receipt["asked"] is not None:  # of which some may have been read
        failed = all(entry["reason"] in (*FAILED, "not_there") for entry in receipt["counts"])
    worst = Broken(receipt["file_path"], receipt["status"], receipt["detail"] or "") if failed else None
    return Totals(
        1, int(failed), receipt["records"], receipt["documents"],
        Counter(inputs=1, documents=len(documents), skipped=len(lost)), reasons,
        frozenset({name} if receipt["status"] == RETRY else ()), worst, picks,
    )  # fmt: skip


def _lowest(picks: Iterable[Pick]) -> list[Pick]:
    return heapq.nsmallest(EXAMPLES_A_REASON, picks)


def _added(parts: Sequence[Totals]) -> Totals:
    picks: dict[str | None, list[Pick]] = {}
    for part in parts:
        for reason, lowest in part.picks.items():
            picks[reason] = _lowest([*picks.get(reason, []), *lowest])
    return Totals(
        sum(part.archives for part in parts),
        sum(part.failed for part in parts),
        sum(part.records for part in parts),
        sum(part.documents for part in parts),
        sum((part.rows for part in parts), Counter(documents=0, inputs=0, skipped=0)),
        sum((part.reasons for part in parts), Counter()),
        frozenset().union(*(part.refused for part in parts)),
        min((part.worst for part in parts if part.worst), default=None),
        picks,
    )
