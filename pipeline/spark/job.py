"""What all Spark jobs share: flags, the session, where a stage reads and writes, and how errors end."""

import argparse
import logging
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.exit_status import JobBody, run_to_exit_status
from pipeline.flags import Parser, add_stage_flags, load, parse
from pipeline.spark import tables
from pipeline.spark.session import local_cores, session
from pipeline.store import run_records, storage
from schemas.errors import UserError
from schemas.records import RUN, STAGES, UNLABELLED, RunRecord

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


@dataclass(frozen=True)
class Later:
    """A session that is started when somebody needs it."""

    app_name: str
    partitions: int | None

    def session(self) -> SparkSession:
        return session(self.app_name, self.partitions)

    def local_cores(self) -> int | None:
        """Cores of the local master that the session would have; None on a cluster, or when a session is there or
        its partitions are set, which asks for it."""
        if self.partitions or SparkSession.getActiveSession():
            return None
        return local_cores()


Run = Callable[..., RunRecord]  # of a session (or Later), a Config, a Source and the folder to write


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


def stage_job(stage: str, run: Run, argv: Sequence[str] | None, later: bool = False) -> int:
    """The whole of `jobs/<stage>.py` for a stage that reads a table; `later`: it starts its session itself."""

    def body(argv: Sequence[str] | None) -> None:
        parser = Parser(prog=f"jobs/{stage}.py", allow_abbrev=False)
        where = parser.add_argument_group("where")
        where.add_argument("--root", help=f"folder of a corpus: reads the stage before, writes ROOT/{stage}")
        where.add_argument("--input", help="any Parquet table, instead of --root")
        where.add_argument("--output", help="new folder for the answer, with --input")
        where.add_argument("--text-column", default="text", help="of --input [text]")
        where.add_argument("--id-column", default="id", help="of --input [id]")
        add_common_flags(parser)
        add_stage_flags(parser, [stage])
        args = parse(parser, argv)
        config = load(args.config, stage_flags(args))
        if args.root and not (args.input or args.output):
            root = storage.absolute(args.root)
            source, folder = stage_source(root, stage), storage.join(root, stage)
        elif args.input and args.output and not args.root:
            source = foreign_source(args.input, args.text_column, args.id_column)
            folder = storage.absolute(args.output)
        else:
            raise UserError("give --root ROOT, or --input TABLE with --output FOLDER")
        engine = Later(f"wanyu {stage}", args.partitions)
        run(engine if later else engine.session(), config, source, folder)

    return run_body(body, argv)


def add_common_flags(parser: argparse.ArgumentParser) -> None:
    common = parser.add_argument_group("common")
    common.add_argument("--config", metavar="FILE.toml", help="sections [extract] [clean] [dedup] [sample] [vocab]")
    common.add_argument("--partitions", type=positive, help="shuffle partitions; results never depend on it")


def add_input_flags(parser: argparse.ArgumentParser) -> None:
    """For the jobs that read archives."""
    where = parser.add_argument_group("where")
    where.add_argument("--input", nargs="+", required=True, help="archives: files, folders, .paths lists, URLs")
    where.add_argument("--root", required=True, help="folder of the corpus, made if it is not there")


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not 1 or more")
    return number


def stage_flags(args: argparse.Namespace) -> dict[str, str | None]:
    return {name: value for name, value in vars(args).items() if "." in name}


def up_to_date(record: RunRecord, folder: str) -> bool:
    """Whether the folder already holds exactly this work."""
    before = run_records.finished(folder)
    if before and before["fingerprint"] == record["fingerprint"]:
        say(f"{record['stage']:8} up to date")
        return True
    return False


def say_done(stage: str, rows_in: int, rows_out: int, began: float, unit: str = "documents") -> None:
    seconds = time.monotonic() - began
    rate = rows_in / seconds if seconds else 0
    say(f"{stage:8} {rows_in:,} in, {rows_out:,} {unit} out ({seconds:.1f} s, {rate:,.0f}/s)")


def say(line: str) -> None:
    print(line, flush=True)


def run_body(body: JobBody, argv: Sequence[str] | None) -> int:
    """`pipeline.exit_status.run_to_exit_status`, which also knows what a task of the engine met."""
    logging.getLogger("py4j").setLevel(logging.ERROR)
    return run_to_exit_status(body, argv, _line_of_engine_failure)


def program(main: Callable[[], int]) -> NoReturn:
    """A job as a process of its own: runs it, ends its session in good order, exits with its status."""
    status = main()
    if running := SparkSession.getActiveSession():
        running.stop()
    sys.exit(status)


def _line_of_engine_failure(error: Exception) -> str | None:
    """What a task met and the user can mend, found in the engine's own long message."""
    if type(error).__module__.startswith(("botocore", "aiobotocore")):
        return f"{type(error).__name__}: {error}: check address and credentials"
    if not (isinstance(error, PySparkException) or type(error).__module__.startswith("py4j")):
        return None
    text = str(error)
    if match := re.search(r"^schemas\.errors\.UserError: (.+)$", text, re.M):  # raised in a task
        return match.group(1)
    if "No space left on device" in text or "Disk quota exceeded" in text:
        return "No space left on device: free space or choose another --root (and spark.local.dir)"
    if "Permission denied" in text:
        return "Permission denied: choose another --root that the executors may write to"
    if match := re.search(r"Illegal Parquet type: (.{3,60}?\))\.", text):
        return f"Spark cannot read a column of type {match.group(1)}: write the table with another type for it"
    if match := re.search(r"CANNOT_READ_FILE_FOOTER\]\D*?(\S+://?\S+|/\S+?)\.? ", text):
        return f"{match.group(1)} is not readable as Parquet: remove it or name another --input"
    return None
