"""Documents of a table for the engine, which is shown columns of types that it has, under our names, and the place of
each row. Files are read by tasks with pyarrow, never by the engine: it refuses types that others write, and takes
names that differ in case for one. Where all columns of a row are wanted, they are read again from its place.
"""

import pickle
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from xxhash import xxh3_128_hexdigest

from pipeline.duplicates.survivors import quality_of
from pipeline.spark.tables import spark_schema
from pipeline.spark.tasks import one_row_a_task
from pipeline.store.document_table import DocumentTable, as_strings, column_or, numbers_of, plain, rows_of
from pipeline.store.table_splits import Split
from schemas.records import UNLABELLED

PLACE = ("split", "row")  # number of the split, and of the row among those of it that count

# Columns of the corpus that any other table may lack.
DEFAULTS: dict[str, str | float | int] = {
    "url": "",
    "date": "",
    "dump": "",
    "file_path": "",
    **UNLABELLED,
    "language_score": 0.0,
    "top_langs": "{}",
    "minhash_cluster_size": 1,
}
_KINDS = {
    "split": pa.int32(),
    "row": pa.int64(),
    "quality": pa.float64(),
    "language_score": pa.float64(),
    "minhash_cluster_size": pa.int64(),
}


def document_frame(
    spark: SparkSession, table: DocumentTable, columns: Sequence[str], quality_column: str = ""
) -> DataFrame:
    """columns: of PLACE, `id`, `text`, those of DEFAULTS, `cluster_id` (the id where there is none), `quality` (of
    `quality_column`), `digest` (of all columns of the row), and the table's own, as the engine can have them.
    UserError in a task for what cannot be read."""
    files = table.files
    schema = pa.schema([(name, _kind_of(name, files.schema)) for name in columns])
    bare = table._replace(files=files._replace(splits=[]))  # what each task needs to know
    own = {"id": table.id_column, "text": table.text_column, "quality": quality_column}
    needed = [own.get(name, name) for name in columns] if "digest" not in columns else files.schema.names
    there = [name for name in dict.fromkeys([table.id_column, *needed]) if name in files.schema.names]

    def read(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for pickled in batch.column("value").to_pylist():
                split, row = pickle.loads(pickled), 0
                for rows in rows_of(bare, split, there):
                    cells = [_cells(rows, field, bare, split, row, quality_column) for field in schema]
                    row += len(rows)
                    yield pa.RecordBatch.from_arrays(cells, schema=schema)

    return one_row_a_task(spark, list(map(pickle.dumps, files.splits)), "binary").mapInArrow(read, spark_schema(schema))


def columns_for_engine(table: DocumentTable) -> list[str]:
    """`id`, `text` and all other columns but those whose names the engine would take for one of another column."""
    taken, columns = {"id", "text"}, ["id", "text"]
    for name in sorted(table.files.schema.names, key=lambda name: name not in DEFAULTS):
        if name.lower() not in taken:
            taken.add(name.lower())
            columns.append(name)
    return columns


def _kind_of(name: str, schema: pa.Schema) -> pa.DataType:
    """Of the engine's column: ours have their own, others that of their kind, numbers, truth or strings."""
    if name in _KINDS or name in DEFAULTS or name not in schema.names:
        return _KINDS.get(name, pa.string())
    kind = schema.field(name).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_boolean(kind) or (pa.types.is_integer(kind) and kind != pa.uint64()):
        return pa.bool_() if pa.types.is_boolean(kind) else pa.int64()
    numbers = pa.types.is_floating(kind) or pa.types.is_decimal(kind) or kind == pa.uint64()
    return pa.float64() if numbers else pa.string()


def _cells(
    rows: pa.RecordBatch, field: pa.Field, table: DocumentTable, split: Split, row: int, quality_column: str
) -> pa.Array:
    name, kind = field.name, field.type
    if name in ("id", "text"):
        return rows.column(table.id_column if name == "id" else table.text_column)
    if name == "split":
        return pa.repeat(pa.scalar(split.number, kind), len(rows))
    if name == "row":
        return pa.array(range(row, row + len(rows)), kind)
    if name == "quality":
        return quality_of(rows, quality_column)
    if name == "digest":
        return _digests(rows)
    if name not in rows.schema.names:
        own_id = rows.column(table.id_column)
        return own_id if name == "cluster_id" else pa.repeat(pa.scalar(DEFAULTS[name], kind), len(rows))
    if kind == pa.string():
        return column_or(rows, name, None)
    if name in DEFAULTS:
        return numbers_of(rows, name, split.path).cast(kind, safe=False)
    return plain(rows.column(name)).cast(kind, safe=False)


def _digests(rows: pa.RecordBatch) -> pa.Array:
    """Of the values of each row, whatever the order of its columns. By the row: only where ids occur twice."""
    columns = []
    for name in sorted(rows.schema.names):
        cells = plain(rows.column(name))
        columns.append(_python_values(cells) if pa.types.is_nested(cells.type) else as_strings(cells).to_pylist())
    whole = (repr(values).encode("utf-8", "surrogatepass") for values in zip(*columns, strict=True))
    return pa.array(map(xxh3_128_hexdigest, whole), pa.string())


def _python_values(cells: pa.Array) -> list[Any]:
    """Nothing for those that Python has no value for, nanoseconds and bytes that are no UTF-8."""
    try:
        return list(cells.to_pylist())
    except (ValueError, UnicodeDecodeError):
        return [None] * len(cells)
