"""Repair, identify, measure and judge documents.

spark-submit jobs/clean.py --root ROOT [--languages eng,cmn] [--min-words 50] [--config corpus.toml]
spark-submit jobs/clean.py --input TABLE --output FOLDER [--text-column body] [--id-column key]
"""

import hashlib
import time
from pathlib import Path

from pyspark.sql import SparkSession

from pipeline import storage
from pipeline.config import Config
from pipeline.spark import command, runs, tables
from pipeline.spark.progress import stage_progress
from pipeline.stages import clean
from pipeline.text.language import Identifier
from schemas.records import RunRecord


def run(spark: SparkSession, config: Config, source: command.Source, folder: str) -> RunRecord:
    began, settings = time.monotonic(), config.clean
    inputs = dict(source.inputs)
    if settings.model:
        settings = settings.model_copy(update={"model": storage.absolute(settings.model)})
        Identifier(settings.model)  # a model that is none is an error here, not in a task
        inputs["model"] = hashlib.sha256(Path(settings.model).read_bytes()).hexdigest()
    record = runs.make_record("clean", clean.VERSION, settings.model_dump(mode="json"), inputs)
    if command.up_to_date(record, folder):
        return record
    earlier = runs.finished(folder)
    with runs.building(folder, record) as building:
        path = storage.join(building, "documents")
        with stage_progress(spark, "clean"):
            given = source.open(spark, clean.REQUIRED)
            if earlier and _annotations(earlier) == _annotations(record):
                annotated = tables.read(spark, storage.join(folder, "documents"), ["drop_reason"]).drop("drop_reason")
            else:
                annotated = clean.annotate(given, settings)
            tables.write(clean.decide(annotated, settings), path)
        documents = tables.written(spark, path)
        counts = tables.count_reasons(documents)
        ledger = tables.ledger("clean", given.count(), counts, {"documents": documents.count()})
        runs.publish(folder, record, ledger, tables.examples(documents, tables.totals(counts)))
    command.say_done("clean", ledger["rows_in"], ledger["rows_out"], began)
    return record


def _annotations(record: RunRecord) -> object:
    """What the annotated columns depend on: with equal ones, only the verdict is taken again."""
    return record["stage_version"], record["inputs"], record["versions"]


def main(argv: list[str] | None = None) -> int:
    return command.stage_job("clean", run, argv)


if __name__ == "__main__":
    command.program(main)
