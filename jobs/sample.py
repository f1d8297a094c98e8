"""Mix languages by temperature and write the shards, a folder that datasets.load_dataset opens.

spark-submit jobs/sample.py --root ROOT [--temperature 3.33] [--max-epochs 4] [--config corpus.toml]
spark-submit jobs/sample.py --input TABLE --output FOLDER [--text-column body] [--id-column key]
"""

import time

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pipeline.config import Config
from pipeline.spark import job, tables
from pipeline.spark.sources import Source
from pipeline.spark.stage_progress import stage_progress
from pipeline.stages import sample
from pipeline.store import run_records, storage
from pipeline.store.ledger import ledger, totals
from schemas.records import RunRecord


def run(spark: SparkSession, config: Config, source: Source, folder: str) -> RunRecord:
    began, settings = time.monotonic(), config.sample
    record = run_records.make_record("sample", sample.VERSION, settings.model_dump(mode="json"), source.inputs)
    if job.up_to_date(record, folder):
        return record
    with run_records.building(folder, record) as building:
        with stage_progress(spark, "sample"):
            documents = sample.split_of(source.open(spark, sample.REQUIRED), settings)
            planned = sample.plan(sample.sizes(documents), settings)
            chosen = sample.choose(documents, planned, settings)
            receipts = sample.write_shards(chosen, planned, settings, building)
        mixed = sample.mixture(planned, receipts, settings)
        storage.write_json(storage.join(building, "mixture.json"), mixed)
        storage.write_bytes(storage.join(building, "README.md"), sample.card(mixed).encode())
        left_out = tables.count_reasons(chosen.where(F.col("drop_reason").isNotNull()))
        counts = sample.account(mixed, left_out)
        account = ledger("sample", documents.count(), counts, {"data": sum(receipt["rows"] for receipt in receipts)})
        shown = tables.examples(chosen, totals(counts))
        run_records.publish(folder, record, account, shown)
    job.say_done("sample", account["rows_in"], account["rows_out"], began)
    return record


def main(argv: list[str] | None = None) -> int:
    return job.stage_job("sample", run, argv)


if __name__ == "__main__":
    job.program(main)
