"""extract from an index: which records are asked of which archives, found out once for a stage's folder."""

from typing import Any, NamedTuple

import pyarrow as pa
from pyspark.sql import SparkSession

from pipeline.archive.asked.index_files import IndexFiles, index_files, location
from pipeline.archive.manifest import Archive, Asked, sampled
from pipeline.config import ExtractConfig
from pipeline.spark.index_places import write_asked
from pipeline.spark.session import LazySession, started
from pipeline.store import run_records, storage
from pipeline.store.parquet_files import read_parquet
from pipeline.store.row_groups import RowGroupWriter
from schemas.redacted import without_secrets

PLACES = "_places"  # folder of the places of records, until they are read
ASKING = 1  # raised when the same index and expression give other places than before
_WHOLE = "archives.parquet"  # written last: the folder's other files, by archive
_ARCHIVES = pa.schema(
    [
        ("file_path", pa.string()),
        ("table", pa.string()),  # name of the file in the same folder
        ("group", pa.int64()),
        ("records", pa.int64()),
        ("bytes", pa.int64()),
        ("digest", pa.string()),
    ]
)


class IndexQuery(NamedTuple):
    """The records of an index that `where` is true of; all, where it is empty. sample, limit: of the archives that
    have any."""

    files: IndexFiles
    where: str
    prefix: str
    sample: float = 1.0
    limit: int | None = None
    at_least_one: bool = False

    def fingerprint(self) -> str:
        """By the names and sizes of the index's files, wherever they lie."""
        return run_records.fingerprint([ASKING, self.files.sizes, self.where, self.sample, self.limit])


def index_query(index: str, where: str, config: ExtractConfig) -> IndexQuery:
    """UserError where there is no such index."""
    return IndexQuery(index_files(index, config.prefix), where.strip(), config.prefix, config.sample, config.limit)


def asked_archives(engine: SparkSession | LazySession, query: IndexQuery, folder: str) -> list[Archive]:
    """By file_path. Their places are files in `folder`, those of a run that was killed where they are whole.

    UserError for what is no condition, what nothing matches, and where nobody said where archives are.
    """
    place = storage.join(folder, PLACES, query.fingerprint())
    if not storage.exists(storage.join(place, _WHOLE)):
        storage.remove(place)
        _write(write_asked(started(engine), query.files, query.where, place), storage.join(place, _WHOLE))
    found = read_parquet(storage.join(place, _WHOLE)).to_pylist()
    rows = {row["file_path"]: row for row in found}
    taken = sampled(rows, query.sample, query.limit, query.at_least_one)
    return [_archive(rows[name], place, query.prefix) for name in taken]


def _write(found: dict[str, Asked], path: str) -> None:
    with RowGroupWriter(path, _ARCHIVES) as writer:
        for name, asked in sorted(found.items()):
            writer.add({"file_path": name, **asked._asdict(), "table": asked.table.rsplit("/", 1)[-1]})


def _archive(row: dict[str, Any], place: str, prefix: str) -> Archive:
    name = row.pop("file_path")
    asked = Asked(**{**row, "table": storage.join(place, row["table"])})
    return Archive(without_secrets(name), location(name, prefix), asked.bytes, asked)
