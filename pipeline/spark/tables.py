"""Tables: reading with a check of the columns, writing Parquet, counting and picking examples from what was written."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
from pyspark.errors import PySparkTypeError
from pyspark.sql import Column, DataFrame, Row, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema
from pyspark.sql.types import ArrayType, DataType, MapType, StructField, StructType

from pipeline.spark.table_tasks import ANSWER, dealt, reader, writer
from pipeline.store import storage
from pipeline.store.parquet_files import damage_named, open_parquet
from pipeline.store.row_groups import RowGroupWriter
from schemas.errors import UserError
from schemas.records import (
    EXAMPLE_CHARACTERS,
    EXAMPLES_A_REASON,
    ROW_GROUP_ROWS,
    UNLABELLED,
    Counts,
    Example,
)

SCRATCH_GROUP_ROWS = 1 << 17  # of tables that are read once and whole
BROADCAST_ROWS = 1_000_000  # of two or three narrow columns: under 100 MB in every process


def spark_schema(schema: pa.Schema) -> StructType:
    return from_arrow_schema(schema)


def arrow_schema(spark: SparkSession, schema: StructType) -> pa.Schema:
    """As batches of mapInArrow have it."""
    return to_arrow_schema(schema, timezone=spark.conf.get("spark.sql.session.timeZone"))


class Table(NamedTuple):
    """Files of one schema. files: path and bytes, in order. rows: None where nobody has counted."""

    spark: SparkSession
    schema: StructType
    files: tuple[tuple[str, int], ...]
    rows: int | None = None

    @property
    def names(self) -> list[str]:
        """Of its files, in their folder."""
        return [path.rpartition("/")[2] for path, _ in self.files]

    @property
    def bytes(self) -> int:
        return sum(size for _, size in self.files)

    def frame(self, *columns: str) -> DataFrame:
        """Its rows: these columns, else all. The engine cannot leave columns out by itself: what reads them is a
        task of ours."""
        chosen = [self.schema[name] for name in columns] or self.schema.fields
        schema = StructType(chosen)
        tasks = dealt(self.files, 2 * self.spark.sparkContext.defaultParallelism)
        numbers = self.spark.range(0, len(tasks), 1, max(1, len(tasks)))
        return numbers.mapInArrow(reader(tasks, arrow_schema(self.spark, schema)), schema)


def read(spark: SparkSession, path: str, required: Iterable[str], *columns: str) -> DataFrame:
    """A folder or file of Parquet: `columns`, else all. UserError names what is missing, the path or a column."""
    return opened(spark, path, required).frame(*columns)


def of_files(spark: SparkSession, paths: Sequence[str], *columns: str) -> DataFrame:
    """Files of one table: `columns`, else all."""
    return opened(spark, paths).frame(*columns)


def opened(spark: SparkSession, path: str | Sequence[str], required: Iterable[str] = ()) -> Table:
    """As `read`; the schema is that of the first file."""
    if isinstance(path, str):
        if not storage.exists(path):
            raise UserError(f"{path}: no such table")
        listed = storage.listing(path)
        is_file = list(listed) == [path.rpartition("/")[2]] and not storage.exists(storage.join(path, *listed))
        sizes = {
            path if is_file else storage.join(path, name): size
            for name, size in listed.items()
            if name.endswith(".parquet") and size
        }
    else:
        sizes = storage.sizes(path)
    if not sizes:
        raise UserError(f"{path if isinstance(path, str) else 'a table'}: no Parquet file in it")
    first = next(iter(sizes))
    schema = _schema_of(first)
    for name in required:
        if name not in schema.names:
            place = path if isinstance(path, str) else first
            raise UserError(f"{place} has no column {name!r}; it has {', '.join(schema.names)}")
    return Table(spark, schema, tuple(sizes.items()))


def _schema_of(path: str) -> StructType:
    with damage_named(path), open_parquet(path) as file:
        found = file.schema_arrow
    fields = []
    for field in found:
        try:
            fields.append(StructField(field.name, from_arrow_schema(pa.schema([field])).fields[0].dataType))
        except PySparkTypeError:
            raise UserError(
                f"{path}: Spark cannot have column {field.name!r} of type {field.type}: write it with another type"
            ) from None
    return nullable(StructType(fields))


def nullable(schema: StructType) -> StructType:
    """As any table of files is: the engine believes what it is told and does not look."""

    def of(kind: DataType) -> DataType:
        if isinstance(kind, StructType):
            return StructType([StructField(field.name, of(field.dataType)) for field in kind.fields])
        if isinstance(kind, ArrayType):
            return ArrayType(of(kind.elementType))
        return MapType(of(kind.keyType), of(kind.valueType)) if isinstance(kind, MapType) else kind

    return StructType([StructField(field.name, of(field.dataType)) for field in schema.fields])


def stored(
    table: DataFrame, path: str, order: Sequence[str] | None = None, rows_a_group: int = ROW_GROUP_ROWS
) -> Table:
    """Writes a table into the folder `path`, new: Zstandard Parquet, a file a partition that has rows, each whole or
    not at all; of an empty table one file with its columns.

    order: by these columns rows are sorted in their file, so that every attempt of a task writes the same bytes over
    the same name, `part-00003.parquet`; () says that they come so already, as from files without a shuffle. None: in
    what order they come is chance, as behind a shuffle; then each attempt has a name of its own, since a reader that
    had one half of a file from each would lose rows, and what no answer names does not count.
    """
    spark, schema = table.sparkSession, nullable(table.schema)
    arrow = arrow_schema(spark, schema)
    storage.remove(path)
    ordered = table.sortWithinPartitions(*order) if order else table
    task = writer(path, arrow, rows_a_group, an_attempt=order is None)
    answers = ordered.mapInArrow(task, spark_schema(ANSWER)).collect()
    files = [(storage.join(path, row["name"]), row["bytes"]) for row in sorted(answers)]
    if not files:
        with RowGroupWriter(storage.join(path, "part-00000.parquet"), arrow) as out:
            pass
        files = [(storage.join(path, "part-00000.parquet"), out.bytes)]
    return Table(spark, schema, tuple(files), sum(row["rows"] for row in answers))


def write(table: DataFrame, path: str, order: Sequence[str] | None = None) -> list[str]:
    """As `stored`; the names of the files in the folder."""
    return stored(table, path, order).names


def written(spark: SparkSession, path: str, *columns: str) -> DataFrame:
    """A table just written: counts come from here, never from what was meant to be written."""
    return read(spark, path, (), *columns)


def settled(table: DataFrame, path: str) -> DataFrame:
    """Stored and read again, which cuts the lineage: what is lost is read from files, not made once more."""
    return stored(table, path, rows_a_group=SCRATCH_GROUP_ROWS).frame()


def column(name: str) -> Column:
    """A column by its very name, dots and all."""
    return F.col("`" + name.replace("`", "``") + "`")


def columns(table: DataFrame) -> list[Column]:
    return [column(name) for name in table.columns]


def label(table: DataFrame) -> Column:
    """`eng_Latn`; `und_Zyyy` where a table does not say."""
    parts = [F.coalesce(name, F.lit(d)) if name in table.columns else F.lit(d) for name, d in UNLABELLED.items()]
    return F.concat_ws("_", *parts)


def count_reasons(table: DataFrame) -> Counts:
    """`eng_Latn` -> drop_reason or None -> rows; a table without the column has no reasons."""
    reason = F.col("drop_reason") if "drop_reason" in table.columns else F.lit(None).cast("string")
    counts: Counts = {}
    for row in table.groupBy(label(table).alias("label"), reason.alias("reason")).count().collect():
        counts.setdefault(row["label"], {})[row["reason"]] = row["count"]
    return counts


def uniform(seed: int, salt: str, *columns: Column) -> Column:
    """A number in [0, 1) by hash of the columns: the same for every partitioning, independent between salts."""
    bits = F.shiftrightunsigned(F.xxhash64(F.lit(seed), F.lit(salt), *columns), 11)
    return bits.cast("double") / F.lit(float(1 << 53))


def lookup(values: Mapping[str, Any], kind: str) -> Column:
    """A map column of literals, to be indexed by a column of keys; null for a key that is not there."""
    pairs = [F.lit(item) for pair in sorted(values.items()) for item in pair]
    return F.create_map(*pairs).cast(f"map<string,{kind}>")


def examples(marked: DataFrame, counts: Mapping[str | None, int], texts: DataFrame | None = None) -> list[Example]:
    """A few rows for each reason (null: kept), chosen by hash of the id: never a sort, a collect or a shuffle of all.

    `marked`: columns id and drop_reason. What is shown, url, language, language_script and text, comes from there or
    from `texts`, one row an id.
    """
    share = F.lit(0.0)
    for name, rows in counts.items():
        hit = F.col("drop_reason").isNull() if name is None else F.col("drop_reason") == name
        share = F.when(hit, F.lit(min(1.0, 20 * EXAMPLES_A_REASON / max(1, rows)))).otherwise(share)
    order = uniform(0, "examples", F.col("id"))
    rank = F.row_number().over(Window.partitionBy("drop_reason").orderBy(order, "id"))
    few = marked.where(order < share)
    few = (_shown(few) if texts is None else few.select("id", "drop_reason")).withColumn("rank", rank)
    picked = (
        few.where(F.col("rank") <= EXAMPLES_A_REASON).orderBy(F.col("drop_reason").asc_nulls_first(), "rank").collect()
    )
    if texts is None:
        return [_example(row, row["drop_reason"]) for row in picked]
    shown = {row["id"]: row for row in _shown(texts.where(F.col("id").isin([row["id"] for row in picked]))).collect()}
    return [_example(shown[row["id"]], row["drop_reason"]) for row in picked if row["id"] in shown]


def _shown(table: DataFrame) -> DataFrame:
    """The columns of an example, the text cut."""
    reason = ["drop_reason"] if "drop_reason" in table.columns else []
    return table.select(
        "id",
        F.coalesce(F.col("url").cast("string"), F.lit("")).alias("url"),
        F.concat_ws("_", "language", "language_script").alias("language"),
        F.substring(F.coalesce("text", F.lit("")), 1, EXAMPLE_CHARACTERS).alias("text"),
        *reason,
    )


def _example(row: Row, reason: str | None) -> Example:
    return Example(id=row["id"], url=row["url"], language=row["language"], reason=reason, text=row["text"])


def small(table: DataFrame, rows: int) -> DataFrame:
    """For joins with large tables: told to every task when it has few enough (narrow) rows, so that nothing of the
    large table is shuffled."""
    return F.broadcast(table) if rows <= BROADCAST_ROWS else table
