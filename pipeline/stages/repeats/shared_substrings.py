"""`pipeline.repeats.small_substrings` with shuffles: passages that pages share. What is done a split at a time is done
by the same tasks (`substring_tasks`); the engine brings anchors, runs and marks together.

What is shuffled is 16 bytes an anchor, of which a window's length of text has about four; and the runs of the anchors
that several pages have, five bytes for each one of a shared passage.
"""

import functools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from pipeline.config import DedupConfig
from pipeline.repeats import substring_tasks, windows
from pipeline.repeats.small_lines import step
from pipeline.repeats.small_substrings import ANCHORS, SharedSpans, gathered
from pipeline.repeats.substring_tasks import CONTEXTS, MARKS, PAGE_MARKS, RANKS, SKETCHES, Piece, Searched
from pipeline.spark import tables
from pipeline.spark.stage_progress import described
from pipeline.stages import signed
from pipeline.stages.signed import SignatureFile
from pipeline.store import storage
from pipeline.store.parquet_files import batches_of, n_rows
from pipeline.store.table_splits import Split, part_file
from pipeline.workers.tasks import TaskRunner

CHUNK_BYTES = 64 << 20  # of runs that are compared at once, but for an anchor that has more
TASK_BYTES = 64 << 20  # of runs


def share(
    spark: SparkSession, searched: Searched, signatures: Sequence[SignatureFile], wanted: tuple[str, ...],
    documents: str, folder: str, scratch: str, run_tasks: TaskRunner,
) -> SharedSpans:  # fmt: skip
    """As `small_substrings.share`; signatures: files of the splits alone, in their order."""
    splits = searched.table.files.splits
    names = ("sketches", "anchors", "ordered", "ranks", "contexts", "marks", "named", "by_split")
    place = {name: storage.join(scratch, name) for name in names}
    bare = searched._replace(table=searched.table._replace(files=searched.table.files._replace(splits=[])))
    n_tasks = max(2, sum(file.rows for file in signatures) // signed.TASK_ROWS)
    sketching = functools.partial(substring_tasks.sketch, searched=bare, n_buckets=1, folder=place["sketches"])
    sizes = run_tasks(sketching, splits, step("passages", splits))
    with described(spark, "dedup passages"):
        sketches = _table(spark, place["sketches"], splits, sizes, SKETCHES).frame("anchor", "node")
        with_anchors = signed.kept_by_file(_shared(sketches), "node", place["anchors"], _NODE_ANCHORS, n_tasks)
        ids, ranked = _rank(spark, signatures, place["ordered"], place["ranks"], n_tasks)
    items = [
        (split, _file(place["anchors"], split), Piece(_file(place["ranks"], split)))
        for split in splits
        if split.number in with_anchors and split.number in ranked
    ]
    reading = functools.partial(_contexts, searched=bare, sketches=place["sketches"], folder=place["contexts"])
    asked = [split for split, _, _ in items]
    sizes = run_tasks(reading, items, step("contexts", asked))
    by_split: dict[int, int] = {}
    if items:
        with described(spark, "dedup contexts"):
            contexts = _table(spark, place["contexts"], asked, sizes, CONTEXTS)
            marks = tables.settled(_marked(contexts, searched.config, searched.base), place["marks"])
            named = marks.join(ids, "other")
            by_split = signed.kept_by_file(named, "node", place["by_split"], PAGE_MARKS, n_tasks)
    finishing = functools.partial(
        substring_tasks.finish, searched=bare, wanted=wanted, documents=documents, folder=folder
    )
    pieces = [(split, [Piece(_file(place["by_split"], split))] if split.number in by_split else []) for split in splits]
    return gathered(run_tasks(finishing, pieces, step("spans", splits)))


_NODE_ANCHORS = pa.schema([("row", pa.int64()), *ANCHORS])


def _table(
    spark: SparkSession, folder: str, splits: Sequence[Split], sizes: Sequence[int], schema: pa.Schema
) -> tables.Table:
    """Files of splits, which no store is asked of."""
    files = ((part_file(folder, split), size) for split, size in zip(splits, sizes, strict=True))
    return tables.Table(spark, tables.spark_schema(schema), tuple(files))


def _file(folder: str, split: Split) -> str:
    """As `signed.kept_by_file` names them."""
    return storage.join(folder, f"{split.number}.parquet")


def _shared(sketches: DataFrame) -> DataFrame:
    """Their rows of anchors that several nodes have."""
    anchor = Window.partitionBy("anchor")
    ends = sketches.select("*", F.min("node").over(anchor).alias("least"), F.max("node").over(anchor).alias("most"))
    return ends.where(F.col("least") < F.col("most")).select("anchor", "node")


def _rank(
    spark: SparkSession, signatures: Sequence[SignatureFile], ordered: str, folder: str, n_tasks: int
) -> tuple[DataFrame, dict[int, int]]:
    """`other_id` by `other`, its place in the order of preference; and writes rows of RANKS, a file a split."""
    pages = signed.frame(spark, signatures, 0, ["id", "quality", "n_chars", "date"])
    unknown = F.col("date") == ""
    best = [F.col("quality").desc(), F.col("n_chars").desc(), unknown, F.col("date"), F.col("id")]
    stored = tables.stored(pages.orderBy(*best).select("node", "id"), ordered)
    files = [SignatureFile(path, n_rows(path), 0) for path, _ in stored.files]
    firsts = np.cumsum([0, *(file.rows for file in files)]).tolist()
    schema = pa.schema([("node", pa.int64()), ("id", pa.string()), ("page", pa.int64())])

    def read(number: int, file: SignatureFile) -> Iterator[pa.RecordBatch]:
        page = firsts[number]
        for batch in batches_of(file.path, signed.READ_ROWS, ["node", "id"]):
            places = np.arange(page, page + len(batch))
            page += len(batch)
            cells = [batch.column("node"), batch.column("id"), pa.array(places)]
            yield pa.RecordBatch.from_arrays(cells, schema=schema)

    ranks = signed.mapped(spark, files, 0, read, schema)
    there = signed.kept_by_file(ranks, "node", folder, RANKS, n_tasks)
    return ranks.select(F.col("page").alias("other"), F.col("id").alias("other_id")), there


def _contexts(item: tuple[Split, str, Piece], searched: Searched, sketches: str, folder: str) -> int:
    split, anchors, ranks = item
    known = substring_tasks.read_pieces([Piece(anchors)], ANCHORS)["anchor"].to_numpy()
    shared, sketched = windows.anchor_set(np.unique(known)), part_file(sketches, split)
    return substring_tasks.contexts(split, searched, sketched, shared, ranks, 1, folder)


def _marked(contexts: tables.Table, config: DedupConfig, base: int) -> DataFrame:
    """Rows of MARKS."""

    def mark(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for rows in _by_anchor(batches):
            yield from substring_tasks.marks_of(rows, config, base).to_batches()

    frame = contexts.frame()
    tasks = max(2, contexts.spark.sparkContext.defaultParallelism, contexts.bytes // TASK_BYTES)
    sorted_rows = frame.repartition(tasks, "anchor").sortWithinPartitions("anchor")
    return sorted_rows.mapInArrow(mark, tables.spark_schema(MARKS))


def _by_anchor(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Rows sorted by their anchors in pieces, each with all rows of its anchors."""
    waiting: list[pa.Table] = []
    size = 0
    for batch in batches:
        if not len(batch):
            continue
        rows = pa.Table.from_batches([batch]).cast(CONTEXTS)
        if size > CHUNK_BYTES:
            anchors = rows["anchor"].to_numpy()
            others = np.flatnonzero(anchors != waiting[-1]["anchor"][-1].as_py())
            if len(others):
                yield pa.concat_tables([*waiting, rows.slice(0, others[0])])
                waiting, size, rows = [], 0, rows.slice(others[0])
        waiting.append(rows)
        size += rows.nbytes
    if waiting:
        yield pa.concat_tables(waiting)
