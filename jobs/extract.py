"""Read archives and find the main text of every page.

spark-submit jobs/extract.py --input ARCHIVES --root ROOT [--engine ENGINE] [--config corpus.toml]

ARCHIVES: files, folders, a warc.paths[.gz] list (with --prefix), https:// or s3:// addresses; .warc .arc .wet, plain or
compressed. Of many, `--sample 0.01` takes a share by hash, `--limit N` the first N.
"""

import time
from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline import storage
from pipeline.archives import Archive, manifest
from pipeline.config import ExtractConfig
from pipeline.flags import Parser, add_stage_flags, load, parse
from pipeline.spark import command, runs, tables
from pipeline.spark.progress import BEATS, Progress, beats, rate_and_time_left
from pipeline.spark.session import session
from pipeline.stages import extract
from schemas.extract import FAILED
from schemas.records import Ledger, RunRecord

RETRY = "unreadable"
NEUTRAL = {  # change no row of an archive
    "prefix", "sample", "limit", "split_bytes", "max_connections", "retries", "user_agent", "max_failed_share",
}  # fmt: skip


def run(spark: SparkSession, settings: ExtractConfig, archives: list[Archive], folder: str) -> RunRecord:
    began = time.monotonic()
    config = settings.model_dump(mode="json")
    listed = runs.fingerprint([[archive.file_path, archive.size] for archive in archives])
    identity = {name: value for name, value in config.items() if name not in NEUTRAL}
    identity |= extract.lists(settings)
    record = runs.make_record("extract", extract.VERSION, identity, {"archives": listed})
    if command.up_to_date(record, folder):
        return record
    with runs.building(folder, record, resume=True) as building:
        _keep_finished(folder, building, record)
        done = _done(spark, building, archives)
        left = [archive for archive in archives if extract.file_name(archive) not in done]
        if done:
            command.say(f"extract  {len(done):,} of {len(archives):,} archives are done already")
        most = settings.max_connections
        stores = sum(not storage.is_local(archive.location) for archive in left)
        if stores > most and spark.sparkContext.defaultParallelism > most:
            command.say(f"extract  archives of stores are read by {most} of the cluster's cores (max_connections)")

        def line() -> str:
            there, seen = storage.listing(storage.join(building, "inputs")), beats(building)
            fresh = len(there) - len(done)
            counts = ", ".join(f"{seen.get(name, 0):,} {name}" for name in ("records", "documents", "failures"))
            return f"extract: {rate_and_time_left(fresh, len(left), time.monotonic() - began, 'archives')}; {counts}"

        if left:
            with Progress(line):
                extract.extract(spark, left, settings, building).write.format("noop").mode("overwrite").save()
        inputs = tables.written(spark, storage.join(building, "inputs"))
        total = extract.totals(inputs, FAILED)
        if total.archives != len(archives):
            raise AssertionError(f"extract: {len(archives)} archives were read, {total.archives} receipts are there")
        if total.failed > settings.max_failed_share * total.archives:
            worst = inputs.where(inputs["status"].isin(*FAILED)).orderBy("file_path").first()
            assert worst is not None
            if total.failed == total.archives:
                runs.abandon(folder)
            raise ValueError(
                f"{total.failed} of {total.archives} archives gave nothing, such as {worst['file_path']} "
                f"({worst['status']}: {worst['detail']}): check --input, or raise max_failed_share"
            )
        for scratch in (BEATS, extract.PARTS):
            storage.remove(storage.join(building, scratch))
        documents = tables.written(spark, storage.join(building, "documents"))
        skipped = tables.written(spark, storage.join(building, "skipped"))
        written = {"documents": documents.count(), "inputs": total.archives, "skipped": skipped.count()}
        ledger = Ledger(
            stage="extract",
            rows_in=total.records,
            rows_out=written["documents"],
            dropped=dict(sorted(total.reasons.items())),
            by_language={},
            tables=written,
        )
        if refused := _refused(inputs):  # a record of its own, so that the next run tries these again
            record["fingerprint"] = runs.fingerprint([record["fingerprint"], sorted(refused)])
        runs.publish(folder, record, ledger, extract.examples(documents, skipped, total))
    command.say_done("extract", total.records, total.documents, began)
    return record


def _refused(inputs: DataFrame) -> set[str]:
    """File names of the archives that a store refused after all retries."""
    rows = inputs.where(F.col("status") == RETRY).collect()
    return {extract.file_name(Archive(row["file_path"], "", row["size"])) for row in rows}


def _done(spark: SparkSession, building: str, archives: list[Archive]) -> set[str]:
    """File names of the archives that need not be read again. Files of archives that are not asked for are removed, and
    receipts of those that were refused."""
    receipts = storage.join(building, "inputs")
    names = set(storage.listing(receipts))
    for name in names - {extract.file_name(archive) for archive in archives}:
        for table in ("inputs", "documents", "skipped"):
            storage.remove(storage.join(building, table, name))
        names.discard(name)
    refused = _refused(tables.written(spark, receipts)) if names else set()
    for name in refused:
        storage.remove(storage.join(receipts, name))
    return names - refused


def _keep_finished(folder: str, building: str, record: RunRecord) -> None:
    """Takes over the archives of a finished run with the same settings."""
    earlier = runs.finished(folder)
    if not earlier or (earlier["config"], earlier["stage_version"]) != (record["config"], record["stage_version"]):
        return
    for name in storage.listing(storage.join(folder, "inputs")):
        for table in extract.TABLES:  # the receipt comes last
            storage.copy(storage.join(folder, table, name), storage.join(building, table, name))


def main(argv: list[str] | None = None) -> int:
    def body(argv: Sequence[str] | None) -> None:
        parser = Parser(prog="jobs/extract.py", allow_abbrev=False)
        command.add_input_flags(parser)
        command.add_common_flags(parser)
        add_stage_flags(parser, ["extract"])
        args = parse(parser, argv)
        settings = load(args.config, command.stage_flags(args)).extract
        archives = manifest(args.input, settings.prefix, settings.limit, settings.sample)
        root = storage.absolute(args.root)
        run(session("wanyu extract", args.partitions), settings, archives, storage.join(root, "extract"))

    return command.run_body(body, argv)


if __name__ == "__main__":
    command.program(main)
