"""Drop exact and near-duplicates, keep the best copy of each cluster.

spark-submit jobs/dedup.py --root ROOT [--threshold 0.8] [--against EARLIER_ROOT ...] [--scope line|paragraph|substring]
spark-submit jobs/dedup.py --input TABLE --output FOLDER [--text-column body] [--id-column key]
"""

import functools
import time
from collections import Counter
from collections.abc import Mapping, Sequence

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pipeline.config import Config, DedupConfig
from pipeline.duplicates import large_clusters
from pipeline.duplicates.earlier_crawls import (
    EarlierCrawl,
    check_files,
    earlier_crawls,
    paragraph_counts_of,
    signature_rows_of,
)
from pipeline.duplicates.minhash import candidate_probability
from pipeline.duplicates.signing import leave_out, sign
from pipeline.duplicates.small_dedup import small_dedup
from pipeline.duplicates.survivors import VERDICTS, Said, keep_split, survivor_schema
from pipeline.keys import stage_keys
from pipeline.repeats import small_paragraphs, small_substrings
from pipeline.repeats.small_lines import step
from pipeline.spark import job, tables
from pipeline.spark.document_frame import PLACE, document_frame
from pipeline.spark.session import LazySession, size_shuffles, started
from pipeline.spark.sources import Source
from pipeline.spark.stage_progress import stage_progress
from pipeline.spark.tasks import cheapest_runner, engine_runner, has_room
from pipeline.stages import dedup
from pipeline.stages.candidates import hot_buckets, sampled_buckets
from pipeline.stages.repeats import repeated_lines, repeated_paragraphs, shared_substrings
from pipeline.stages.signed import ROW_BITS, TASK_ROWS, SignatureFile, files_a_task, frame, kept_by_file
from pipeline.store import generations, run_records, storage
from pipeline.store.document_table import DocumentTable, check_numbers
from pipeline.store.examples import chosen_examples
from pipeline.store.ledger import ledger, totals
from pipeline.store.table_splits import SPLIT_BYTES, part_file, split_table
from pipeline.workers.tasks import TaskRunner
from schemas.dedup import CLUSTERS
from schemas.distributions import CLUSTERS as LARGE_CLUSTERS
from schemas.errors import UserError
from schemas.records import Counts, Ledger, RunRecord

ONE_TASK_BYTES = 1 << 10  # a document, of the task that clusters them (docs/quality.md)
PARTS = ("lines", *small_paragraphs.TABLES, "signatures", "clusters", "documents", "spans")


def run(engine: SparkSession | LazySession, config: Config, source: Source, folder: str) -> RunRecord:
    """A small table is done by tasks over its files, on a local master without a session; a larger one by shuffles."""
    began = time.monotonic()
    settings = config.dedup.model_copy(update={"against": tuple(map(storage.absolute, config.dedup.against))})
    crawls = earlier_crawls(settings.against)
    inputs = {**source.inputs, **{f"against {number}": crawl.crawl for number, crawl in enumerate(crawls, 1)}}
    bands, rows = settings.shape()
    # No row depends on them, but for what `inputs` has.
    unrecorded = {"one_task_documents", "against", "max_failed_text_share"}
    unrecorded |= {"substring_bytes", "cut_substrings"} if settings.scope != "substring" else set()
    resolved = {**settings.model_dump(mode="json", exclude=unrecorded), "bands": bands, "rows": rows}
    record = run_records.make_record("dedup", dedup.VERSION, resolved, inputs)
    if job.up_to_date(record, folder):
        return record
    for crawl in crawls:
        if settings.scope == "paragraph":
            paragraph_counts_of(crawl)
        if crawl.folder.rstrip("/") == folder.rstrip("/"):
            raise UserError(f"--against {crawl.path}: that is the folder to be written; name an earlier one")
    job.say(f"dedup    {_curve(settings)}")
    table = source.table()
    check_numbers("--quality-column", settings.quality_column, table)
    fits = _fits(engine, table, settings, crawls)
    account = _by_files(engine, table, settings, folder, record, crawls) if fits else None
    if account is None:
        account = _by_shuffles(started(engine), settings, table, folder, record, crawls)
    job.say_done("dedup", account["rows_in"], account["rows_out"], began)
    return record


