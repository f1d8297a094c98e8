"""Tables: reading with a check of the columns, writing Parquet, counting and picking examples from what was written."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame, Row, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

from pipeline.store import storage
from schemas.errors import UserError
from schemas.records import (
    EXAMPLE_CHARACTERS,
    EXAMPLES_A_REASON,
    ROW_GROUP_ROWS,
    UNLABELLED,
    Counts,
    Example,
)

AS_NAMED = {"__globPaths__": "false"}  # a [ or * of a path is a letter of it
BROADCAST_ROWS = 1_000_000  # of two or three narrow columns: under 100 MB in every process


def spark_schema(schema: pa.Schema) -> StructType:
    return from_arrow_schema(schema)


def engine_path(path: str) -> str:
    """Hadoop calls fsspec's s3:// s3a://."""
    return "s3a://" + path.removeprefix("s3://") if path.startswith("s3://") else path


def read(spark: SparkSession, path: str, required: Iterable[str]) -> DataFrame:
    """A folder or file of Parquet. UserError names what is missing, the path or a column."""
    if not storage.exists(path):
        raise UserError(f"{path}: no such table")
    if not any(name.endswith(".parquet") for name in [path, *storage.listing(path)]):
        raise UserError(f"{path}: no Parquet file in it")
    table = spark.read.options(**AS_NAMED, recursiveFileLookup="true").parquet(engine_path(path))
    for column in required:
        if column not in table.columns:
            raise UserError(f"{path} has no column {column!r}; it has {', '.join(table.columns)}")
    return table


def of_files(spark: SparkSession, paths: Sequence[str]) -> DataFrame:
    """Files of one table."""
    return spark.read.options(**AS_NAMED).parquet(*map(engine_path, paths))


def write(table: DataFrame, path: str) -> None:
    """Zstandard Parquet in row groups small enough to be read and split by many."""
    table.write.mode("overwrite").option("parquet.block.row.count.limit", ROW_GROUP_ROWS).parquet(engine_path(path))


def written(spark: SparkSession, path: str) -> DataFrame:
    """A table just written: counts come from here, never from what was meant to be written."""
    return spark.read.options(**AS_NAMED).parquet(engine_path(path))


def settled(table: DataFrame, path: str) -> DataFrame:
    """Written and read again, which cuts the lineage: what is lost is read from files, not made once more. As the table
    has its schema, no job asks a file for it."""
    write(table, path)
    return table.sparkSession.read.schema(table.schema).options(**AS_NAMED).parquet(engine_path(path))


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
