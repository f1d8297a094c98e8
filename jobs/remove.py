"""Remove pages from every table of a corpus, shards included, and keep a record of it.

spark-submit jobs/remove.py --root ROOT --urls LIST [--dry-run]
spark-submit jobs/remove.py --root ROOT --hosts LIST

--urls: a line a page, which goes alone. --hosts: hosts, domains, beginnings of addresses: all below them goes, as with
block_lists of clean. What went is said in ROOT/removed/<16 hex digits of the lists>.json: date and time, the lists'
names and digests, rows by table; no address, no text. Lists that match nothing have a record too: that is an answer.

No stage has to run again for it. Interrupted, it is to be run again with the same lists and ends as if it had not been.
Copies of a removed page at other addresses stay; their number is said. What the tables do not hold is not touched:
archives, so that extract with other settings brings the pages back (run this again); a vocabulary and trained models,
which cannot forget what they learnt from a page; caches of tokens and copies of the shards.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import SparkSession

from pipeline.flags import Parser, parse
from pipeline.lists import list_files
from pipeline.lists.takedown import Takedown
from pipeline.mixture.card import card
from pipeline.mixture.manifest import read_manifest
from pipeline.report.page import PAGE, write_report
from pipeline.spark import job
from pipeline.spark.session import session
from pipeline.spark.stage_progress import stage_progress
from pipeline.spark.tasks import engine_runner
from pipeline.stages import remove
from pipeline.store import run_records, storage
from pipeline.workers.tasks import TaskRunner
from schemas.errors import UserError
from schemas.records import EXAMPLES, LEDGER, REMOVED, RUN, STAGES, RunRecord

SCRATCH = "_removed.scratch"


def run(spark: SparkSession, root: str, listed: Takedown, lists: list[dict[str, str]], dry_run: bool = False) -> None:
    """lists: `flag`, `name` and `sha256` of each file, for the record."""
    stages, run_tasks = _settled(root, dry_run), engine_runner(spark)
    files = [path for path in remove.parquet_files(root) if not path.startswith(f"{REMOVED}/")]
    scratch = storage.join(root, SCRATCH)
    storage.remove(scratch)
    try:
        with stage_progress(spark, "remove"):
            hits = remove.find(spark, root, files, listed, scratch)
            names = {folder: record["stage"] for folder, record in stages.items()}
            counted = dict.fromkeys(hits.files)
            receipts = remove.rewrite_files(run_tasks, root, counted, names, listed, hits, scratch)
        rows = remove.rows_by_table(receipts)
        _say_hits(hits, rows)
        if dry_run:
            job.say("remove   dry run: nothing was changed")
            return
        record = Record(root, lists)
        record.begin(hits, rows)
        for folder in _in_order({remove.table_of(path)[0] for path in hits.files}, stages):
            in_folder = [path for path in files if remove.table_of(path)[0] == folder]
            if folder in stages:
                _stage(spark, root, folder, stages[folder], in_folder, listed, hits, scratch)
            else:
                _foreign(run_tasks, root, [path for path in in_folder if path in counted], listed, hits, scratch)
        if hits.files and storage.exists(storage.join(root, PAGE)):
            job.say(f"report   {write_report(root)} again, without a training run")
        job.say(f"remove   record: {record.end()}")
        job.say(
            "remove   a vocabulary or model that learnt from removed pages is as it was, for it cannot forget: "
            "to learn a new one, remove the old one's folder and run its job again"
        )
    finally:
        storage.remove(scratch)


def _settled(root: str, dry_run: bool) -> dict[str, RunRecord]:
    """Finished stages by folder, interrupted publications completed. UserError where there is none, or where an
    unfinished extract keeps pages that its next run would publish."""
    for stage in STAGES:
        folder = storage.join(root, stage)
        run_records.finished(folder)
        if storage.read_json(storage.join(root, f"_{stage}.building", run_records.PLAN)):
            raise UserError(
                f"--root {root}: an unfinished {stage} lies in _{stage}.building and keeps pages: finish it with "
                f"jobs/{stage}.py, or remove that folder"
            )
        if not dry_run:
            run_records.abandon(folder)  # of a run that was killed: nobody goes on from it
    folders = sorted({path.split("/")[0] for path in storage.listing(root) if "/" in path})
    records = {folder: storage.read_json(storage.join(root, folder, RUN)) for folder in folders}
    stages = {folder: record for folder, record in records.items() if record and record.get("stage") in STAGES}
    if not stages:
        raise UserError(f"--root {root}: no finished stage in it; name the folder of a corpus")
    return stages


def _in_order(folders: set[str], stages: dict[str, RunRecord]) -> list[str]:
    """The earliest stage last: it tells which ids are listed, should this be interrupted."""
    place = {folder: STAGES.index(record["stage"]) for folder, record in stages.items()}
    return sorted(folders, key=lambda folder: (-place.get(folder, len(STAGES)), folder))


def _say_hits(hits: remove.Found, rows: dict[str, int]) -> None:
    if not hits.files:
        job.say("remove   nothing to remove: no page of the corpus is listed")
        return
    job.say(f"remove   {hits.documents:,} documents are listed")
    for table, count in rows.items():
        job.say(f"remove   {count:,} rows of {table}")
    if hits.copies:
        job.say(f"remove   {hits.copies:,} copies of theirs at other addresses are not listed and stay")


def _stage(
    spark: SparkSession,
    root: str,
    folder: str,
    record: RunRecord,
    files: list[str],
    listed: Takedown,
    hits: remove.Found,
    scratch: str,
) -> None:
    """The stage's folder built anew beside its place, and published."""
    name, old, run_tasks = record["stage"], storage.join(root, folder), engine_runner(spark)
    with run_records.building(old, record) as building:
        places: dict[str, str | None] = {path: storage.join(building, path.partition("/")[2]) for path in files}
        receipts = remove.rewrite_files(run_tasks, root, places, {folder: name}, listed, hits, scratch)
        for file in storage.listing(old):
            if f"{folder}/{file}" not in places:
                storage.copy(storage.join(old, file), storage.join(building, file))
        if name == "extract":
            remove.count_in_archives(run_tasks, old, building, receipts)
        if name == "sample":
            mixed = remove.mixture(read_manifest(old), receipts)
            storage.write_json(storage.join(building, "mixture.json"), mixed)
            storage.write_bytes(storage.join(building, "README.md"), card(mixed).encode())
        rows = {table.partition("/")[2]: count for table, count in remove.rows_by_table(receipts).items()}
        ledger = remove.ledger(storage.read_json(storage.join(old, LEDGER)), remove.moves(name, receipts), rows)
        shown = remove.examples(spark, storage.read_json(storage.join(old, EXAMPLES)) or [], listed, scratch)
        run_records.publish(old, record, ledger, shown)


