"""Remove pages from every table of a corpus, shards included, and keep a record of it.

spark-submit jobs/remove.py --root ROOT --urls LIST [--dry-run]
spark-submit jobs/remove.py --root ROOT --hosts LIST

--urls: a line a page, which goes alone. --hosts: hosts, domains, beginnings of addresses: all below them goes, as with
block_lists of clean. What went is said in ROOT/removed/<16 hex digits of the lists>.json: date and time, the lists'
names and digests, rows by table; no address, no text. Lists that match nothing have a record too: that is an answer.

No stage has to run again for it. Interrupted, it is to be run again with the same lists and ends as if it had not
been. What a page costs does not hang on the corpus' size: the files that hold it are found by indexes, and written
again; lists of hosts read all addresses. The old files are deleted, and with them all that --keep has kept of former
runs: nobody can go back behind a takedown. Copies of a removed page at other addresses stay; their number is said.
The folder of a canary that did not come back, ROOT/_canary, goes whole.
What the tables do not hold is not touched: archives, so that extract with other settings brings the pages back (run
this again); a vocabulary and trained models, which cannot forget what they learnt from a page; caches of tokens and
copies of the shards.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import SparkSession

from pipeline.drift import canary
from pipeline.flags import Parser, parse
from pipeline.keys import stage_keys
from pipeline.lists import list_files
from pipeline.lists.takedown import Takedown
from pipeline.mixture.card import CARD, Folders, card
from pipeline.report.page import PAGE, write_report
from pipeline.spark import job
from pipeline.spark.session import LazySession
from pipeline.spark.tasks import cheapest_runner
from pipeline.stages import remove
from pipeline.store import generations, lease, run_records, storage, verdict_files
from pipeline.store.generations import Generation
from pipeline.workers.tasks import TaskRunner
from schemas.distributions import CLUSTERS, DISTRIBUTIONS
from schemas.errors import UserError
from schemas.generations import Tables, inside
from schemas.records import EXAMPLES, LEDGER, REMOVED, STAGES
from schemas.scores import SCORES

SCRATCH = "_removed.scratch"


def run(
    engine: SparkSession | LazySession, root: str, listed: Takedown, lists: list[dict[str, str]], dry_run: bool = False
) -> None:
    """lists: `flag`, `name` and `sha256` of each file, for the record."""
    corpus, run_tasks = _corpus(root), cheapest_runner(engine)
    scratch = storage.join(root, SCRATCH)
    storage.remove(scratch)
    try:
        if not dry_run:
            for folder in corpus.made_of_extract():
                stage_keys.ensure(run_tasks, corpus.stages[folder][1], folder)
        found = remove.find(run_tasks, corpus, listed, scratch)
        names = {folder: record["stage"] for folder, (record, _) in corpus.stages.items()}
        rows = remove.rows_by_table(remove.rewrite_files(run_tasks, dict.fromkeys(found.held), names, listed, found))
        _say_hits(found, rows)
        if dry_run:
            job.say("remove   dry run: nothing was changed")
            return
        record = Record(root, lists)
        record.begin(found, rows)
        for folder in _in_order({remove.table_of(file.path)[0] for file in found.held}, names):
            files = [file for file in found.held if remove.table_of(file.path)[0] == folder]
            if folder in names:
                _stage(run_tasks, corpus, folder, files, listed, found)
            else:
                _foreign(run_tasks, root, files, listed, found)
        for folder in names:  # whatever is kept of former runs may hold what is listed
            generations.retire(storage.join(root, folder))
        if found.held and storage.exists(storage.join(root, PAGE)):
            job.say(f"report   {write_report(root)} again, without a training run")
        job.say(f"remove   record: {record.end()}")
        job.say(
            "remove   a vocabulary or model that learnt from removed pages is as it was, for it cannot forget: "
            "to learn a new one, remove the old one's folder and run its job again"
        )
    finally:
        storage.remove(scratch)


def _corpus(root: str) -> remove.Corpus:
    """UserError where no stage is finished, or where an unfinished extract keeps pages that its next run would
    publish."""
    for stage in STAGES:
        if run_records.unfinished(storage.join(root, stage)):
            raise UserError(
                f"--root {root}: an unfinished {stage} keeps pages: finish it with jobs/{stage}.py, or remove what it "
                f"has built, {generations.following(storage.join(root, stage)).place}"
            )
    stages, foreign = {}, []
    for folder in storage.folders(root):
        now = generations.current(storage.join(root, folder))
        if now is not None and (record := now.record())["stage"] in STAGES:
            stages[folder] = (record, now)
        elif folder != REMOVED and not folder.startswith(("_", ".")):
            foreign.append(folder)
    if not stages:
        raise UserError(f"--root {root}: no finished stage in it; name the folder of a corpus")
    return remove.Corpus(root, stages, foreign)


def _in_order(folders: set[str], stages: dict[str, str]) -> list[str]:
    """The earliest stage last: it tells which ids are listed, should this be interrupted."""
    place = {folder: STAGES.index(stage) for folder, stage in stages.items()}
    return sorted(folders, key=lambda folder: (-place.get(folder, len(STAGES)), folder))


def _say_hits(found: remove.Found, rows: dict[str, int]) -> None:
    if not found.held:
        job.say("remove   nothing to remove: no page of the corpus is listed")
        return
    job.say(f"remove   {found.documents:,} documents are listed")
    for table, count in rows.items():
        job.say(f"remove   {count:,} rows of {table}")
    if found.copies:
        job.say(f"remove   {found.copies:,} copies of theirs at other addresses are not listed and stay")


def _stage(
    run_tasks: TaskRunner,
    corpus: remove.Corpus,
    folder: str,
    files: list[remove.File],
    listed: Takedown,
    found: remove.Found,
) -> None:
    """A new generation of the stage: the files that held a removed row, written again, and all others where they are.
    Then the old ones of these go for good."""
    (record, now), path = corpus.stages[folder], storage.join(corpus.root, folder)
    name = record["stage"]
    with run_records.building(path, record) as place:
        targets: dict[remove.File, str | None] = {
            file: storage.join(place, file.path.partition("/")[2]) for file in files
        }
        receipts = remove.rewrite_files(run_tasks, targets, {folder: name}, listed, found)
        tables: dict[str, list[str]] = {}
        for file in files:
            tables.setdefault(remove.table_of(file.path)[1], []).append(file.path.split("/", 2)[2])
        front = {}
        if name == "extract":
            archives = sorted({remove.archive_of(receipt) for receipt in receipts})
            inputs = now.named("inputs", archives)
            remove.count_in_archives(run_tasks, inputs, storage.join(place, "inputs"), receipts)
            tables["inputs"] = archives
        if name == "sample":
            mixed = remove.mixture(now.read_json("mixture.json"), receipts)
            storage.write_json(storage.join(place, "mixture.json"), mixed)
            storage.write_bytes(storage.join(place, CARD), card(mixed, _folders(now, tables)).encode())
            front = {"README.md": CARD}
        rows = {table.partition("/")[2]: count for table, count in remove.rows_by_table(receipts).items()}
        ledger = remove.ledger(now.read_json(LEDGER), remove.moves(name, receipts), rows)
        shown = remove.examples(now.read_json(EXAMPLES) or [], listed, found.ids)
        run_records.carry(now, place, [DISTRIBUTIONS])
        if (largest := now.read_json(CLUSTERS)) is not None:
            storage.write_json(storage.join(place, CLUSTERS), remove.large_clusters(largest, listed, found.ids))
        if (learnt := now.read_json(SCORES)) is not None:
            storage.write_json(storage.join(place, SCORES), remove.learnt_rules(learnt, listed, found.ids))
        judged = {verdict_files.TABLE: [file.path.split("/", 2)[2] for file in files if file.verdicts]}
        stage_keys.write_no_new_keys(place, name, stage_keys.origin_of(now))
        run_records.publish(path, record, ledger, shown, tables, now, judged, front)
    generations.retire(path)


def _folders(now: Generation, tables: Tables) -> Folders:
    """Where the shards lie when some of them are written anew. tables: these; what they replace is deleted."""
    parts = [(inside(part.number, "data"), _labels(theirs)) for part, theirs in now.parts().items()]
    return [*parts, (inside(generations.following(now.folder).number, "data"), _labels(tables))]


def _labels(tables: Tables | None) -> set[str] | None:
    return None if tables is None else {name.partition("/")[0] for name in tables.get("data", ())}


def _foreign(run_tasks: TaskRunner, root: str, files: list[remove.File], listed: Takedown, found: remove.Found) -> None:
    """Files of a folder that is no stage's, each replaced in its place."""
    for file in files:
        folder, _, name = file.source.rpartition("/")
        storage.remove(storage.join(folder, f".{name}.crc"))  # Hadoop's, of the old bytes
    remove.rewrite_files(run_tasks, {file: file.source for file in files}, {}, listed, found)


