"""An index of archives through the engine: the rows that an expression of SQL is true of, as places of records.

Tasks read the index with pyarrow, the columns that the expression names and the place, in the files whose folders do
not already make it false; the engine evaluates the expression and brings the places of an archive together.
"""

import logging
import pickle
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
from pyspark import TaskContext
from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.archive.asked.index_files import FILE_PATH, LENGTH, NEEDED, OFFSET, IndexFiles
from pipeline.archive.asked.places import PLACES, write_places
from pipeline.archive.manifest import Asked
from pipeline.quality.expressions import nearest
from pipeline.spark.stage_progress import stage_progress
from pipeline.spark.tables import column, spark_schema
from pipeline.spark.tasks import one_row_a_task
from pipeline.store import storage
from pipeline.store.document_table import as_strings, plain
from pipeline.store.table_files import folder_fields, partition_of, table_files, table_schema
from pipeline.store.table_splits import SplitTable, split_batches, split_table
from schemas.errors import UserError

_ANSWERS = "file_path string, table string, `group` long, records long, bytes long, digest string"

Partition = tuple[tuple[str, str | None], ...]  # what the folders of a file say


def write_asked(spark: SparkSession, index: IndexFiles, where: str, folder: str) -> dict[str, Asked]:
    """Writes the places of all records that `where` is true of (all, where it is empty) into files of `folder`, and
    answers by archive where they are. UserError where the index has no such column, or where nothing is true."""
    places = _places(spark, index, where)

    def write(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        context = TaskContext.get()
        path = storage.join(folder, f"part-{context.partitionId() if context else 0:05d}.parquet")
        batch = next((batch for batch in batches if len(batch)), None)
        if batch is not None:
            given = (one.cast(PLACES) for one in _chained(batch, batches))
            rows = [{"file_path": name, **asked._asdict()} for name, asked in write_places(given, path)]
            yield pa.RecordBatch.from_pylist(rows)

    grouped = places.repartition("file_path").sortWithinPartitions(*PLACES.names)
    with stage_progress(spark, "extract, reading the index"):
        found = grouped.mapInArrow(write, _ANSWERS).collect()
    if not found:
        raise UserError(f"--where {where}: true of no record of {index.folder}")
    return {row["file_path"]: Asked(*(row[name] for name in Asked._fields)) for row in found}


def _chained(batch: pa.RecordBatch, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield batch
    yield from batches


def _places(spark: SparkSession, index: IndexFiles, where: str) -> DataFrame:
    """Columns of PLACES."""
    inside = storage.filesystem(index.folder)[1].rstrip("/")
    partitions: dict[str, Partition] = {
        name: tuple(partition_of(index.folder, f"{inside}/{name}").items()) for name in index.sizes
    }
    first_of = {partition: name for name, partition in reversed(partitions.items())}
    heads = table_files(
        index.folder, {name: storage.join(index.folder, name) for name in first_of.values()}
    )  # a crawl of long ago has fewer columns
    own = [name for head in heads for name in head.schema.names]
    of_folders = [field for field in folder_fields(map(dict, partitions.values())) if field.name not in own]
    schema = _for_engine(pa.schema([*(f for f in table_schema(index.folder, heads) if f.name in own), *of_folders]))
    for name in NEEDED:
        if name not in schema.names:
            raise UserError(
                f"--index {index.folder} has no column {name!r}: an index has {', '.join(NEEDED)}; this one has "
                f"{', '.join(schema.names)}"
            )
    rows = spark.createDataFrame(spark.sparkContext.emptyRDD(), spark_schema(schema))
    named = _named_in(rows, where)
    values = {field.name: field.type for field in of_folders}
    wanted = {one for one in first_of if not _is_false(rows, where, {k: v for k, v in one if k in values})}
    listed = {name: storage.join(index.folder, name) for name, one in partitions.items() if one in wanted}
    if not listed:
        raise UserError(f"--where {where}: true of no folder of {index.folder}, such as {next(iter(index.sizes))}")
    table = split_table(index.folder, listed)
    needed = pa.schema([field for field in schema if field.name in NEEDED or field.name.lower() in named])
    for name in needed.names:
        if name not in table.schema.names:  # only of folders that are left out
            table = table._replace(schema=table.schema.append(needed.field(name)))
    found = _frame(spark, table, needed)
    if where:
        found = found.where(where)
    return found.select(*(column(a).alias(b) for a, b in zip((FILE_PATH, OFFSET, LENGTH), PLACES.names, strict=True)))


def _for_engine(schema: pa.Schema) -> pa.Schema:
    """What the engine has types for; names that it would take for one only once."""
    taken: set[str] = set()
    fields = []
    for field in schema:
        kind = _engine_kind(field.type)
        if kind is not None and field.name.lower() not in taken:
            taken.add(field.name.lower())
            fields.append(pa.field(field.name, kind))
    return pa.schema(fields)


def _engine_kind(kind: pa.DataType) -> pa.DataType | None:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_nested(kind):
        return None
    if pa.types.is_boolean(kind):
        return pa.bool_()
    if pa.types.is_integer(kind) and kind != pa.uint64():
        return pa.int64()
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return pa.float64()
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", "UTC")
    if pa.types.is_date(kind):
        return pa.date32()
    is_bytes = pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    return pa.binary() if is_bytes else pa.string()


def _named_in(rows: DataFrame, where: str) -> set[str]:
    """The columns that the expression needs, in lower case. UserError where it is none."""
    if not where:
        return set()
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)  # pyspark's, which writes traces of its own
    try:
        plan: Any = rows.where(where)._jdf.queryExecution().analyzed()
    except ParseException as error:
        raise UserError(f"--where {where}: not an expression of SQL: {_first_line(error)}") from None
    except AnalysisException as error:
        if (error.getCondition() or "").startswith("UNRESOLVED_COLUMN"):
            name = (error.getMessageParameters() or {}).get("objectName", "").replace("`", "")
            raise UserError(f"--where {where}: the index has no column {name}{nearest(name, rows.columns)}") from None
        raise UserError(f"--where {where}: {_first_line(error)}") from None
    if plan.nodeName() != "Filter":
        raise UserError(f"--where {where}: say something that is true or false of a row alone")
    condition = plan.condition()
    if not condition.deterministic():
        raise UserError(
            f"--where {where}: says something else each time; for a share of the archives there is --sample"
        )
    references = condition.references().iterator()
    found = set()
    while references.hasNext():
        found.add(references.next().name().lower())  # as written
    return found


def _first_line(error: Exception) -> str:
    """Without the engine's own codes."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return re.sub(r"^\[[A-Z_.]+\] |\.? SQLSTATE: .*$", "", line)


def _is_false(rows: DataFrame, where: str, said: dict[str, str | None]) -> bool:
    """Whether the expression is true of no row where folders say this: by the engine's own folding of constants."""
    if not where or not said:
        return False
    columns = [
        F.lit(said[name]).cast(rows.schema[name].dataType).alias(name) if name in said else column(name)
        for name in rows.columns
    ]
    plan: Any = rows.select(*columns).where(where)._jdf.queryExecution().optimizedPlan()
    most = plan.maxRows()
    return bool(most.isDefined()) and most.get() == 0


def _frame(spark: SparkSession, table: SplitTable, schema: pa.Schema) -> DataFrame:
    """These columns of the table, read by tasks."""
    bare = table._replace(splits=[])

    def read(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for split in map(pickle.loads, batch.column("value").to_pylist()):
                for rows in split_batches(bare, split, schema.names):
                    yield pa.RecordBatch.from_arrays(_cells(rows, schema, split.path), schema=schema)

    return one_row_a_task(spark, list(map(pickle.dumps, table.splits)), "binary").mapInArrow(read, spark_schema(schema))


def _cells(rows: pa.RecordBatch, schema: pa.Schema, path: str) -> Sequence[pa.Array]:
    found = []
    for field in schema:
        cells = plain(rows.column(field.name))
        try:
            found.append(as_strings(cells) if pa.types.is_string(field.type) else cells.cast(field.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            first = str(error).splitlines()[0]
            raise UserError(f"{path}: column {field.name!r} is {cells.type}, not {field.type} ({first})") from None
    return found
