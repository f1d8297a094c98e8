"""What the engine's tasks do with files of tables: rows into files, files into rows. The engine itself touches no
store."""

import pickle
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark import TaskContext

from pipeline.store import storage
from pipeline.store.parquet_files import damage_named, open_parquet
from pipeline.store.row_groups import RowGroupWriter

ANSWER = pa.schema([("partition", pa.int32()), ("name", pa.string()), ("rows", pa.int64()), ("bytes", pa.int64())])
TASK_BYTES = 32 << 20  # of files, compressed
LEAST_TASK_BYTES = 1 << 20  # for which a task more is worth its start
GROUP_BYTES = 16 << 20  # in memory, of a row group that is written
BATCH_BYTES = 8 << 20  # uncompressed
BATCH_ROWS = 1 << 14

Rows = Iterator[pa.RecordBatch]


class Part(NamedTuple):
    """The row groups of a file whose middle row lies in the part `number` of `of` equal ones of its rows."""

    path: str
    number: int = 0
    of: int = 1


def writer(folder: str, schema: pa.Schema, rows_a_group: int, an_attempt: bool) -> Callable[[Rows], Rows]:
    """For mapInArrow: a task's rows become a file, its answer a row of ANSWER; without a row no file and no answer.

    an_attempt: the name is one of the attempt's own, for rows whose order may be another one in the next.
    """

    def write(batches: Rows) -> Iterator[pa.RecordBatch]:
        rows = (batch for batch in batches if len(batch))
        first = next(rows, None)
        if first is None:
            return
        context = TaskContext.get()
        assert context is not None
        partition = context.partitionId()
        name = f"part-{partition:05d}" + (f"-{context.taskAttemptId()}" if an_attempt else "") + ".parquet"
        path = storage.join(folder, name)
        with RowGroupWriter(path, schema, rows_a_group, most_bytes=GROUP_BYTES, plain=_plain(schema)) as out:
            out.write(first)
            for batch in rows:
                out.write(batch)
        answer = {"partition": [partition], "name": [name], "rows": [out.rows], "bytes": [out.bytes]}
        yield pa.RecordBatch.from_pydict(answer, schema=ANSWER)

    return write


def _plain(schema: pa.Schema) -> list[str]:
    """Hashes and signatures, mostly: a dictionary of them would be built to be thrown away."""
    return [field.name for field in schema if not pa.types.is_string(field.type)]


def dealt(files: Sequence[tuple[str, int]], least_tasks: int) -> list[list[Part]]:
    """Files (path, bytes) in their order as work for tasks of about TASK_BYTES, fewer where there would be less than
    `least_tasks`; a larger file is read by several."""
    total = sum(size for _, size in files)
    most = max(LEAST_TASK_BYTES, min(TASK_BYTES, total // max(1, least_tasks)))
    tasks: list[list[Part]] = []
    left = 0
    for path, size in files:
        of = max(1, round(size / most))
        for number in range(of):
            if left < size // of:
                tasks.append([])
                left = most
            tasks[-1].append(Part(path, number, of))
            left -= size // of
    return tasks


def reader(tasks: Sequence[Sequence[Part]], schema: pa.Schema) -> Callable[[Rows], Rows]:
    """For mapInArrow over a table of one column, the number of a task: its rows, columns matched by name, nulls where a
    file lacks one. UserError names a file that cannot be read."""
    packed = zlib.compress(pickle.dumps([[tuple(part) for part in task] for task in tasks]))

    def read(batches: Rows) -> Iterator[pa.RecordBatch]:
        work = None
        for batch in batches:
            work = work or pickle.loads(zlib.decompress(packed))
            for number in batch.column(0).to_pylist():
                for part in work[number]:
                    yield from _rows(Part(*part), schema)

    return read


def _rows(part: Part, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    with damage_named(part.path), open_parquet(part.path) as file:
        columns = [name for name in schema.names if name in file.schema_arrow.names]
        groups = _groups(file.metadata, part)
        size = sum(file.metadata.row_group(number).total_byte_size for number in groups)
        rows = sum(file.metadata.row_group(number).num_rows for number in groups)
        at_once = max(1, min(BATCH_ROWS, BATCH_BYTES * rows // max(1, size)))
        for batch in file.iter_batches(at_once, row_groups=groups, columns=columns, use_threads=False):
            cells = [_cells(batch, field) for field in schema]
            yield pa.RecordBatch.from_arrays(cells, schema=schema)


def _cells(batch: pa.RecordBatch, field: pa.Field) -> pa.Array:
    place = batch.schema.get_field_index(field.name)
    if place < 0:
        return pa.nulls(len(batch), field.type)
    cells = batch.column(place)
    return cells if cells.type == field.type else cells.cast(field.type)


def _groups(footer: pq.FileMetaData, part: Part) -> list[int]:
    groups, before = [], 0
    for number in range(footer.num_row_groups):
        rows = footer.row_group(number).num_rows
        if (2 * before + rows) * part.of // max(1, 2 * footer.num_rows) == part.number:
            groups.append(number)
        before += rows
    return groups
