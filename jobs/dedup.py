"""Drop exact and near-duplicates, keep the best copy of each cluster.

spark-submit jobs/dedup.py --root ROOT [--threshold 0.8] [--against EARLIER_ROOT ...] [--scope line]
spark-submit jobs/dedup.py --input TABLE --output FOLDER [--text-column body] [--id-column key]
"""

import time
from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline import storage
from pipeline.config import Config, DedupConfig
from pipeline.spark import command, runs, tables
from pipeline.spark.progress import stage_progress
from pipeline.stages import dedup, earlier
from pipeline.text.minhash import candidate_probability
from schemas.records import RunRecord


def run(spark: SparkSession, config: Config, source: command.Source, folder: str) -> RunRecord:
    began = time.monotonic()
    settings = config.dedup.model_copy(update={"against": tuple(map(storage.absolute, config.dedup.against))})
    crawls = earlier.find(settings.against)
    inputs = {**source.inputs, **{f"against {one.path}": one.crawl for one in crawls}}
    bands, rows = settings.shape()
    record = runs.make_record(
        "dedup", dedup.VERSION, {**settings.model_dump(mode="json"), "bands": bands, "rows": rows}, inputs
    )
    if command.up_to_date(record, folder):
        return record
    for one in crawls:
        if one.folder == folder:
            raise ValueError(f"--against {one.path}: that is the folder to be written; name an earlier one")
        earlier.check_version(spark, one, dedup.hasher_of(settings).version)
    command.say(f"dedup    {_curve(settings)}")
    with runs.building(folder, record) as building:
        path = {name: storage.join(building, name) for name in ("signatures", "clusters", "documents", "_scratch")}
        with stage_progress(spark, "dedup"):
            given = source.open(spark, dedup.REQUIRED)
            if source.stage:
                given = given.where(F.col("drop_reason").isNull()).drop("drop_reason")
            if settings.quality_column and settings.quality_column not in given.columns:
                raise ValueError(f"--quality-column {settings.quality_column}: {source.path} has {given.columns}")
            documents, united = _signed(spark, given, settings, crawls, path["signatures"])
            names = [one.crawl for one in crawls]
            tables.write(dedup.clusters(spark, united, settings, names, path["_scratch"]), path["clusters"])
            storage.remove(path["_scratch"])
            clustered = tables.written(spark, path["clusters"])
            tables.write(source.as_given(dedup.survivors(documents, clustered)), path["documents"])
        counts = dedup.account(given, documents, clustered, tables.written(spark, path["documents"]))
        written = {"signatures": tables.written(spark, path["signatures"]).count(), "clusters": clustered.count()}
        ledger = tables.ledger(
            "dedup", given.count(), counts, {**written, "documents": tables.totals(counts).get(None, 0)}
        )
        marked = clustered.where(F.col("crawl").isNull()).select("id", "drop_reason")
        runs.publish(folder, record, ledger, tables.examples(marked, tables.totals(counts), documents))
    command.say_done("dedup", ledger["rows_in"], ledger["rows_out"], began)
    return record


def _signed(
    spark: SparkSession, given: DataFrame, settings: DedupConfig, crawls: Sequence[earlier.Earlier], path: str
) -> tuple[DataFrame, DataFrame]:
    """The documents, one row an id, and all signatures, those of earlier crawls included, one row a node."""
    documents = given
    tables.write(dedup.signatures(documents, settings), path)
    for salt in range(8):
        signed = tables.written(spark, path)
        united = dedup.unite(spark, signed, crawls, salt)
        rows, nodes = united.agg(F.count("*"), F.countDistinct("node")).first() or (0, 0)
        if rows == nodes:
            return documents, united
        ids = signed.agg(F.countDistinct("id")).first()
        if documents is given and ids and ids[0] < signed.count():
            documents = dedup.one_row_an_id(given)
            tables.write(dedup.signatures(documents, settings), path)
        # else two ids met in one node: with another salt they part
    raise RuntimeError(f"{path}: {rows} signatures have only {nodes} names")


def _curve(settings: DedupConfig) -> str:
    """The S-curve, for the log."""
    bands, rows = settings.shape()
    points = (0.3, 0.5, 0.7, 0.8, 0.9)
    chances = ", ".join(f"{s}: {candidate_probability(s, bands, rows):.3f}" for s in points)
    compared = {"none": "not verified"}.get(settings.verify, f"{settings.verify} >= {settings.threshold}")
    return f"{bands} bands x {rows} rows, chance to be compared by similarity {chances}; {compared}"


def main(argv: list[str] | None = None) -> int:
    return command.stage_job("dedup", run, argv)


if __name__ == "__main__":
    command.program(main)
