"""Drop exact and near-duplicates, keep the best copy of each cluster.

spark-submit jobs/dedup.py --root ROOT [--threshold 0.8] [--against EARLIER_ROOT ...] [--scope line]
spark-submit jobs/dedup.py --input TABLE --output FOLDER [--text-column body] [--id-column key]
"""

import time
from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.config import Config, DedupConfig
from pipeline.duplicates import small_table as local
from pipeline.duplicates.minhash import candidate_probability
from pipeline.spark import job, tables
from pipeline.spark.progress import local_progress, stage_progress
from pipeline.stages import dedup, earlier, one_task, repeated_lines
from pipeline.store import run_records, storage
from schemas.errors import UserError
from schemas.records import Ledger, RunRecord

PARTS = ("lines", "signatures", "clusters", "documents", "_cut")


def run(engine: SparkSession | job.Later, config: Config, source: job.Source, folder: str) -> RunRecord:
    """With `engine` a session that is to be started when it is needed, a small table is done without one."""
    began = time.monotonic()
    settings = config.dedup.model_copy(update={"against": tuple(map(storage.absolute, config.dedup.against))})
    crawls = earlier.find(settings.against)
    inputs = {**source.inputs, **{f"against {number}": one.crawl for number, one in enumerate(crawls, 1)}}
    bands, rows = settings.shape()
    unrecorded = {"one_task_documents", "against"}  # no row depends on them, but for what `inputs` has
    resolved = {**settings.model_dump(mode="json", exclude=unrecorded), "bands": bands, "rows": rows}
    record = run_records.make_record("dedup", dedup.VERSION, resolved, inputs)
    if job.up_to_date(record, folder):
        return record
    job.say(f"dedup    {_curve(settings)}")
    ledger = _without_engine(engine, settings, source, folder, record) if isinstance(engine, job.Later) else None
    if ledger is None:
        spark = engine.session() if isinstance(engine, job.Later) else engine
        ledger = _with_engine(spark, settings, source, folder, record, crawls)
    job.say_done("dedup", ledger["rows_in"], ledger["rows_out"], began)
    return record


def _without_engine(
    engine: job.Later, settings: DedupConfig, source: job.Source, folder: str, record: RunRecord
) -> Ledger | None:
    """None where the table asks for an engine."""
    workers = engine.local_cores()
    columns = source.id_column, source.text_column
    table = local.given(source.path, *columns, source.stage is not None, settings) if workers else None
    if table is None or not workers:
        return None
    with run_records.building(folder, record) as building, local_progress("dedup") as progress:
        outcome = local.dedup(
            table, settings, {name: storage.join(building, name) for name in PARTS}, workers, progress
        )
        if outcome is None:
            run_records.abandon(folder)
            return None
        ledger = tables.ledger("dedup", outcome.rows_in, outcome.counts, outcome.tables)
        run_records.publish(folder, record, ledger, outcome.examples)
    return ledger


def _with_engine(
    spark: SparkSession,
    settings: DedupConfig,
    source: job.Source,
    folder: str,
    record: RunRecord,
    crawls: Sequence[earlier.Earlier],
) -> Ledger:
    for one in crawls:
        if one.folder.rstrip("/") == folder.rstrip("/"):
            raise UserError(f"--against {one.path}: that is the folder to be written; name an earlier one")
        earlier.check_version(spark, one, settings.hasher().version)
    with run_records.building(folder, record) as building:
        path = {name: storage.join(building, name) for name in PARTS}
        scratch = storage.join(building, "_scratch")
        with stage_progress(spark, "dedup"):
            given = source.open(spark, dedup.REQUIRED)
            if source.stage:
                given = given.where(F.col("drop_reason").isNull()).drop("drop_reason")
            _check_quality(settings.quality_column, given, source)
            rows_in, templates, pages = given.count(), None, given
            if settings.scope == "line":
                lines = repeated_lines.repeated(given, settings.min_line_pages, settings.min_line_share, scratch)
                tables.write(lines, path["lines"])
                found = tables.written(spark, path["lines"])
                tables.write(repeated_lines.cut(given, found, found.count()), path["_cut"])
                given = tables.written(spark, path["_cut"])
                pages, templates = dedup.without_templates(given)
            documents, rows, salt = _sign(spark, pages, settings, crawls, path["signatures"])
            if rows <= settings.one_task_documents and not crawls:
                clusters = one_task.clusters(spark, path["signatures"], settings, salt)
            else:
                united = dedup.unite(spark, tables.written(spark, path["signatures"]), crawls, salt)
                known = dedup.known_copies(spark, crawls, salt)
                clusters = dedup.clusters(spark, united, settings, [one.crawl for one in crawls], scratch, known)
            tables.write(clusters, path["clusters"])
            storage.remove(scratch)
            clustered = tables.written(spark, path["clusters"])
            tables.write(source.as_given(dedup.survivors(documents, clustered)), path["documents"])
        counts = dedup.account(pages, documents, clustered, tables.written(spark, path["documents"]))
        written = {"clusters": clustered.count(), "documents": tables.totals(counts).get(None, 0)}
        written["signatures"] = tables.written(spark, path["signatures"]).count()
        marked = clustered.where(F.col("crawl").isNull()).select("id", "drop_reason")
        if templates is not None:
            for label, reasons in tables.count_reasons(templates).items():
                counts.setdefault(label, {}).update(reasons)
            marked = marked.unionByName(templates.select("id", "drop_reason"))
            written["lines"] = tables.written(spark, path["lines"]).count()
        ledger = tables.ledger("dedup", rows_in, counts, written)
        examples = tables.examples(marked, tables.totals(counts), given if documents is pages else documents)
        storage.remove(path["_cut"])
        run_records.publish(folder, record, ledger, examples)
    return ledger


def _check_quality(name: str, given: DataFrame, source: job.Source) -> None:
    kinds = {column: kind for column, kind in given.dtypes if column not in source.added}
    if name and name not in kinds:
        raise UserError(f"--quality-column {name}: {source.path} has no such column; it has {', '.join(kinds)}")
    if name and not kinds[name].startswith(("tinyint", "smallint", "int", "bigint", "float", "double", "decimal")):
        raise UserError(f"--quality-column {name}: it is {kinds[name]}; name a column of numbers")


def _sign(
    spark: SparkSession, given: DataFrame, settings: DedupConfig, crawls: Sequence[earlier.Earlier], path: str
) -> tuple[DataFrame, int, int]:
    """Writes the signatures. The documents, one row an id; signatures in all, those of earlier crawls included; the
    salt under which each has a node of its own."""
    documents = given
    tables.write(dedup.signatures(documents, settings), path)
    for salt in range(8):
        signed = tables.written(spark, path)
        united = dedup.unite(spark, signed, crawls, salt)
        rows, nodes = united.agg(F.count("*"), F.countDistinct("node")).first() or (0, 0)
        if rows == nodes:
            return documents, rows, salt
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
    return job.stage_job("dedup", run, argv, later=True)


if __name__ == "__main__":
    job.program(main)
