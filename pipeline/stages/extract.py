"""extract: each archive's rows are files of their own that appear whole, its receipt last, so a killed job goes on
where it was, archive by archive.
"""

import functools
import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pyarrow as pa

from pipeline.archive.asked.places import read_places
from pipeline.archive.asked.ranges import range_reader
from pipeline.archive.asked.reading import read_asked
from pipeline.archive.fetch import FetchError, fetch
from pipeline.archive.limits import ArchiveLimits
from pipeline.archive.manifest import Archive
from pipeline.archive.records import Broken, Page, Skipped, read_archive
from pipeline.config import ExtractConfig
from pipeline.language.quick_guess import QuickLanguage
from pipeline.lists import list_files
from pipeline.lists.url_lists import UrlLists
from pipeline.page.documents import Document, Known, extract_page
from pipeline.page.engines import Engine
from pipeline.page.isolation import PageWorker
from pipeline.stages.extract_receipts import Account, united
from pipeline.stages.extract_tasks import Part, deal_parts
from pipeline.store import storage
from pipeline.store.parquet_files import batches_of
from pipeline.store.row_groups import RowGroupWriter
from pipeline.workers.heartbeats import Heartbeat
from pipeline.workers.tasks import TaskRunner
from schemas.errors import UserError
from schemas.extract import DOCUMENTS, INPUTS, SKIPPED

VERSION = 6
TABLES = {"documents": DOCUMENTS, "skipped": SKIPPED, "inputs": INPUTS}
PARTS = "_parts"  # folder of what is read of large archives, until they are whole
BATCH_ROWS = 256
_DUMP = re.compile(r"CC-MAIN-\d{4}-\d{2}")


def file_name(archive: Archive) -> str:
    """The archive's own file name in each table: readable, and unique by file_path, size and the records asked for."""
    stem = re.sub(r"[^\w.-]+", "-", archive.file_path.rsplit("/", 1)[-1], flags=re.ASCII)[-80:]
    stem = stem.lstrip("_.")  # Spark does not see files whose names begin with these
    identity = f"{archive.file_path} {archive.size}" + (f" {archive.asked.digest}" if archive.asked else "")
    return f"{stem}.{hashlib.sha256(identity.encode()).hexdigest()[:12]}.parquet"


def plan(run_tasks: TaskRunner, archives: list[Archive], config: ExtractConfig) -> list[list[Part]]:
    """What the tasks of `extract` read."""
    return deal_parts(run_tasks, archives, config.split_bytes, config.max_connections)


def extract(run_tasks: TaskRunner, planned: Sequence[Sequence[Part]], config: ExtractConfig, folder: str) -> None:
    """Reads every planned archive that has no receipt in `folder` into it."""
    storage.remove(storage.join(folder, PARTS))  # of a run that was killed
    blocked = UrlLists(config.block_lists) if config.block_lists else None
    run_tasks(functools.partial(_read_all, config=config, blocked=blocked, folder=folder), planned)


def _read_all(parts: Sequence[Part], config: ExtractConfig, blocked: UrlLists | None, folder: str) -> None:
    for part in parts:
        read_part(part, config, blocked, folder)


def read_part(part: Part, config: ExtractConfig, blocked: UrlLists | None, folder: str) -> None:
    """Writes the archive's rows and its receipt, unless there is one (a task that is tried again has several to read)
    or other parts of the archive are still being read."""
    name = file_name(part.archive)
    if storage.exists(storage.join(folder, "inputs", name)):
        return
    place, own = folder, name
    if part.parts > 1:
        place, own = storage.join(folder, PARTS, name), f"{part.start:016}.parquet"
    account = Account()
    documents = storage.join(place, "documents", own)
    skipped = storage.join(place, "skipped", own)
    with RowGroupWriter(documents, DOCUMENTS, BATCH_ROWS) as kept, RowGroupWriter(skipped, SKIPPED, BATCH_ROWS) as lost:
        _read_into(part, config, blocked, account, kept, lost, Heartbeat(folder, f"{name}.{part.start}"))
    with RowGroupWriter(storage.join(place, "inputs", own), INPUTS) as inputs:
        inputs.add(account.receipt(part.archive))
    if part.parts > 1 and len(storage.listing(storage.join(place, "inputs"))) == part.parts:
        _unite(place, folder, name)