def _foreign(
    run_tasks: TaskRunner, root: str, files: list[str], listed: Takedown, hits: remove.Found, scratch: str
) -> None:
    """Files of a folder that is no stage's, each replaced in its place."""
    for path in files:
        folder, _, name = storage.join(root, path).rpartition("/")
        storage.remove(storage.join(folder, f".{name}.crc"))  # Hadoop's, of the old bytes
    places: dict[str, str | None] = {path: storage.join(root, path) for path in files}
    remove.rewrite_files(run_tasks, root, places, {}, listed, hits, scratch)


class Record:
    """ROOT/removed/DIGEST.json: the lists, and a run for each time they removed something, or the first time.

    Written before anything is changed, without `finished`; a run that was interrupted is gone on with.
    """

    def __init__(self, root: str, lists: list[dict[str, str]]) -> None:
        digest = run_records.fingerprint(sorted([entry["flag"], entry["sha256"]] for entry in lists))
        self._path = storage.join(root, REMOVED, f"{digest}.json")
        self._value: dict[str, Any] = storage.read_json(self._path) or {"lists": lists, "runs": []}

    def begin(self, hits: remove.Found, rows: dict[str, int]) -> None:
        done: list[dict[str, Any]] = self._value["runs"]
        if not done or (done[-1]["finished"] and hits.files):
            done.append({"began": _now(), "finished": None, "documents": 0, "copies_left": 0, "rows": {}})
        if done[-1]["finished"] is None:  # what an interrupted run has removed is counted no more
            last = done[-1]
            last["documents"] = max(last["documents"], hits.documents)
            last["copies_left"] = max(last["copies_left"], hits.copies)
            last["rows"] |= {table: max(count, last["rows"].get(table, 0)) for table, count in sorted(rows.items())}
            storage.write_json(self._path, self._value)

    def end(self) -> str:
        """The record's path."""
        if self._value["runs"][-1]["finished"] is None:
            self._value["runs"][-1]["finished"] = _now()
            storage.write_json(self._path, self._value)
        return self._path


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def body(argv: Sequence[str] | None) -> None:
    parser = Parser(prog="jobs/remove.py", allow_abbrev=False)
    parser.add_argument("--root", required=True, help="folder of a corpus")
    parser.add_argument("--urls", nargs="+", default=[], metavar="LIST", help="files of addresses, a page a line")
    parser.add_argument("--hosts", nargs="+", default=[], metavar="LIST", help="files of hosts: all of theirs goes")
    parser.add_argument("--dry-run", action="store_true", help="only count")
    args = parse(parser, argv)
    given = [(flag, path) for flag in ("urls", "hosts") for path in getattr(args, flag)]
    if not given:
        raise UserError("give --urls LIST, a file of addresses, or --hosts LIST, a file of hosts, or both")
    root = storage.absolute(args.root)
    listed = Takedown(args.urls, args.hosts)
    lists = []
    for flag, source in given:
        path = list_files.named(source)[1] if flag == "hosts" else source
        name = path.rstrip("/").rsplit("/", 1)[-1]
        lists.append({"flag": f"--{flag}", "name": name, "sha256": storage.digest(path)})
    if not storage.exists(root):
        raise UserError(f"--root {root}: no such folder")
    job.say(f"remove   {listed.n_urls:,} addresses, {listed.n_hosts:,} hosts are listed")
    if listed.n_fronts:
        job.say(
            f"remove   {listed.n_fronts:,} addresses are a host alone: its front page goes, the rest goes with --hosts"
        )
    run(session("wanyu remove"), root, listed, lists, args.dry_run)


def main(argv: Sequence[str] | None = None) -> int:
    return job.run_body(body, argv)


if __name__ == "__main__":
    job.program(main)
