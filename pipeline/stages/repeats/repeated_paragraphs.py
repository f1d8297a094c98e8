"""`pipeline.repeats.paragraph_counts` with shuffles: paragraphs that repeat on pages of several hosts, counted by the
engine, then cut by the same tasks as those of a small table, into the same bytes.

What is shuffled to count is four hashes a paragraph of a page, 32 bytes, and how often the page has it, nearly always
1. What comes back to a split is the list of those of its paragraphs that repeat: no text is shuffled.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from pipeline.config import DedupConfig
from pipeline.duplicates.survivors import split_by_split
from pipeline.repeats.paragraph_counts import LISTED, OCCURRENCES, n_buckets
from pipeline.repeats.paragraph_cutting import (
    SHOWN,
    bucket_file,
    count_split,
    cut_split,
    write_here,
    write_seen,
    write_shown,
)
from pipeline.repeats.small_lines import step
from pipeline.repeats.small_paragraphs import CutTable, as_cut, choose_bucket, limits_of
from pipeline.spark import tables
from pipeline.spark.stage_progress import described
from pipeline.store import storage
from pipeline.store.document_table import DocumentTable
from pipeline.store.row_groups import RowGroupWriter
from pipeline.store.table_splits import Split, part_file
from pipeline.workers.tasks import TaskRunner
from schemas.repeats import MOST_HASHES, PARAGRAPH_COUNTS, PARAGRAPHS

MOST_TASKS = 4096
Write = Callable[[pa.Table, int], int]  # rows of a bucket, its number: how many it has written


def cut_paragraphs(
    spark: SparkSession,
    run_tasks: TaskRunner,
    table: DocumentTable,
    config: DedupConfig,
    crawls: Sequence[Sequence[str]],
    paths: Mapping[str, str],
) -> CutTable:
    """As `small_paragraphs.cut_paragraphs`."""
    scratch, splits, n = storage.join(paths["scratch"], "paragraphs"), table.files.splits, n_buckets(table.files.rows)
    least = config.min_paragraph_letters
    counting = functools.partial(_count, table=table, min_letters=least, folder=scratch)
    run_tasks(counting, splits, step("paragraphs", splits))
    with described(spark, "dedup paragraphs"):
        files = [part_file(storage.join(scratch, "occurrences"), one) for one in splits]
        here = tables.of_files(spark, files, "split", *OCCURRENCES.names)
        choosing = functools.partial(
            choose_bucket, n=n, limits=limits_of(config), crawls=crawls, paths=dict(paths), folder=scratch
        )
        counts = _by_bucket(_counts(here), n, PARAGRAPH_COUNTS, choosing)
        listed = tables.of_files(spark, [storage.join(scratch, "listed", bucket_file(bucket)) for bucket in range(n)])
        wanted = _by_split(here, listed, splits, storage.join(scratch, "wanted"))
    cutting = functools.partial(_cut, table=table, min_letters=least, folder=scratch)
    run_tasks(cutting, [(split, wanted.get(split.number)) for split in splits], step("cutting", splits))
    with described(spark, "dedup paragraphs"):
        seen, shown = (
            tables.of_files(spark, [part_file(storage.join(scratch, name), one) for one in splits])
            for name in ("seen", "shown")
        )
        numbers = [F.sum(name).alias(name) for name in PARAGRAPHS.names[5:]]
        seen = seen.groupBy(*PARAGRAPHS.names[:5]).agg(*numbers)
        rows = {
            "counts": counts,
            "seen": _by_bucket(seen, n, PARAGRAPHS, functools.partial(write_seen, folder=paths["paragraphs"])),
            "shown": _by_bucket(shown, n, SHOWN, functools.partial(write_shown, folder=paths["paragraph_examples"])),
        }
    return as_cut(table, scratch, rows)


def _count(split: Split, table: DocumentTable, min_letters: int, folder: str) -> None:
    """Writes rows of HERE."""
    write_here(count_split(table, split, min_letters), part_file(storage.join(folder, "occurrences"), split))


def _counts(here: DataFrame) -> DataFrame:
    """Rows of PARAGRAPH_COUNTS."""
    # One shuffle for all that follows: equal keys of every grouping below lie together already.
    rows = here.repartition("paragraph")
    copy = F.min(F.struct("page", "host")).alias("copy")
    texts = rows.groupBy("paragraph", "text").agg(copy, F.max("n").alias("n"))
    fetches = texts.groupBy("paragraph", F.col("copy.page").alias("page"))
    pages = fetches.agg(F.min("copy.host").alias("host"), F.max("n").alias("n"))
    paragraph = Window.partitionBy("paragraph")
    ranked = pages.select(
        *("paragraph", "page", "host", "n"),
        F.row_number().over(paragraph.orderBy("page")).alias("nth_page"),
        F.dense_rank().over(paragraph.orderBy("host")).alias("nth_host"),
    )

    def smallest(name: str) -> Column:
        return F.when(F.col(f"nth_{name}") <= MOST_HASHES, F.col(name))

    return ranked.groupBy("paragraph").agg(
        F.count("*").alias("pages"),
        F.max("nth_host").cast("long").alias("hosts"),
        F.sum("n").alias("occurrences"),
        F.sort_array(F.collect_list(smallest("page"))).alias("page_hashes"),
        F.sort_array(F.collect_set(smallest("host"))).alias("host_hashes"),
    )


def _by_bucket(rows: DataFrame, n: int, schema: pa.Schema, write: Write) -> list[int]:
    """What the function answers of each bucket of paragraphs, ascending, those without a row too."""
    high = F.shiftright("paragraph", 32) + F.lit(1 << 31)
    bucket = F.shiftright(high * n, 32).cast("int").alias("bucket")

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for number, found in split_by_split(batches, "bucket"):
            answer = write(found.select(schema.names).cast(schema), number)
            yield pa.RecordBatch.from_pydict({"bucket": pa.array([number], pa.int32()), "answer": [answer]})

    placed = rows.select(bucket, *schema.names).repartition(min(n, MOST_TASKS), "bucket")
    answers = placed.sortWithinPartitions("bucket", "paragraph").mapInArrow(run, "bucket int, answer long").collect()
    found = {row["bucket"]: row["answer"] for row in answers}
    return [found[bucket] if bucket in found else write(schema.empty_table(), bucket) for bucket in range(n)]


def _by_split(here: DataFrame, listed: DataFrame, splits: Sequence[Split], folder: str) -> dict[int, str]:
    """Writes the rows of LISTED that a split has, a file a split that has some: number -> file."""

    def write(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for number, rows in split_by_split(batches):
            with RowGroupWriter(part_file(folder, splits[number]), LISTED, 1 << 16) as out:
                out.write(rows.select(LISTED.names).cast(LISTED))
            yield pa.RecordBatch.from_pydict({"split": pa.array([number], pa.int32())})

    few = tables.small(listed, listed.count())
    wanted = here.select("split", "paragraph").distinct().join(few, "paragraph").select("split", *LISTED.names)
    placed = wanted.repartition(min(len(splits), MOST_TASKS), "split").sortWithinPartitions("split", "paragraph")
    numbers = [row["split"] for row in placed.mapInArrow(write, "split int").collect()]
    return {number: part_file(folder, splits[number]) for number in numbers}


def _cut(item: tuple[Split, str | None], table: DocumentTable, min_letters: int, folder: str) -> int:
    split, wanted = item
    files = (wanted,) if wanted else ()
    here = [part_file(storage.join(folder, "occurrences"), split)]
    return cut_split(split, here, files, "".join(map(storage.digest, files)), table, min_letters, folder)