class Record:
    """ROOT/removed/DIGEST.json: the lists, and a run for each time they removed something, or the first time.

    Written before anything is changed, without `finished`; a run that was interrupted is gone on with.
    """

    def __init__(self, root: str, lists: list[dict[str, str]]) -> None:
        digest = run_records.fingerprint(sorted([entry["flag"], entry["sha256"]] for entry in lists))
        self._path = storage.join(root, REMOVED, f"{digest}.json")
        self._value: dict[str, Any] = storage.read_json(self._path) or {"lists": lists, "runs": []}

    def begin(self, found: remove.Found, rows: dict[str, int]) -> None:
        done: list[dict[str, Any]] = self._value["runs"]
        if not done or (done[-1]["finished"] and found.held):
            done.append({"began": _now(), "finished": None, "documents": 0, "copies_left": 0, "rows": {}})
        if done[-1]["finished"] is None:  # what an interrupted run has removed is counted no more
            last = done[-1]
            last["documents"] = max(last["documents"], found.documents)
            last["copies_left"] = max(last["copies_left"], found.copies)
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
    job.add_metrics_flags(parser)
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
    engine = LazySession("wanyu remove", None)
    left = storage.join(root, canary.FOLDER)
    if args.dry_run:
        if storage.exists(left):
            job.say(f"remove   {left}, a canary that did not come back, would go whole")
        run(engine, root, listed, lists, dry_run=True)
        return
    with job.observed(args, "remove", root), lease.held(root):
        if storage.exists(left):
            with lease.held(left):  # refused where it is flying
                canary.clear(left)
            job.say(f"remove   {left}, a canary that did not come back, is deleted")
        for stage in STAGES:
            generations.settle(storage.join(root, stage))
        run(engine, root, listed, lists)


def main(argv: Sequence[str] | None = None) -> int:
    return job.run_body(body, argv)


if __name__ == "__main__":
    job.program(main)
