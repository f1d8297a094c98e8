"""What extract wrote, added up from its files: the account, the rows of each table, a few pages for people to see.

Each task reads the receipts of some archives and of their other files the footers and the ids.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow.compute as pc
from xxhash import xxh3_64_intdigest

from pipeline.archive.manifest import Archive, Asked
from pipeline.stages.extract import file_name
from pipeline.stages.extract_receipts import RETRY
from pipeline.store import storage
from pipeline.store.generations import Generation
from pipeline.store.parquet_files import batches_of
from pipeline.workers.tasks import TaskRunner
from schemas.extract import FAILED
from schemas.records import EXAMPLE_CHARACTERS, EXAMPLES_A_REASON, Example

ARCHIVES_A_TASK = 50
BATCH_ROWS = 1024


class ArchiveFiles(NamedTuple):
    """Paths of what was written of an archive; name: of each file in its table."""

    name: str
    inputs: str
    documents: str
    skipped: str


class Broken(NamedTuple):
    file_path: str
    status: str
    detail: str


class Pick(NamedTuple):
    """A page to be shown: the ones whose ids hash lowest. file: its path."""

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


def in_generation(generation: Generation) -> dict[str, ArchiveFiles]:
    """The archives of a finished generation of the stage, by the names of their files."""
    inputs, documents, skipped = (generation.files(table) for table in ("inputs", "documents", "skipped"))
    return {name: ArchiveFiles(name, path, documents[name], skipped[name]) for name, path in inputs.items()}


def in_place(place: str, names: Iterable[str]) -> dict[str, ArchiveFiles]:
    """Likewise of names of files that were written to the place of a generation."""
    tables = ("inputs", "documents", "skipped")
    return {name: ArchiveFiles(name, *(storage.join(place, table, name) for table in tables)) for name in sorted(names)}


def totals(run_tasks: TaskRunner, archives: Iterable[ArchiveFiles]) -> Totals:
    return _added(run_tasks(_of_archives, _tasks(archives)))


def refused(run_tasks: TaskRunner, archives: Iterable[ArchiveFiles]) -> set[str]:
    """Names of those whose receipt says that a store refused them."""
    return {name for refusals in run_tasks(_refused, _tasks(archives)) for name in refusals}


def others(
    run_tasks: TaskRunner, finished: Mapping[str, ArchiveFiles], archives: Sequence[Archive]
) -> dict[str, Archive]:
    """Of the finished ones those whose paths are not those of `archives`, by the names of their files, in the order of
    their paths. Where they are is not known any more: their location is empty."""
    asked = {file_name(archive) for archive in archives}
    paths = {archive.file_path for archive in archives}
    found = run_tasks(_archives, _tasks(files for name, files in finished.items() if name not in asked))
    kept = [(name, archive) for part in found for name, archive in part if archive.file_path not in paths]
    return dict(sorted(kept, key=lambda pair: pair[1].file_path))


def examples(total: Totals) -> list[Example]:
    """The pages picked, documents first, then by reason."""
    shown = []
    for reason in sorted(total.picks, key=lambda reason: (reason is not None, reason or "")):
        for pick in total.picks[reason]:
            url, text = _shown(pick)
            shown.append(Example(id=pick.id, url=url, language="", reason=reason, text=text[:EXAMPLE_CHARACTERS]))
    return shown


def _tasks(archives: Iterable[ArchiveFiles]) -> list[list[ArchiveFiles]]:
    ordered = sorted(archives)
    return [ordered[at : at + ARCHIVES_A_TASK] for at in range(0, len(ordered), ARCHIVES_A_TASK)]


def _shown(pick: Pick) -> tuple[str, str]:
    """Address and text, or the detail of what was not read."""
    text = "text" if pick.table == "documents" else "detail"
    for batch in batches_of(pick.file, BATCH_ROWS, ["id", "url", text]):
        for row in batch.filter(pc.equal(batch.column("id"), pick.id)).to_pylist():
            return row["url"] or "", row[text] or ""
    raise AssertionError(f"{pick.file} lost {pick.id}")


def _archives(archives: Sequence[ArchiveFiles]) -> list[tuple[str, Archive]]:
    return [
        (files.name, Archive(row["file_path"], "", row["size"], _asked(row)))
        for files in archives
        for batch in batches_of(files.inputs, BATCH_ROWS, ["file_path", "size", "asked", "asked_digest"])
        for row in batch.to_pylist()
    ]


def _asked(receipt: dict[str, Any]) -> Asked | None:
    """Without the places, which are not kept."""
    if receipt["asked"] is None:
        return None
    return Asked("", 0, receipt["asked"], receipt["size"], receipt["asked_digest"])


def _refused(archives: Sequence[ArchiveFiles]) -> list[str]:
    return [files.name for files in archives if _column(files.inputs, "status") == [RETRY]]


def _column(path: str, column: str) -> list[str | None]:
    return [value for batch in batches_of(path, BATCH_ROWS, [column]) for value in batch.column(0).to_pylist()]


def _of_archives(archives: Sequence[ArchiveFiles]) -> Totals:
    return _added([_of_archive(files) for files in archives])


def _of_archive(files: ArchiveFiles) -> Totals:
    (receipt,) = (row for batch in batches_of(files.inputs, BATCH_ROWS) for row in batch.to_pylist())
    reasons: Counter[str] = Counter()
    for entry in receipt["counts"]:
        if entry["reason"] is not None:
            reasons[f"type:{entry['record_type']}" if entry["reason"] == "type" else entry["reason"]] += entry["count"]
    documents = _column(files.documents, "id")
    lost = [
        (row["id"], row["reason"])
        for batch in batches_of(files.skipped, BATCH_ROWS, ["id", "reason"])
        for row in batch.to_pylist()
    ]
    places = {"documents": ("documents", files.documents), "skipped": ("skipped", files.skipped)}
    pages: dict[str | None, list[tuple[str, tuple[str, str]]]] = {
        None: [(page, places["documents"]) for page in documents if page]
    }
    for page, reason in lost:
        if page is not None:  # a break has no page
            pages.setdefault(reason, []).append((page, places["skipped"]))
    picks = {
        reason: _lowest(Pick(xxh3_64_intdigest(page.encode()), page, *place) for page, place in ids)
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
        frozenset({files.name} if receipt["status"] == RETRY else ()), worst, picks,
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
