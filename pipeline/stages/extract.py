"""extract: each archive's rows are files of their own that appear whole, its receipt last, so a killed job goes on
where it was, archive by archive.
"""

import functools
import hashlib
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline.archive import fetch
from pipeline.archive.asked.places import read_places
from pipeline.archive.asked.ranges import range_reader
from pipeline.archive.asked.reading import read_asked
from pipeline.archive.fetch import FetchError
from pipeline.archive.limits import ArchiveLimits
from pipeline.archive.manifest import Archive, Asked
from pipeline.archive.records import Broken, Page, Skipped, read_archive
from pipeline.config import ExtractConfig
from pipeline.fetching import fetcher
from pipeline.fetching.permits import Permits, permit
from pipeline.language.quick_guess import QuickLanguage
from pipeline.lists import list_files
from pipeline.lists.url_lists import UrlLists
from pipeline.observed import counts, logs
from pipeline.page.documents import Document, Known, extract_page
from pipeline.page.engines import Engine
from pipeline.page.isolation import PageWorker
from pipeline.stages.extract_receipts import Account, united
from pipeline.stages.extract_tasks import Part, planned_tasks
from pipeline.store import storage
from pipeline.store.parquet_files import batches_of
from pipeline.store.row_groups import RowGroupWriter
from pipeline.web import addresses
from pipeline.workers import telling
from pipeline.workers.tasks import Step, TaskRunner
from schemas.errors import UserError
from schemas.extract import DOCUMENTS, INPUTS, SKIPPED

VERSION = 7
TABLES = {"documents": DOCUMENTS, "skipped": SKIPPED, "inputs": INPUTS}
PARTS = "_parts"  # folder of what is read of large archives, until they are whole
BATCH_ROWS = 256
OF_THE_PARSER = ("timeout", "memory", "parser_crash")  # reasons for which a page is named in the log
log = logging.getLogger(__name__)
_DUMP = re.compile(r"CC-MAIN-\d{4}-\d{2}")


def file_name(archive: Archive) -> str:
    """The archive's own file name in each table: readable, and unique by file_path, size and the records asked for."""
    stem = re.sub(r"[^\w.-]+", "-", archive.file_path.rsplit("/", 1)[-1], flags=re.ASCII)[-80:]
    stem = stem.lstrip("_.")  # Spark does not see files whose names begin with these
    identity = f"{archive.file_path} {archive.size}" + (f" {archive.asked.digest}" if archive.asked else "")
    digest = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{stem}.{digest[:12]}.parquet"


class Reading(NamedTuple):
    """How tasks read. folder: what is built. permits: of connections to stores, None: without a bound."""

    config: ExtractConfig
    blocked: UrlLists | None
    folder: str
    permits: Permits | None = None


def plan(run_tasks: TaskRunner, archives: list[Archive], config: ExtractConfig) -> list[list[Part]]:
    """What the tasks of `extract` read."""
    return planned_tasks(run_tasks, archives, config.split_bytes)


def extract(
    run_tasks: TaskRunner,
    planned: Sequence[Sequence[Part]],
    config: ExtractConfig,
    folder: str,
    permits: Permits | None = None,
) -> None:
    """Reads every planned archive that has no receipt in `folder` into it."""
    blocked = UrlLists(config.block_lists) if config.block_lists else None
    reading = Reading(config, blocked, folder, permits)
    sizes = [sum(part.start == 0 for part in parts) for parts in planned]
    run_tasks(functools.partial(_read_all, reading=reading), planned, Step("extract", sizes, "archives"))


def _read_all(parts: Sequence[Part], reading: Reading) -> None:
    for part in parts:
        with logs.about(archive=part.archive.file_path):
            read_part(part, reading)


def read_part(part: Part, reading: Reading) -> None:
    """Writes the archive's rows and its receipt, unless there is one (a task may be tried again, and a killed run's
    files are seen by their names) or other parts of the archive are still being read."""
    folder, name = reading.folder, file_name(part.archive)
    if storage.exists(storage.join(folder, "inputs", name)):
        return
    if len(part.starts) == 1:
        counts.count("archives", _read_to(part, reading, folder, name).status)
    else:
        place, own = _place_of_parts(part, folder, name), _part_name(part.start)
        if not storage.exists(storage.join(place, "inputs", own)):
            _read_to(part, reading, place, own)
        names = [_part_name(start) for start in part.starts]
        if all(storage.exists(storage.join(place, "inputs", one)) for one in names):
            counts.count("archives", _unite(place, names, folder, name))


def _read_to(part: Part, reading: Reading, place: str, own: str) -> Account:
    """Reads the part into files named `own` of the tables in `place`, the receipt last."""
    account = Account()
    documents, skipped = (storage.join(place, table, own) for table in ("documents", "skipped"))

    @contextmanager
    def writers() -> Iterator[tuple[RowGroupWriter, RowGroupWriter]]:
        with (
            RowGroupWriter(documents, DOCUMENTS, BATCH_ROWS) as kept,
            RowGroupWriter(skipped, SKIPPED, BATCH_ROWS) as lost,
        ):
            yield kept, lost

    try:
        if part.archive.asked is not None:
            with writers() as (kept, lost):
                _read_into(part, _asked_items(part.archive, part.archive.asked, reading), reading, account, kept, lost)
        else:
            with fetcher.opened(_wanted(part, reading)) as source:
                is_whole = False
                while not is_whole:
                    account = Account()
                    with writers() as (kept, lost):
                        _read_into(part, _items(part, source, reading), reading, account, kept, lost)
                        is_whole = source.is_what_was_read()  # before anything is written
    except FetchError as error:
        account = Account()
        account.broken(error.reason, None, str(error))
        row = {"record_type": "archive", "reason": error.reason, "detail": str(error)}
        with writers() as (_, lost):
            lost.add({**row, "file_path": part.archive.file_path})
    with RowGroupWriter(storage.join(place, "inputs", own), INPUTS) as inputs:
        inputs.add(account.receipt(part.archive))
    counts.count_all(account.told())
    if account.status != "ok":
        log.warning("%s: %s", account.status, account.detail, extra={"reason": account.status})
    return account


