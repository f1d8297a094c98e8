"""Drop exact and near-duplicates, keep the best copy of each cluster.

spark-submit jobs/dedup.py --root ROOT [--threshold 0.8] [--against EARLIER_ROOT ...] [--scope line]
spark-submit jobs/dedup.py --input TABLE --output FOLDER [--text-column body] [--id-column key]
"""

import time
from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.config import Config, DedupConfig
from pipeline.duplicates.earlier_crawls import EarlierCrawl, earlier_crawls
from pipeline.duplicates.minhash import candidate_probability
from pipeline.duplicates.small_dedup import small_dedup
from pipeline.duplicates.survivors import check_quality
from pipeline.spark import job, tables
from pipeline.spark.document_frame import PLACE, document_frame
from pipeline.spark.session import LazySession, started
from pipeline.spark.sources import Source
from pipeline.spark.stage_progress import stage_progress
from pipeline.spark.tasks import cheapest_runner
from pipeline.stages import dedup, earlier, repeated_lines
from pipeline.store import run_records, storage
from pipeline.store.document_table import DocumentTable
from pipeline.store.ledger import ledger, totals
from schemas.errors import UserError
from schemas.records import Ledger, RunRecord

PARTS = ("lines", "signatures", "clusters", "documents")


def run(engine: SparkSession | LazySession, config: Config, source: Source, folder: str) -> RunRecord:
    """A small table is done by tasks over its files, on a local master without a session; a larger one by shuffles."""
    began = time.monotonic()
    settings = config.dedup.model_copy(update={"against": tuple(map(storage.absolute, config.dedup.against))})
    crawls = earlier_crawls(settings.against)
    inputs = {**source.inputs, **{f"against {number}": crawl.crawl for number, crawl in enumerate(crawls, 1)}}
    bands, rows = settings.shape()
    # No row depends on them, but for what `inputs` has.
    unrecorded = {"one_task_documents", "against", "max_failed_text_share"}
    resolved = {**settings.model_dump(mode="json", exclude=unrecorded), "bands": bands, "rows": rows}
    record = run_records.make_record("dedup", dedup.VERSION, resolved, inputs)
    if job.up_to_date(record, folder):
        return record
    for crawl in crawls:
        if crawl.folder.rstrip("/") == folder.rstrip("/"):
            raise UserError(f"--against {crawl.path}: that is the folder to be written; name an earlier one")
    job.say(f"dedup    {_curve(settings)}")
    table = source.table()
    check_quality(settings.quality_column, table)
    account = _by_files(engine, table, settings, folder, record, crawls) if _fits(table, settings, crawls) else None
    if account is None:
        account = _by_shuffles(started(engine), settings, table, folder, record, crawls)
    job.say_done("dedup", account["rows_in"], account["rows_out"], began)
    return record


def _fits(table: DocumentTable, settings: DedupConfig, crawls: Sequence[EarlierCrawl]) -> bool:
    """Whether one task can cluster it, the earlier crawls counted."""
    earlier_rows = [crawl.n_signatures for crawl in crawls]
    if None in earlier_rows:
        return False
    return table.files.rows + sum(rows or 0 for rows in earlier_rows) <= settings.one_task_documents


def _by_files(
    engine: SparkSession | LazySession,
    table: DocumentTable,
    settings: DedupConfig,
    folder: str,
    record: RunRecord,
    crawls: Sequence[EarlierCrawl],
) -> Ledger | None:
    """None where the table needs shuffles after all."""
    run_tasks = cheapest_runner(engine)
    with run_records.building(folder, record) as building:
        paths = {name: storage.join(building, name) for name in PARTS}
        paths["scratch"] = storage.join(building, "_scratch")
        outcome = small_dedup(table, settings, crawls, paths, run_tasks)
        if outcome is None:
            run_records.abandon(folder)
            return None
        storage.remove(paths["scratch"])
        account = ledger("dedup", outcome.rows_in, outcome.counts, outcome.tables)
        job.say_failed("dedup", account, settings.max_failed_text_share)
        run_records.publish(folder, record, account, outcome.examples, outcome.files)
    return account


