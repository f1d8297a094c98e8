"""Where a stage reads: the finished stage before it, or any Parquet table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.spark import tables
from pipeline.spark.document_frame import DEFAULTS, document_frame
from pipeline.store import generations, run_records, storage, verdict_files
from pipeline.store.document_table import READING, DocumentTable, document_table
from pipeline.store.generations import Generation
from schemas.errors import UserError
from schemas.records import STAGES

TABLE_OF = {"extract": "documents", "clean": "documents", "dedup": "documents", "sample": "data"}
MADE_BY_STAGES = ("cluster_id", "minhash_cluster_size", "drop_reason")


@dataclass(frozen=True)
class Source:
    """A table to read: the stage before it under a root, or any Parquet table."""

    path: str
    inputs: dict[str, str]  # for the run record: name -> fingerprint
    stage: str | None = None  # the stage that wrote it, None for a foreign table
    text_column: str = "text"
    id_column: str = "id"
    folder: str = ""  # of that stage
    files: Mapping[str, str] | None = None  # of its table: name -> path; None: those that lie there
    verdicts: Mapping[str, str] | None = None  # that lie beside some of them

    def table(self) -> DocumentTable:
        """For tasks; rows that an earlier stage dropped do not count. UserError where it cannot be read."""
        kept_only = self.stage is not None
        return document_table(self.path, self.id_column, self.text_column, kept_only, self.files, self.verdicts)

    def open(self, spark: SparkSession, required: Sequence[str]) -> DataFrame:
        """For the engine, with `id` and `text` named so and the usual columns there; a foreign table has no others."""
        if self.stage is None:
            return document_frame(spark, self.table(), ("id", "text", *DEFAULTS, "cluster_id"))
        table = tables.read(spark, self.path, required)
        for name, value in DEFAULTS.items():
            if name not in table.columns:
                table = table.withColumn(name, F.lit(value))
        return table if "cluster_id" in table.columns else table.withColumn("cluster_id", F.col("id"))


def stage_source(root: str, stage: str) -> Source:
    """The finished output of the stage before `stage`. UserError when there is none, or when it is out of date."""
    before = STAGES[STAGES.index(stage) - 1]
    above = STAGES[STAGES.index(before) - 1] if before != STAGES[0] else None
    folder = storage.join(root, before)
    record = run_records.require(folder, before, storage.join(root, above) if above else None)
    now, path = generations.required(folder), storage.join(folder, TABLE_OF[before])
    files, verdicts = files_of_table(now, TABLE_OF[before])
    return Source(path, {before: record["fingerprint"]}, stage=before, folder=folder, files=files, verdicts=verdicts)


def files_of_table(now: Generation, table: str) -> tuple[dict[str, str], dict[str, str]]:
    """The table's files and the verdicts that lie beside them."""
    files = now.files(table)
    return files, verdict_files.verdicts_of(now, files) if table == "documents" else {}


def foreign_source(path: str, text_column: str, id_column: str) -> Source:
    """Any Parquet table, known by the names and sizes of its files."""
    path = storage.absolute(path)
    folder, _, table = path.rstrip("/").rpartition("/")
    now = generations.current(folder)
    of_stage = now if now is not None and table in now.tables() else None
    if of_stage is None and not storage.exists(path):
        raise UserError(f"--input {path}: no such table")
    if generations.current(path):
        raise UserError(
            f"--input {path}: the folder of a stage, not a table; name one of its tables, as {path}/documents"
        )
    if text_column == id_column:
        raise UserError(f"--id-column {id_column} is the text column as well; name two columns")
    for flag, name in (("--text-column", text_column), ("--id-column", id_column)):
        if name in MADE_BY_STAGES:
            raise UserError(f"{flag} {name}: a column that the stages make themselves; rename it")
    if of_stage is not None:  # a stage's table, whatever generations it lies in
        files, verdicts = files_of_table(of_stage, table)
        told: object = [of_stage.record()["fingerprint"], of_stage.number, table]
    else:
        files, verdicts, told = None, None, storage.listing(path)
    known = run_records.fingerprint([told, text_column, id_column, READING])
    return Source(path, {"input": known}, text_column=text_column, id_column=id_column, files=files, verdicts=verdicts)
