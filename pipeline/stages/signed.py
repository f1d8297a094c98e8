"""Signature files as the engine has them: their rows by node, and rows of the engine's brought to their files.

A node is the number of a file, times 2^32, and a row of it: no two documents share one, however many there are, and
where a document lies is said by its node. Files of the new table come first, a file a split, in the splits' order.
"""

import functools
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.duplicates.signature_files import ShingleFile
from pipeline.spark.tables import spark_schema
from pipeline.spark.tasks import one_row_a_task
from pipeline.store import storage
from pipeline.store.parquet_files import batches_of
from schemas.dedup import SIGNATURES

ROW_BITS = 32
READ_ROWS = 1 << 14  # at once
TASK_ROWS = 1 << 20  # of narrow columns
PIECE_BYTES = 32 << 20  # of shingles
TASK_BYTES = 32 << 20  # what a task that must hold its rows gets of a shuffle


class SignatureFile(NamedTuple):
    """age: the place of its crawl among the earlier ones, their number for the new one."""

    path: str
    rows: int
    age: int


def file_of(node: str) -> Column:
    return F.shiftright(node, ROW_BITS).cast("int")


def frame(
    spark: SparkSession, files: Sequence[SignatureFile], first: int, columns: Sequence[str], node: str = "node"
) -> DataFrame:
    """`node`, `age` and these columns of files that are numbered from `first` on."""
    schema = pa.schema([(node, pa.int64()), ("age", pa.int32()), *(SIGNATURES.field(name) for name in columns)])

    def read(number: int, file: SignatureFile) -> Iterator[pa.RecordBatch]:
        row = number << ROW_BITS
        for batch in batches_of(file.path, READ_ROWS, columns):
            places = np.arange(row, row + len(batch))
            row += len(batch)
            ages = pa.array(np.full(len(batch), file.age, np.int32))
            yield pa.RecordBatch.from_arrays([pa.array(places), ages, *batch.columns], schema=schema)

    return mapped(spark, files, first, read, schema)


def files_a_task(spark: SparkSession, files: Sequence[SignatureFile]) -> int:
    """So many that a task is worth its start, and no more than TASK_ROWS where there are many."""
    n_tasks = max(2 * spark.sparkContext.defaultParallelism, sum(file.rows for file in files) // TASK_ROWS)
    return max(1, -(-len(files) // n_tasks))


def mapped(
    spark: SparkSession,
    files: Sequence[SignatureFile],
    first: int,
    function: Callable[[int, SignatureFile], Iterator[pa.RecordBatch]],
    schema: pa.Schema,
) -> DataFrame:
    """What the function makes of each file and its number."""
    numbered = list(enumerate(files, first))
    a_task = files_a_task(spark, files)
    items = [pickle.dumps(numbered[at : at + a_task]) for at in range(0, len(numbered), a_task)]

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for item in batch.column("value").to_pylist():
                for number, file in pickle.loads(item):
                    yield from function(number, file)

    return one_row_a_task(spark, items, "binary").mapInArrow(work, spark_schema(schema))


def by_file(rows: DataFrame, node: str, tasks: int) -> DataFrame:
    """Rows in the order of their nodes, all of a file in one task."""
    return rows.repartition(tasks, file_of(node)).sortWithinPartitions(node)


def file_runs(nodes: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Of ascending nodes: the number of a file, and where its nodes begin and end."""
    numbers = nodes >> ROW_BITS
    edges = np.flatnonzero(np.concatenate([[len(nodes) > 0], numbers[1:] != numbers[:-1], [True]]))
    for begin, end in pairwise(edges.tolist()):
        yield int(numbers[begin]), begin, end


def with_shingles(batch: pa.RecordBatch, node: str, paths: Sequence[str]) -> Iterator[tuple[pa.RecordBatch, pa.Array]]:
    """The batch in pieces, whose nodes are ascending, and the nodes' shingles. paths: of all files, in their order."""
    nodes = batch.column(node).to_numpy()
    for number, begin, end in file_runs(nodes):
        rows, places = np.unique(nodes[begin:end] & ((1 << ROW_BITS) - 1), return_inverse=True)
        cells = _opened(paths[number]).cells(rows)
        bytes_ = np.cumsum(pc.binary_length(cells).to_numpy()[places])
        at = 0
        while at < len(places):  # long texts may be in many rows
            before = bytes_[at - 1] if at else 0
            to = max(at + 1, int(np.searchsorted(bytes_, before + PIECE_BYTES, "right")))
            yield batch.slice(begin + at, to - at), cells.take(pa.array(places[at:to])).cast(pa.binary())
            at = to


@functools.lru_cache(maxsize=1)
def _opened(path: str) -> ShingleFile:
    """Nodes come in the order of files."""
    return ShingleFile(path)


def kept_by_file(rows: DataFrame, node: str, folder: str, schema: pa.Schema, tasks: int) -> dict[int, int]:
    """Writes rows of the schema, which has the nodes under the name `row`, to a file for each signature file that has
    some, `NUMBER.parquet`; numbers of files -> rows."""

    def write(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        pieces: list[pa.Table] = []
        current = -1
        for batch in batches:
            table = pa.Table.from_batches([batch])
            for number, begin, end in file_runs(batch.column("row").to_numpy()):
                if number != current and pieces:
                    yield _written(pieces, folder, current, schema)
                    pieces = []
                current = number
                pieces.append(table.slice(begin, end - begin))
        if pieces:
            yield _written(pieces, folder, current, schema)

    named = rows.withColumnRenamed(node, "row").select(*schema.names)
    answers = by_file(named, "row", tasks).mapInArrow(write, "file int, rows long").collect()
    return {row["file"]: row["rows"] for row in answers}


def _written(pieces: list[pa.Table], folder: str, number: int, schema: pa.Schema) -> pa.RecordBatch:
    table = pa.concat_tables(pieces)
    rows = pa.array(table["row"].to_numpy() & ((1 << ROW_BITS) - 1))
    table = table.set_column(table.schema.get_field_index("row"), "row", rows).cast(schema)
    with storage.whole_file(storage.join(folder, f"{number}.parquet")) as file:
        pq.write_table(table, file, compression="zstd")
    return pa.RecordBatch.from_pydict({"file": pa.array([number], pa.int32()), "rows": [len(table)]})
