"""remove: documents taken out of every table of a root, and out of what the stages say of their tables.

What is listed is found by its url (or host) wherever a table has one; its ids go from all other tables. Ids are joined
by the engine, so neither the driver nor a task holds more of them than one file has. Only files that hold a removed row
are written again, one task a file; the others are linked.

A removed row counts as `removed` in each stage whose tables had it: it moves there from the rows out, or from the
reason for which it had been dropped. `rows_in` is what the stage once read and stays.
"""

import functools
import hashlib
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.lists.row_removal import key_columns, listed_rows, remove_rows
from pipeline.lists.takedown import Takedown
from pipeline.mixture.manifest import without_rows
from pipeline.spark import tables
from pipeline.spark.tasks import one_row_a_task
from pipeline.stages.extract_receipts import counts_column
from pipeline.store import storage
from pipeline.store.parquet_files import read_parquet
from pipeline.store.row_groups import RowGroupWriter
from pipeline.workers.tasks import TaskRunner
from schemas.extract import INPUTS
from schemas.records import REMOVED, Account, Example, Ledger

T = TypeVar("T")

MOST_TASKS = 4096
FEW_FILES = 8  # whose keys one task reads: a task costs more than a small file
IDS = pa.schema([("id", pa.string())])

# Stage and table whose rows are its account: the column with the reason; null or no column: a row out. Clusters tell
# of the dropped rows only, for kept ones are in documents.
COUNTED = {
    ("extract", "documents"): None,
    ("extract", "skipped"): "reason",
    ("clean", "documents"): "drop_reason",
    ("dedup", "documents"): None,
    ("dedup", "clusters"): "drop_reason",
    ("sample", "data"): None,
}

Receipt = dict[str, Any]  # a row of RECEIPT
Moves = Counter[tuple[str, str | None]]  # (`eng_Latn`, reason; None: it was kept) -> rows


class Found(NamedTuple):
    """documents: ids that go. copies: documents that are listed nowhere and had been found to be copies of these.
    files: paths below the root that hold a row of theirs or name them as a cluster.
    """

    documents: int
    copies: int
    files: list[str]


def parquet_files(root: str) -> list[str]:
    """Paths below the root, in order; none of an unfinished stage."""
    return [name for name in storage.listing(root) if name.endswith(".parquet") and "/" in name]


