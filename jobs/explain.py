"""What happened to a page, stage by stage.

python jobs/explain.py --root ROOT --url URL

Where the page lies is told by indexes of keys; a root of an older version has none, and its columns of addresses and
ids are read. No engine is started, and nothing is written.
"""

import os
import sys
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from pipeline.exit_status import run_to_exit_status
from pipeline.flags import Parser, parse
from pipeline.keys.page_rows import FILE, Row, rows_with
from pipeline.quality import profiles
from pipeline.report.words import meaning
from pipeline.store import generations, run_records, storage
from pipeline.store.generations import Generation
from pipeline.workers.processes import process_runner
from schemas.dedup import SIGNING_FAILED
from schemas.errors import UserError
from schemas.records import FAILED, LEDGER, STAGES

MOST_ROWS = 20  # of a table: an address may have been fetched many times

# columns of a document
PAGE_FIELDS = ("title", "html_lang", "canonical", "licence", "published", "opt_out", "encoding", "truncated")


def explain(root: str, url: str) -> Iterator[str]:
    """A line or more a finished stage. UserError when no record of the root has the address."""
    ids: set[str] = set()
    stages = {stage: generations.current(storage.join(root, stage)) for stage in STAGES}
    rows = _rows(stages, "extract", "documents", "url", [url])
    ids.update(row["id"] for row in rows)
    for row in rows:
        size = len(row["text"])
        yield f"extract: document {row['id']}, {size} characters, from {row['file_path']} at {row['offset']}"
        stated = {name: row[name] for name in PAGE_FIELDS if row.get(name)}
        if stated:
            yield "  the page says: " + ", ".join(f"{name} {value}" for name, value in stated.items())
    lost = _rows(stages, "extract", "skipped", "url", [url])
    for row in lost:
        why = f"{row['reason']} ({row['detail'] or 'no detail'})"
        yield f"extract: skipped, {why}, {row['file_path']} at {row['offset']}"
    if not rows and not lost:
        raise UserError(f"--url {url}: no record of this address in {root}/extract")
    cleaned = _rows(stages, "clean", "documents", "id", ids, url=url)
    known = _profiles(stages["clean"])
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
    kept = {row["id"] for row in cleaned if not row["drop_reason"]}
    copies = _rows(stages, "dedup", "clusters", "id", kept, crawl=None)
    stayed = _rows(stages, "dedup", "documents", "id", ids, url=url)
    for row in copies:
        size = row["minhash_cluster_size"]
        if row["drop_reason"] == SIGNING_FAILED:
            yield f"dedup: dropped, {SIGNING_FAILED}: {meaning('dedup', SIGNING_FAILED)}"
        elif row["drop_reason"]:
            alike = f", similarity {_short(row['similarity'])}" if row["similarity"] is not None else ""
            # An earlier version kept one copy of a cluster.
            kept_id, crawl = (row.get(f"kept_{part}", row[f"cluster_{part}"]) for part in ("id", "crawl"))
            where = f" by the earlier crawl {crawl}" if crawl else ""
            yield f"dedup: dropped, {row['drop_reason']}: {kept_id} is kept{where} of {size} copies{alike}"
        elif row["cluster_id"] != row["id"]:
            yield f"dedup: kept, unlike {row['cluster_id']}, the best of {size} copies"
        else:
            yield f"dedup: kept, the best of {size} copies"
    if not copies and any(not row["drop_reason"] for row in cleaned) and stages["dedup"]:
        gone = "dedup: dropped, same_id or template: another row carries its id, or its host repeats every line of it"
        yield "dedup: kept, no copy found" if stayed else gone
    sample = stages["sample"]
    shards = _rows(stages, "sample", "data", "id", kept)
    for row in shards:
        assert sample is not None
        label = f"{row['language']}_{row['language_script']}"
        epochs = sample.read_json("mixture.json")["languages"][label]["epochs"]
        times = _short(epochs * row.get("weight", 1.0))
        yield f"sample: in {row[FILE]}, seen {times} times in a run"
    if stayed and not shards and sample:
        labels = {f"{row['language'] or 'und'}_{row['language_script'] or 'Zyyy'}" for row in stayed}
        accounts = sample.read_json(LEDGER)["by_language"]
        for reason in sorted({name for label in labels for name in accounts.get(label, {"dropped": {}})["dropped"]}):
            yield f"sample: dropped, {reason}: {meaning('sample', reason)}"


def _rows(
    stages: dict[str, Generation | None], stage: str, table: str, name: str, values: Collection[str], **those: Any
) -> list[Row]:
    """those: values of other columns that a row must have."""
    now = stages[stage]
    if now is None:
        return []
    rows = rows_with(process_runner(len(os.sched_getaffinity(0))), now, stage, table, name, values, MOST_ROWS)
    return [row for row in rows if all(row[column] == value for column, value in those.items())]


def _profiles(cleaned: Generation | None) -> profiles.Profiles | None:
    """Those that clean was run with, if they are still there."""
    place = str(cleaned.record()["config"]["thresholds"]) if cleaned else ""
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
    for line in explain(root, args.url):
        print(line, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    return run_to_exit_status(body, argv)


if __name__ == "__main__":
    sys.exit(main())