def _wanted(part: Part, reading: Reading) -> fetcher.Wanted:
    """What of the archive is fetched."""
    config = reading.config
    return fetcher.Wanted(part.archive.location, config.retries, config.user_agent, reading.permits, fetch.FIRST_WAIT)


def _part_name(start: int) -> str:
    return f"{start:016}.parquet"


def _place_of_parts(part: Part, folder: str, name: str) -> str:
    """Where files of the archive's parts wait for the others; of these cuts, since a killed run may have had others."""
    cuts = hashlib.sha256(" ".join(map(str, part.starts)).encode()).hexdigest()[:12]
    return storage.join(folder, PARTS, name, cuts)


def _unite(place: str, names: Sequence[str], folder: str, name: str) -> str:
    """The archive's files from those of its parts, as if one task had read it; answers its status.

    Two tasks that end at the same time may both do it: both write the same files whole.
    """
    for table in ("documents", "skipped"):
        with RowGroupWriter(storage.join(folder, table, name), TABLES[table], BATCH_ROWS) as out:
            for row in _rows_of_parts(storage.join(place, table), names):
                out.add(row)
    receipt = united(list(_rows_of_parts(storage.join(place, "inputs"), names)))
    with RowGroupWriter(storage.join(folder, "inputs", name), INPUTS) as inputs:
        inputs.add(receipt)
    return str(receipt["status"])


def _rows_of_parts(place: str, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    for own in names:
        for batch in batches_of(storage.join(place, own), BATCH_ROWS):
            yield from batch.to_pylist()


@functools.cache
def _worker(engine: Engine, limits: ArchiveLimits, markdown: bool) -> PageWorker:
    """One extraction process for all archives that a worker reads: its start costs more than a small archive."""
    return PageWorker(engine, limits, markdown)


@functools.cache
def _guess(languages: tuple[str, ...]) -> QuickLanguage | None:
    return QuickLanguage(languages) if languages else None


def lists(config: ExtractConfig) -> dict[str, object]:
    """What the run's identity says of the block lists: SHA-256 by path, and how addresses are compared. UserError where
    one is not there."""
    digests: dict[str, str] = {}
    for given in map(list_files.absolute, config.block_lists):
        path = list_files.named(given)[1]
        if not storage.exists(path):
            raise UserError(f"[extract] block_lists: {path}: no such file or folder")
        digests[given] = storage.digest(path)
    return {"block_lists": digests, **({"addresses": addresses.VERSION} if digests else {})}


def _limits(config: ExtractConfig) -> ArchiveLimits:
    return ArchiveLimits(
        max_page_bytes=config.max_page_bytes,
        max_decompression_ratio=config.max_decompression_ratio,
        max_tree_depth=config.max_tree_depth,
        page_seconds=config.page_seconds,
        page_memory_bytes=config.page_memory_bytes,
    )


def _items(part: Part, source: fetcher.Copy, reading: Reading) -> Iterator[Page | Skipped | Broken]:
    if part.start:
        source.seek(part.start)
    limits = _limits(reading.config)
    return read_archive(source, name=part.archive.file_path, limits=limits, start=part.start, end=part.end)


def _asked_items(archive: Archive, asked: Asked, reading: Reading) -> Iterator[Page | Skipped | Broken]:
    config = reading.config
    read_range = range_reader(
        archive.location,
        config.retries,
        config.user_agent,
        permit=functools.partial(permit, reading.permits),
        first_wait=fetch.FIRST_WAIT,
    )
    return read_asked(
        read_range,
        read_places(asked),
        name=archive.file_path,
        limits=_limits(config),
        gap_bytes=config.range_gap_bytes,
        most_bytes=config.range_bytes,
    )


def _read_into(
    part: Part, items: Iterable[Page | Skipped | Broken], reading: Reading,
    account: Account, kept: RowGroupWriter, lost: RowGroupWriter,
) -> None:  # fmt: skip
    archive, config, blocked = part.archive, reading.config, reading.blocked
    dump = config.dump or (match.group() if (match := _DUMP.search(archive.file_path)) else "")
    place = {"file_path": archive.file_path}
    worker = _worker(config.engine, _limits(config), config.markdown)
    guess, known = _guess(config.languages), Known()
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
            if outcome.reason in OF_THE_PARSER:
                log.warning("%s: %s", outcome.reason, outcome.url, extra={"reason": outcome.reason})
            if outcome.reason != "type":  # a row for each lost page, not for each request or warcinfo
                lost.add({**_columns(outcome, SKIPPED), "id": outcome.record_id, **place})
        if telling.due():
            telling.tell(account.told())


def _columns(item: Any, schema: pa.Schema) -> dict[str, Any]:
    return {name: getattr(item, name) for name in schema.names if hasattr(item, name)}
