"""What the tasks of extract read: an archive, a part of a large one, or archives of a store one after the other."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline import storage
from pipeline.archives import Archive
from pipeline.spark import tables
from pipeline.text.archive_parts import part_starts

_STARTS = pa.schema([("file_path", pa.string()), ("starts", pa.list_(pa.int64()))])


class Part(NamedTuple):
    """What of an archive begins at byte `start` or behind it and before the record at `end`; one of `parts` parts."""

    archive: Archive
    start: int = 0
    end: int | None = None
    parts: int = 1


def tasks(spark: SparkSession, archives: Sequence[Archive], split_bytes: int, max_connections: int) -> DataFrame:
    """A row and a partition a task; `parts_of` tells what to read, in order.

    Archives of stores are dealt out to at most `max_connections` tasks, so that no more are fetched at the same time,
    whatever the cluster does. A local archive is a task; one above `split_bytes` is several if it is uncompressed.
    """
    local = [archive for archive in archives if storage.is_local(archive.location)]
    remote = [archive for archive in archives if not storage.is_local(archive.location)]
    rows = [[Part(archive) for archive in remote[n::max_connections]] for n in range(min(len(remote), max_connections))]
    cuts = _cuts(spark, [archive for archive in local if (archive.size or 0) > split_bytes], split_bytes)
    for archive in local:
        starts = cuts.get(archive.file_path, [0])
        ends = [*starts[1:], None]
        rows += [[Part(archive, *span, len(starts))] for span in zip(starts, ends, strict=True)]
    flat = [[(*part.archive, *part[1:]) for part in parts] for parts in rows]
    kind = "array<struct<file_path string, location string, size long, start long, end long, parts long>>"
    return _one_a_task(spark, flat, f"parts {kind}")


def parts_of(batch: pa.RecordBatch) -> Iterator[Part]:
    """What the rows of `tasks` say."""
    for row in batch.column("parts").to_pylist():
        for one in row:
            archive = Archive(one["file_path"], one["location"], one["size"])
            yield Part(archive, one["start"], one["end"], one["parts"])


def _cuts(spark: SparkSession, archives: Sequence[Archive], split_bytes: int) -> dict[str, list[int]]:
    """File path -> where its parts begin. A task an archive, because each is read once for it."""

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for one in batch.column("archive").to_pylist():
                try:
                    starts = part_starts(storage.absolute(one["location"]), split_bytes)
                except OSError:  # the task that reads the archive tells what is wrong with it
                    starts = [0]
                yield pa.RecordBatch.from_pylist([{"file_path": one["file_path"], "starts": starts}], schema=_STARTS)

    if not archives:
        return {}
    rows = [(archive.file_path, archive.location) for archive in archives]
    spread = _one_a_task(spark, rows, "archive struct<file_path string, location string>")
    found = spread.mapInArrow(run, tables.spark_schema(_STARTS)).collect()
    return {row["file_path"]: list(row["starts"]) for row in found}


def _one_a_task(spark: SparkSession, rows: Sequence[Any], column: str) -> DataFrame:
    """A join with a broadcast table leaves the range's partitions as they are: exactly one row a task."""
    places = spark.range(0, len(rows), 1, len(rows))
    return places.join(F.broadcast(spark.createDataFrame(list(enumerate(rows)), f"id long, {column}")), "id")


def united(receipts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The receipt of an archive (schemas.extract.INPUTS) from those of its parts, in their order."""
    counts: Counter[tuple[str, str | None]] = Counter()
    for receipt in receipts:
        for one in receipt["counts"]:
            counts[one["record_type"], one["reason"]] += one["count"]
    ordered = sorted(counts.items(), key=lambda entry: (entry[0][0], entry[0][1] or ""))
    return {
        **next((receipt for receipt in receipts if receipt["status"] != "ok"), receipts[0]),  # tells the first break
        "records": sum(receipt["records"] for receipt in receipts),
        "documents": sum(receipt["documents"] for receipt in receipts),
        "counts": [{"record_type": kind, "reason": why, "count": n} for (kind, why), n in ordered],
    }