def _unite(place: str, folder: str, name: str) -> None:
    """The archive's files from those of its parts, as if one task had read it.

    Two tasks that end at the same time may both do it: both write the same files whole.
    """
    for table in ("documents", "skipped"):
        with RowGroupWriter(storage.join(folder, table, name), TABLES[table], BATCH_ROWS) as out:
            for row in _rows_of_parts(storage.join(place, table)):
                out.add(row)
    receipt = united(list(_rows_of_parts(storage.join(place, "inputs"))))
    with RowGroupWriter(storage.join(folder, "inputs", name), INPUTS) as inputs:
        inputs.add(receipt)


def _rows_of_parts(place: str) -> Iterator[dict[str, Any]]:
    for own in sorted(storage.listing(place)):
        for batch in batches_of(storage.join(place, own), BATCH_ROWS):
            yield from batch.to_pylist()


@functools.cache
def _worker(engine: Engine, limits: ArchiveLimits) -> PageWorker:
    """One extraction process for all archives that a worker reads: its start costs more than a small archive."""
    return PageWorker(engine, limits)


@functools.cache
def _guess(languages: tuple[str, ...]) -> QuickLanguage | None:
    return QuickLanguage(languages) if languages else None


def lists(config: ExtractConfig) -> dict[str, dict[str, str]]:
    """What the run's identity says of the block lists: SHA-256 by path. UserError where one is not there."""
    digests: dict[str, str] = {}
    for given in map(list_files.absolute, config.block_lists):
        path = list_files.named(given)[1]
        if not storage.exists(path):
            raise UserError(f"[extract] block_lists: {path}: no such file or folder")
        digests[given] = storage.digest(path)
    return {"block_lists": digests}


def _read_into(
    part: Part, config: ExtractConfig, blocked: UrlLists | None,
    account: Account, kept: RowGroupWriter, lost: RowGroupWriter, heartbeat: Heartbeat,
) -> None:  # fmt: skip
    archive = part.archive
    limits = ArchiveLimits(
        max_page_bytes=config.max_page_bytes,
        max_decompression_ratio=config.max_decompression_ratio,
        max_tree_depth=config.max_tree_depth,
        page_seconds=config.page_seconds,
        page_memory_bytes=config.page_memory_bytes,
    )
    dump = config.dump or (match.group() if (match := _DUMP.search(archive.file_path)) else "")
    place = {"file_path": archive.file_path}
    worker, guess, known = _worker(config.engine, limits), _guess(config.languages), Known()
    with ExitStack() as stack:
        if archive.asked:
            items = _asked_items(archive, config, limits)
        else:
            try:
                stream = stack.enter_context(fetch(archive.location, config.retries, config.user_agent))
            except FetchError as error:
                account.broken(error.reason, None, str(error))
                lost.add({"record_type": "archive", "reason": error.reason, "detail": str(error), **place})
                return
            if part.start:
                stream.seek(part.start)
            items = read_archive(stream, name=archive.file_path, limits=limits, start=part.start, end=part.end)
        for item in items:
            if isinstance(item, Page):
                outcome: Document | Skipped
                if blocked is not None and (hit := blocked.match(pa.array([item.url]))[0]):
                    outcome = Skipped(item.record_type, "blocked_host", item.url, item.record_id, item.offset, hit)
                else:
                    outcome = extract_page(item, worker, guess, known)
                record_type = item.record_type
            elif isinstance(item, Broken):
                account.broken(item.reason, item.offset, item.detail)
                lost.add({"record_type": "archive", **_columns(item, SKIPPED), **place})
                continue
            else:
                outcome, record_type = item, item.record_type
            if isinstance(outcome, Document):
                account.add(record_type, None)
                kept.add({**_columns(outcome, DOCUMENTS), "dump": dump, **place})
            else:
                account.add(record_type, outcome.reason)
                if outcome.reason != "type":  # a row for each lost page, not for each request or warcinfo
                    lost.add({**_columns(outcome, SKIPPED), "id": outcome.record_id, **place})
            heartbeat(records=account.records, documents=account.documents, failures=account.failures)


def _asked_items(archive: Archive, config: ExtractConfig, limits: ArchiveLimits) -> Iterator[Page | Skipped | Broken]:
    assert archive.asked is not None
    return read_asked(
        range_reader(archive.location, config.retries, config.user_agent),
        read_places(archive.asked),
        name=archive.file_path,
        limits=limits,
        gap_bytes=config.range_gap_bytes,
        most_bytes=config.range_bytes,
    )


def _columns(item: Any, schema: pa.Schema) -> dict[str, Any]:
    return {name: getattr(item, name) for name in schema.names if hasattr(item, name)}
