"""Where a stage reads: the finished stage before it, or any Parquet table."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.spark import tables
from pipeline.store import run_records, storage
from schemas.errors import UserError
from schemas.records import RUN, STAGES, UNLABELLED

TABLE_OF = {"extract": "documents", "clean": "documents", "dedup": "documents", "sample": "data"}

# Columns of the corpus that any other table may lack.
DEFAULTS: dict[str, Column | Any] = {
    "url": "",
    "date": "",
    "dump": "",
    "file_path": "",
    **UNLABELLED,
    "language_score": 0.0,
    "top_langs": "{}",
    "minhash_cluster_size": 1,
}
DEDUP_COLUMNS = ("cluster_id", "minhash_cluster_size")


@dataclass(frozen=True)
class Source:
    """A table to read: the stage before it under a root, or any Parquet table."""

    path: str
    inputs: dict[str, str]  # for the run record: name -> fingerprint
    stage: str | None = None  # the stage that wrote it, None for a foreign table
    text_column: str = "text"
    id_column: str = "id"
    folder: str = ""  # of that stage
    added: list[str] = field(default_factory=list)

    def open(self, spark: SparkSession, required: Sequence[str]) -> DataFrame:
        """The table with `id` and `text` named so and the usual columns there; `added` lists what was not."""
        renamed = {self.id_column: "id", self.text_column: "text"}
        foreign = {new: old for old, new in renamed.items()}
        needs = [foreign.get(name, name) for name in required if self.stage or name in foreign]
        table = tables.read(spark, self.path, needs)
        for old, new in renamed.items():
            if old != new and new in table.columns:
                raise UserError(f"{self.path} has both {old!r} and {new!r}: drop or rename {new!r}")
        table = table.withColumnsRenamed(renamed)
        table = table.withColumn("id", F.col("id").cast("string")).withColumn("text", F.col("text").cast("string"))
        if self.stage is None and not table.where(F.col("id").isNull()).isEmpty():
            raise UserError(f"{self.path} has rows without {self.id_column!r}: fill them or name another --id-column")
        for name, value in DEFAULTS.items():
            if name not in table.columns:
                self.added.append(name)
                table = table.withColumn(name, F.lit(value))
        if "cluster_id" not in table.columns:
            self.added.append("cluster_id")
            table = table.withColumn("cluster_id", F.col("id"))
        return table

    def as_given(self, table: DataFrame) -> DataFrame:
        """Without the columns that `open` added, names as the user has them."""
        named = {"id": self.id_column, "text": self.text_column}
        return table.drop(*(name for name in self.added if name not in DEDUP_COLUMNS)).withColumnsRenamed(named)


def stage_source(root: str, stage: str) -> Source:
    """The finished output of the stage before `stage`. UserError when there is none, or when it is out of date."""
    before = STAGES[STAGES.index(stage) - 1]
    above = STAGES[STAGES.index(before) - 1] if before != STAGES[0] else None
    folder = storage.join(root, before)
    record = run_records.require(folder, before, storage.join(root, above) if above else None)
    path = storage.join(folder, TABLE_OF[before])
    return Source(path, {before: record["fingerprint"]}, stage=before, folder=folder)


def foreign_source(path: str, text_column: str, id_column: str) -> Source:
    """Any Parquet table, known by the names and sizes of its files."""
    path = storage.absolute(path)
    if not storage.exists(path):
        raise UserError(f"--input {path}: no such table")
    if storage.exists(storage.join(path, RUN)):
        raise UserError(
            f"--input {path}: the folder of a stage, not a table; name one of its tables, as {path}/documents"
        )
    if text_column == id_column:
        raise UserError(f"--id-column {id_column} is the text column as well; name two columns")
    for flag, name in (("--text-column", text_column), ("--id-column", id_column)):
        if name in (*DEDUP_COLUMNS, "drop_reason"):
            raise UserError(f"{flag} {name}: a column that the stages make themselves; rename it")
    known = run_records.fingerprint([storage.listing(path), text_column, id_column])
    return Source(path, {"input": known}, text_column=text_column, id_column=id_column)
