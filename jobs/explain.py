"""What happened to a page, stage by stage.

spark-submit jobs/explain.py --root ROOT --url URL
"""

from collections.abc import Iterator, Sequence
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pipeline.flags import Parser, parse
from pipeline.quality import profiles
from pipeline.report.words import meaning
from pipeline.spark import job, tables
from pipeline.spark.session import session
from pipeline.store import generations, run_records, storage
from schemas.dedup import SIGNING_FAILED
from schemas.errors import UserError
from schemas.records import FAILED, LEDGER

# columns of a document
PAGE_FIELDS = ("title", "html_lang", "canonical", "licence", "published", "opt_out", "encoding", "truncated")


def explain(spark: SparkSession, root: str, url: str) -> Iterator[str]:
    """A line or more a finished stage. UserError when no record of the root has the address."""
    ids: set[str] = set()
    rows = _rows(spark, root, "extract", "documents", F.col("url") == url)
    ids.update(row["id"] for row in rows)
    for row in rows:
        size = len(row["text"])
        yield f"extract: document {row['id']}, {size} characters, from {row['file_path']} at {row['offset']}"
        stated = {name: row[name] for name in PAGE_FIELDS if row.get(name)}
        if stated:
            yield "  the page says: " + ", ".join(f"{name} {value}" for name, value in stated.items())
    lost = _rows(spark, root, "extract", "skipped", F.col("url") == url)
    for row in lost:
        why = f"{row['reason']} ({row['detail'] or 'no detail'})"
        yield f"extract: skipped, {why}, {row['file_path']} at {row['offset']}"
    if not rows and not lost:
        raise UserError(f"--url {url}: no record of this address in {root}/extract")
    by_page = F.col("id").isin(*sorted(ids)) & (F.col("url") == url)
    cleaned = _rows(spark, root, "clean", "documents", by_page)
    known = _profiles(root)
    for row in cleaned:
        if (row["drop_reason"] or "").startswith(f"{FAILED}:"):
            yield f"clean: dropped, {row['drop_reason']}: {meaning('clean', row['drop_reason'])}"
            continue
        verdict = f"dropped, {row['drop_reason']}" if row["drop_reason"] else "kept"
        language = f"{row['language']}_{row['language_script']} ({row['language_score']:.2f})"
        yield f"clean: {verdict}; {language}"
        if known and known.without_own([f"{row['language']}_{row['language_script']}"]):
            yield "  no thresholds of this language are known: those of its script hold, or the defaults"
        yield "  signals: " + ", ".join(f"{name} {_short(value)}" for name, value in row.items() if _is_signal(value))
    by_id = F.col("id").isin(*sorted(row["id"] for row in cleaned if not row["drop_reason"]))
    copies = _rows(spark, root, "dedup", "clusters", by_id & F.col("crawl").isNull())
    stayed = _rows(spark, root, "dedup", "documents", by_page)
    for row in copies:
        size = row["minhash_cluster_size"]
        if row["drop_reason"] == SIGNING_FAILED:
            yield f"dedup: dropped, {SIGNING_FAILED}: {meaning('dedup', SIGNING_FAILED)}"
        elif row["drop_reason"]:
            alike = f", similarity {_short(row['similarity'])}" if row["similarity"] is not None else ""
            where = f" by the earlier crawl {row['cluster_crawl']}" if row["cluster_crawl"] else ""
            yield f"dedup: dropped, {row['drop_reason']}: {row['cluster_id']} is kept{where} of {size} copies{alike}"
        else:
            yield f"dedup: kept, the best of {size} copies"
    if not copies and any(not row["drop_reason"] for row in cleaned) and _finished(root, "dedup"):
        gone = "dedup: dropped, same_id or template: another row carries its id, or its host repeats every line of it"
        yield "dedup: kept, no copy found" if stayed else gone
    shards = _rows(spark, root, "sample", "data", by_id, file_as="file")
    for row in shards:
        label = f"{row['language']}_{row['language_script']}"
        mixture = generations.required(storage.join(root, "sample")).read_json("mixture.json")
        epochs = mixture["languages"][label]["epochs"]
        times = _short(epochs * row.get("weight", 1.0))
        yield f"sample: in {row['file'].split('/sample/')[-1]}, seen {times} times in a run"
    if stayed and not shards and _finished(root, "sample"):
        labels = {f"{row['language'] or 'und'}_{row['language_script'] or 'Zyyy'}" for row in stayed}
        accounts = generations.required(storage.join(root, "sample")).read_json(LEDGER)["by_language"]
        for reason in sorted({name for label in labels for name in accounts.get(label, {"dropped": {}})["dropped"]}):
            yield f"sample: dropped, {reason}: {meaning('sample', reason)}"


def _rows(
    spark: SparkSession, root: str, stage: str, table: str, condition: Any, file_as: str = ""
) -> list[dict[str, Any]]:
    folder = storage.join(root, stage)
    if not _finished(root, stage):
        return []
    files = list(generations.files(folder, table).values())
    rows = tables.opened(spark, files, ["id"]).frame(file_as=file_as)
    return [row.asDict() for row in rows.where(condition).limit(20).collect()]


def _finished(root: str, stage: str) -> bool:
    return run_records.finished(storage.join(root, stage)) is not None


def _profiles(root: str) -> profiles.Profiles | None:
    """Those that clean was run with, if they are still there."""
    record = run_records.finished(storage.join(root, "clean"))
    place = str(record["config"]["thresholds"]) if record else ""
    return profiles.load(place) if not place or storage.exists(place) else None


def _is_signal(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _short(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


def body(argv: Sequence[str] | None) -> None:
    parser = Parser(prog="jobs/explain.py", allow_abbrev=False)
    parser.add_argument("--root", required=True, help="folder of a corpus")
    parser.add_argument("--url", required=True, help="the page's address, as in the archive")
    args = parse(parser, argv)
    root = storage.absolute(args.root)
    run_records.require(storage.join(root, "extract"), "extract")
    for line in explain(session("wanyu explain"), root, args.url):
        job.say(line)


def main(argv: Sequence[str] | None = None) -> int:
    return job.run_body(body, argv)


if __name__ == "__main__":
    job.program(main)
