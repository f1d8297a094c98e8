"""Drop exact and near-duplicates, keep the best copy of each cluster.

spark-submit jobs/dedup.py --root ROOT [--ngram-size 5] [--config corpus.toml]
spark-submit jobs/dedup.py --input TABLE --output FOLDER [--text-column body] [--id-column key]
"""

import time

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pipeline import storage
from pipeline.config import Config
from pipeline.spark import command, runs, tables
from pipeline.spark.progress import stage_progress
from pipeline.stages import dedup
from schemas.records import RunRecord


def run(spark: SparkSession, config: Config, source: command.Source, folder: str) -> RunRecord:
    began, settings = time.monotonic(), config.dedup
    record = runs.make_record("dedup", dedup.VERSION, settings.model_dump(mode="json"), source.inputs)
    if command.up_to_date(record, folder):
        return record
    with runs.building(folder, record) as building:
        path = {name: storage.join(building, name) for name in ("signatures", "clusters", "documents", "_scratch")}
        with stage_progress(spark, "dedup"):
            given = source.open(spark, dedup.REQUIRED)
            if source.stage:
                given = given.where(F.col("drop_reason").isNull()).drop("drop_reason")
            documents = dedup.one_row_an_id(given)
            tables.write(dedup.signatures(documents, settings), path["signatures"])
            signed = tables.written(spark, path["signatures"])
            tables.write(dedup.clusters(spark, signed, path["_scratch"]), path["clusters"])
            storage.remove(path["_scratch"])
            clustered = tables.written(spark, path["clusters"])
            tables.write(source.as_given(dedup.survivors(documents, clustered)), path["documents"])
        counts = dedup.account(given, documents, clustered, tables.written(spark, path["documents"]))
        written = {"signatures": signed.count(), "clusters": clustered.count()}
        ledger = tables.ledger(
            "dedup", given.count(), counts, {**written, "documents": tables.totals(counts).get(None, 0)}
        )
        marked = clustered.select("id", "drop_reason")
        runs.publish(folder, record, ledger, tables.examples(marked, tables.totals(counts), documents))
    command.say_done("dedup", ledger["rows_in"], ledger["rows_out"], began)
    return record


def main(argv: list[str] | None = None) -> int:
    return command.stage_job("dedup", run, argv)


if __name__ == "__main__":
    command.program(main)