def _by_shuffles(
    spark: SparkSession,
    settings: DedupConfig,
    table: DocumentTable,
    folder: str,
    record: RunRecord,
    crawls: Sequence[EarlierCrawl],
) -> Ledger:
    for crawl in crawls:
        earlier.check_tables(spark, crawl, settings.hasher().version)
    with run_records.building(folder, record) as building:
        path = {name: storage.join(building, name) for name in (*PARTS, "_cut")}
        scratch = {name: storage.join(building, "_scratch", name) for name in ("lines", "one_an_id", "clusters")}
        with stage_progress(spark, "dedup"):
            given = document_frame(spark, table, dedup.READ, settings.quality_column)
            templates, pages, lines = None, given, 0
            if settings.scope == "line":
                least = settings.min_line_pages, settings.min_line_share
                repeated = tables.settled(repeated_lines.repeated(given, *least, scratch["lines"]), path["lines"])
                lines = repeated.count()
                given = tables.settled(repeated_lines.cut(given, repeated, lines), path["_cut"])
                pages, templates = dedup.without_templates(given)
            rows_in = (document_frame(spark, table, ["id"]) if templates is None else given).count()
            documents, salt = _sign(pages, settings, crawls, table, path["signatures"], scratch["one_an_id"])
            united = dedup.unite(spark, tables.written(spark, path["signatures"]), crawls, salt)
            known = dedup.known_copies(spark, crawls, salt)
            names = [crawl.crawl for crawl in crawls]
            clusters = dedup.clusters(united, settings, names, scratch["clusters"], known)
            clustered = tables.settled(clusters, path["clusters"])
            placed = document_frame(spark, table, [*PLACE, "id"]) if documents is given else documents
            kept = dedup.survivors(placed.drop(*(["text"] if templates is None else [])), clustered)
            kept_counts, survivor_files = dedup.write_survivors(kept, table, path["documents"])
            counts = dedup.account(pages, documents, clustered, kept_counts)
        written = {"clusters": clustered.count(), "documents": totals(counts).get(None, 0)}
        written["signatures"] = tables.written(spark, path["signatures"]).count()
        marked = clustered.where(F.col("crawl").isNull()).select("id", "drop_reason")
        if templates is not None:
            for label, reasons in tables.count_reasons(templates).items():
                counts.setdefault(label, {}).update(reasons)
            marked = marked.unionByName(templates.select("id", "drop_reason"))
            written["lines"] = lines
        account = ledger("dedup", rows_in, counts, written)
        job.say_failed("dedup", account, settings.max_failed_text_share)
        examples = tables.examples(marked, totals(counts), given if documents is pages else documents)
        storage.remove(path["_cut"])
        storage.remove(storage.join(building, "_scratch"))
        files = {name: list(storage.listing(path[name])) for name in PARTS if name in written}
        files["documents"] = survivor_files
        run_records.publish(folder, record, account, examples, files)
    return account


def _sign(
    given: DataFrame,
    settings: DedupConfig,
    crawls: Sequence[EarlierCrawl],
    table: DocumentTable,
    path: str,
    one_an_id: str,
) -> tuple[DataFrame, int]:
    """Writes the signatures. The documents, one row an id; the salt under which each, of earlier crawls too, has a node
    of its own."""
    spark, documents = given.sparkSession, given
    tables.write(dedup.signatures(documents, settings), path)
    for salt in range(8):
        signed = tables.written(spark, path)
        united = dedup.unite(spark, signed, crawls, salt)
        rows, nodes = united.agg(F.count("*"), F.countDistinct("node")).first() or (0, 0)
        if rows == nodes:
            return documents, salt
        ids = signed.agg(F.countDistinct("id")).first()
        if documents is given and ids and ids[0] < signed.count():
            digests = document_frame(spark, table, [*PLACE, "digest"])
            one_row = tables.settled(dedup.one_row_an_id(given, digests), one_an_id)
            documents = given.join(one_row, list(PLACE), "left_semi")
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
    return job.stage_job("dedup", run, argv, lazy=True)


if __name__ == "__main__":
    job.program(main)