def find(spark: SparkSession, root: str, files: Sequence[str], listed: Takedown, scratch: str) -> Found:
    """Looks through all tables and writes to the folder `scratch` which ids each file holds."""

    def by_url(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for path in _paths(batches):
            for piece in key_columns(storage.join(root, path), ("id", "url", "host")):
                yield _held(path, piece.filter(pa.array(listed_rows(piece, listed))), "id", with_nulls=True)

    def by_id(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for path in _paths(batches):
            for piece in key_columns(storage.join(root, path), ("id", "cluster_id")):
                for name in piece.column_names:
                    yield _held(path, piece, name)

    def written(table: DataFrame, name: str) -> DataFrame:
        return tables.settled(table, storage.join(scratch, name))

    def write_ids(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for path, ids in zip(batch.column("path").to_pylist(), batch.column("ids"), strict=True):
                with RowGroupWriter(_ids_file(scratch, path), IDS) as out:
                    out.write(pa.table([ids.values.cast(pa.string())], IDS))
            yield batch.select(["path"])

    held = "path string, id string"
    chunks = one_row_a_task(spark, _chunks(files, FEW_FILES), "array<string>")
    matched = written(chunks.mapInArrow(by_url, held), "matched")
    ids = written(matched.where(F.col("id").isNotNull()).select("id").distinct(), "ids")
    others = chunks.mapInArrow(by_id, held).join(ids, "id", "left_semi").select("path", "id")
    by_file = matched.unionByName(others).groupBy("path").agg(F.collect_set("id").alias("ids"))
    touched = sorted(row["path"] for row in by_file.mapInArrow(write_ids, "path string").collect())
    pages = matched.where(~F.col("path").startswith("extract/skipped/")).where(F.col("id").isNotNull())
    return Found(pages.select("id").distinct().count(), _copies(spark, root, files, ids), touched)


def _copies(spark: SparkSession, root: str, files: Sequence[str], ids: DataFrame) -> int:
    """Documents that stay and are in one cluster with one that goes."""
    if not any(path.startswith("dedup/clusters/") for path in files):
        return 0
    clustered = tables.read(spark, storage.join(root, "dedup", "clusters"), ["id", "cluster_id"])
    theirs = clustered.join(ids, "id", "left_semi").select("cluster_id").distinct()
    return clustered.join(theirs, "cluster_id", "left_semi").join(ids, "id", "left_anti").count()


def rewrite_files(
    run_tasks: TaskRunner,
    root: str,
    places: Mapping[str, str | None],
    stages: Mapping[str, str],
    listed: Takedown,
    found: Found,
    scratch: str,
) -> list[Receipt]:
    """Writes files without the rows that `find` found in them, links those that hold none; answers a row of RECEIPT
    for each that holds one, `path` below the root.

    places: path below the root -> where the new file is to be, None: count only. stages: folder of the root -> stage.
    """
    touched = set(found.files)
    asked = [(path, target, path in touched) for path, target in sorted(places.items()) if target or path in touched]
    task = functools.partial(_rewrite_chunk, root=root, stages=stages, listed=listed, scratch=scratch)
    return sorted(itertools.chain(*run_tasks(task, _chunks(asked))), key=lambda receipt: receipt["path"])


def _rewrite_chunk(
    asked: Sequence[tuple[str, str | None, bool]], root: str, stages: Mapping[str, str], listed: Takedown, scratch: str
) -> list[Receipt]:
    receipts = []
    for path, target, is_touched in asked:
        source = storage.join(root, path)
        if is_touched:
            folder, table = table_of(path)
            reason = COUNTED.get((stages.get(folder, ""), table))
            receipts.append({**remove_rows(source, target, listed, _ids_of(scratch, path), reason), "path": path})
        elif target:
            storage.copy(source, target)
    return receipts


def _ids_file(scratch: str, path: str) -> str:
    """Where `find` puts the ids that a file holds, so that a task that rewrites it reads no others."""
    return storage.join(scratch, "by_file", hashlib.sha256(path.encode()).hexdigest() + ".parquet")


def _ids_of(scratch: str, path: str) -> pa.Array:
    return read_parquet(_ids_file(scratch, path)).column(0).combine_chunks()


def _chunks(items: Sequence[T], few: int = 1) -> list[list[T]]:
    """Items for at most MOST_TASKS tasks, `few` or more for each."""
    size = max(few, -(-len(items) // MOST_TASKS)) if items else 0
    return [list(items[at : at + size]) for at in range(0, len(items), size or 1)]


def table_of(path: str) -> tuple[str, str]:
    """Folder of the root and table in it: `sample/data/eng_Latn/...` is of sample's `data`."""
    folder, _, rest = path.partition("/")
    return folder, rest.partition("/")[0] if "/" in rest else ""


def rows_by_table(receipts: Iterable[Receipt]) -> dict[str, int]:
    """`clean/documents` -> rows removed; a table that only lost the name of a cluster is not there."""
    counts: Counter[str] = Counter()
    for receipt in receipts:
        counts["/".join(filter(None, table_of(receipt["path"])))] += receipt["removed"]
    return {name: rows for name, rows in sorted(counts.items()) if rows}


def moves(stage: str, receipts: Iterable[Receipt]) -> Moves:
    """What of a stage's account the removed rows were; label empty in extract, which knows no languages.

    receipts: of the stage's folder.
    """
    moved: Moves = Counter()
    for receipt in receipts:
        table = table_of(receipt["path"])[1]
        if (stage, table) in COUNTED:
            for lost in receipt["lost"]:
                if table != "clusters" or lost["reason"] is not None:
                    label = f"{lost['language'] or 'und'}_{lost['language_script'] or 'Zyyy'}"
                    moved["" if stage == "extract" else label, lost["reason"]] += lost["rows"]
    return moved


def ledger(old: Ledger, moved: Moves, removed: Mapping[str, int]) -> Ledger:
    """The account after rows were removed. removed: table -> rows."""
    by_language = {name: _less(account, name, moved) for name, account in old["by_language"].items()}
    written = {name: rows - removed.get(name, 0) for name, rows in old["tables"].items()}
    total = _less(old, None, moved)
    return Ledger(stage=old["stage"], by_language=by_language, tables=written, **total)


def _less(account: Account, label: str | None, moved: Moves) -> Account:
    """`label` None: of all languages."""
    dropped, rows_out, total = Counter(account["dropped"]), account["rows_out"], 0
    for (where, reason), rows in moved.items():
        if label in (None, where):
            total += rows
            if reason is None:
                rows_out -= rows
            else:
                dropped[reason] -= rows
    dropped[REMOVED] += total
    return Account(
        rows_in=account["rows_in"],
        rows_out=rows_out,
        dropped={reason: rows for reason, rows in sorted(dropped.items()) if rows},
    )


def examples(spark: SparkSession, old: list[Example], listed: Takedown, scratch: str) -> list[Example]:
    """Those that stay."""
    if not old:
        return []
    ids = tables.written(spark, storage.join(scratch, "ids"))
    gone = {row["id"] for row in ids.where(F.col("id").isin([example["id"] for example in old])).collect()}
    hits = listed.match(pa.array([example["url"] for example in old], pa.string()))
    return [example for example, hit in zip(old, hits, strict=True) if not hit and example["id"] not in gone]


def mixture(old: dict[str, Any], receipts: Iterable[Receipt]) -> dict[str, Any]:
    """`mixture.json` without the removed rows; how often a language is seen stays as it was planned."""
    gone: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for receipt in receipts:
        _, _, label, name = receipt["path"].split("/")
        gone[label, name.split("-")[0]].update(rows=receipt["removed"], bytes=receipt["bytes"])
    return without_rows(old, gone)


def count_in_archives(run_tasks: TaskRunner, source: str, target: str, receipts: Iterable[Receipt]) -> None:
    """Writes extract's table `inputs` from one stage folder to the other, in step with its other two: an archive's
    receipt has the name of its rows' files. A later run of extract adds these receipts up.
    """
    moved: dict[str, Counter[str | None]] = defaultdict(Counter)
    for receipt in receipts:
        for lost in receipt["lost"]:
            moved[receipt["path"].rsplit("/", 1)[-1]][lost["reason"]] += lost["rows"]
    run_tasks(functools.partial(_count_in_chunk, source=source, target=target), _chunks(sorted(moved.items())))


def _count_in_chunk(moved: Sequence[tuple[str, Mapping[str | None, int]]], source: str, target: str) -> None:
    for name, counts in moved:
        _count_in_archive(storage.join(source, "inputs", name), storage.join(target, "inputs", name), counts)


def _count_in_archive(old: str, new: str, moved: Mapping[str | None, int]) -> None:
    with RowGroupWriter(new, INPUTS) as out:
        for row in read_parquet(old).to_pylist():
            counts = recounted(row["counts"], moved)
            documents = sum(entry["count"] for entry in counts if entry["reason"] is None)
            out.add({**row, "counts": counts, "documents": documents})


def recounted(counts: list[dict[str, Any]], moved: Mapping[str | None, int]) -> list[dict[str, Any]]:
    """An archive's counts with so many of each reason moved to `removed`. Where a reason has several types of record,
    the commonest gives first: a document does not say what type it came from.
    """
    left = Counter({(entry["record_type"], entry["reason"]): entry["count"] for entry in counts})
    for reason, rows in moved.items():
        for kind, why in sorted(left, key=lambda entry: (-left[entry], str(entry))):
            if why == reason and why != REMOVED:
                taken = min(rows, left[kind, why])
                left[kind, why] -= taken
                left[kind, REMOVED] += taken
                rows -= taken
    return counts_column(left)


def _paths(batches: Iterable[pa.RecordBatch]) -> Iterator[str]:
    for batch in batches:
        for chunk in batch.column("value").to_pylist():
            yield from chunk


def _held(path: str, piece: pa.Table, name: str, with_nulls: bool = False) -> pa.RecordBatch:
    """Rows of path and id."""
    rows = len(piece)
    ids = piece[name].combine_chunks() if name in piece.column_names else pa.nulls(rows, pa.string())
    held = pa.RecordBatch.from_arrays([pa.array([path] * rows, pa.string()), ids], names=["path", "id"])
    return held if with_nulls else held.filter(ids.is_valid())