def _fits(
    engine: SparkSession | LazySession, table: DocumentTable, settings: DedupConfig, crawls: Sequence[EarlierCrawl]
) -> bool:
    """Whether one task can cluster it, the earlier crawls counted, and has room for it."""
    earlier_rows = [crawl.n_signatures for crawl in crawls]
    if None in earlier_rows:
        return False
    rows = table.files.rows + sum(rows or 0 for rows in earlier_rows)
    return rows <= settings.one_task_documents and has_room(engine, rows * ONE_TASK_BYTES)


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
        storage.write_json(storage.join(building, LARGE_CLUSTERS), outcome.large_clusters)
        _index(run_tasks, folder, building, record, outcome.files)
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
    run_tasks = engine_runner(spark)
    run_tasks(functools.partial(check_files, version=settings.hasher().version), crawls)
    with run_records.building(folder, record) as building:
        size_shuffles(spark, len(table.files.splits) * SPLIT_BYTES)
        path = {name: storage.join(building, name) for name in PARTS}
        scratch = storage.join(building, "_scratch")
        templates, lines = None, 0
        counts: Counts = {}
        files_of: dict[str, list[str]] = {}
        if settings.scope == "line":
            with stage_progress(spark, "dedup lines"):
                given = document_frame(spark, table, dedup.READ, settings.quality_column)
                least = settings.min_line_pages, settings.min_line_share
                repeated = repeated_lines.repeated(given, *least, storage.join(scratch, "lines"))
                stored_lines = tables.stored(repeated, path["lines"])
                lines, files_of["lines"] = stored_lines.rows or 0, stored_lines.names
                pages = repeated_lines.cut(given, stored_lines.frame(), lines)
                pages = tables.settled(pages, storage.join(scratch, "pages"))
                cut, templates = dedup.without_templates(pages)
                counts = tables.count_reasons(templates)
                one = F.lit(1).cast("long").alias("minhash_cluster_size")
                place = storage.join(scratch, "cut")
                listed = dedup.write_cut(cut.select("*", one), table, place)
                table = DocumentTable(split_table(place, listed), table.id_column, table.text_column, kept_only=False)
        repeated_tables: dict[str, int] = {}
        if settings.scope == "paragraph":
            with stage_progress(spark, "dedup paragraphs"):
                counted = [paragraph_counts_of(crawl) for crawl in crawls]
                without = repeated_paragraphs.cut_paragraphs(
                    spark, run_tasks, table, settings, counted, {**path, "scratch": scratch}
                )
            table, repeated_tables = without.table, without.written
            files_of |= without.files
        new, left_out = _sign(spark, run_tasks, settings, table, path["signatures"], scratch, counts)
        rows_in = sum(file.rows for file in new) + sum(totals(counts).values())
        files = [SignatureFile(file.path, file.rows, len(crawls)) for file in new]
        for age, stored in enumerate(run_tasks(signature_rows_of, crawls)):
            files += [SignatureFile(*file, age) for file in stored]
        with stage_progress(spark, "dedup"):
            several = files_a_task(spark, files)
            parts = hot_buckets(
                run_tasks(sampled_buckets, [files[at : at + several] for at in range(0, len(files), several)])
            )
            found = dedup.clusters(spark, files, settings, crawls, parts, storage.join(scratch, "clusters"))
            rows = found.frame()
            files_of["clusters"] = tables.write(found.frame(*CLUSTERS.names), path["clusters"], ())
            new_rows = rows.where(F.col("crawl").isNull())
            for label, reasons in tables.count_reasons(new_rows).items():
                counts.setdefault(label, {}).update({name: n for name, n in reasons.items() if name is not None})
            written = {"signatures": sum(file.rows for file in new), "unlike": rows.where("apart").count()}
            written["clusters"] = found.rows or 0
            marked = new_rows.select("id", "node", "drop_reason")
            by_reason = totals(counts)
            by_reason[None] = rows_in - sum(by_reason.values())
            wanted = dedup.first_examples(marked, by_reason)
            verdicts = storage.join(scratch, "verdicts")
            goes = new_rows.select(
                "node",
                F.col("drop_reason").isNotNull().alias("goes"),
                "minhash_cluster_size",
                F.when(F.col("drop_reason").isNull() & (F.col("cluster_id") != F.col("id")), F.col("cluster_id")).alias(
                    "cluster_id"
                ),
            )
            n_tasks = max(2, written["signatures"] // TASK_ROWS)
            said = kept_by_file(goes, "node", verdicts, VERDICTS, n_tasks)
        largest = large_clusters.in_files(run_tasks, [path for path, _ in found.files])
        members = largest["id"].to_pylist()
        items = []
        for split in table.files.splits:
            examples_here = [name for few in wanted.values() for name, node in few if node >> ROW_BITS == split.number]
            of_split = (verdicts, split.number in said), (left_out[0], split.number in left_out[1])
            paths = [storage.join(place, f"{split.number}.parquet") if there else None for place, there in of_split]
            items.append((split, Said(paths[0], paths[1], (*examples_here, *members))))
        survivors = storage.join(scratch, "survivors") if settings.scope == "substring" else path["documents"]
        keeping = functools.partial(keep_split, table=table, folder=survivors)
        kept = run_tasks(keeping, items, step("documents", table.files.splits))
        for label, number in sum((labels for labels, _ in kept), Counter[str]()).items():
            counts.setdefault(label, {})[None] = number
        names = {reason: [name for name, _ in few] for reason, few in wanted.items()}
        seen = [row for _, rows in kept for row in rows]
        by_reason = totals(counts)
        if settings.scope == "substring":
            with stage_progress(spark, "dedup passages"):
                searched = small_substrings.survivors_searched(table, survivor_schema(table), survivors, settings)
                asked = (*names.get(None, ()), *members)
                passages = storage.join(scratch, "passages")
                spans = shared_substrings.share(
                    spark, searched, new, asked, path["documents"], path["spans"], passages, run_tasks
                )
            small_substrings.recount(counts, spans)
            seen = small_substrings.reexamine(names, seen, spans)
            written |= spans.figures
            files_of["spans"] = [part_file("", split).lstrip("/") for split in table.files.splits]
        written["documents"] = totals(counts).get(None, 0)
        if settings.scope == "line":
            written["lines"] = lines
        written |= repeated_tables
        account = ledger("dedup", rows_in, counts, written)
        job.say_failed("dedup", account, settings.max_failed_text_share)
        examples = chosen_examples(names, seen, by_reason)
        shown = large_clusters.large_clusters(largest, seen)
        storage.write_json(storage.join(building, LARGE_CLUSTERS), shown)
        if templates is not None:
            only: dict[str | None, int] = {"template": totals(counts).get("template", 0)}
            examples = sorted(
                examples + tables.examples(templates, only), key=lambda one: (one["reason"] is not None, one["reason"])
            )
        storage.remove(scratch)
        files_of["documents"] = [part_file("", split).lstrip("/") for split in table.files.splits]
        files_of["signatures"] = files_of["documents"]
        _index(run_tasks, folder, building, record, files_of)
        run_records.publish(folder, record, account, examples, files_of)
    return account


def _index(
    run_tasks: TaskRunner, folder: str, building: str, record: RunRecord, files: Mapping[str, Sequence[str]]
) -> None:
    """Of a corpus, so that its pages are found."""
    if "clean" in record["inputs"]:
        cleaned = generations.current(storage.join(folder.rpartition("/")[0], "clean"))
        stage_keys.write_keys(run_tasks, building, "dedup", files, stage_keys.origin_of(cleaned))


def _sign(
    spark: SparkSession,
    run_tasks: TaskRunner,
    settings: DedupConfig,
    table: DocumentTable,
    folder: str,
    scratch: str,
    counts: Counts,
) -> tuple[list[SignatureFile], tuple[str, set[int]]]:
    """Writes the signatures, one an id: their files, and of which splits rows are left out whose id another row has, in
    what folder. These are added to `counts`."""
    splits = table.files.splits
    rows = sign(table, settings, folder, run_tasks)
    files = [SignatureFile(part_file(folder, split), n, 0) for split, n in zip(splits, rows, strict=True)]
    same_id = storage.join(scratch, "same_id")
    n_ids = frame(spark, files, 0, ["id"]).agg(F.countDistinct("id")).first()
    if n_ids and n_ids[0] == sum(rows):
        return files, (same_id, set())
    given = document_frame(spark, table, [*PLACE, "id", "text"])
    digests = document_frame(spark, table, [*PLACE, "digest"])
    one_row = tables.settled(dedup.one_row_an_id(given, digests), storage.join(scratch, "one_an_id"))
    others = document_frame(spark, table, PLACE).join(one_row, list(PLACE), "left_anti")
    node = F.shiftleft(F.col("split").cast("long"), ROW_BITS) + F.col("row")
    left_out = set(kept_by_file(others.select(node.alias("node")), "node", same_id, dedup.LEFT_OUT, 2))
    items = [(*files[number][:2], storage.join(same_id, f"{number}.parquet")) for number in sorted(left_out)]
    for number, labels in zip(sorted(left_out), run_tasks(leave_out, items), strict=True):
        files[number] = files[number]._replace(rows=files[number].rows - labels.total())
        for label, left in labels.items():
            reasons = counts.setdefault(label, {})
            reasons["same_id"] = reasons.get("same_id", 0) + left
    return files, (same_id, left_out)


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
