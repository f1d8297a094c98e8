"""Make what stages have written beside their tables part of them: one whole generation, and nothing before it.

spark-submit jobs/compact.py --root ROOT [--stage clean ...] [--keep N]
spark-submit jobs/compact.py --root ROOT --stage clean --back

A changed threshold writes verdicts beside the table, a takedown writes the files that held a page, a new archive its
own: each is a generation that goes on using the files of the one before. Here verdicts are put into the files, files
of generations before are taken over (a second name on a disk, a copy by the store itself elsewhere), and the former
generations go, but for the last N. No row changes, and no stage has to run again.

--back makes the generation before the current one current again, where --keep has kept it; the current one goes.
"""

import time
from collections.abc import Sequence

from pyspark.sql import SparkSession

from pipeline.estimates.actual import cost_of
from pipeline.flags import Parser, parse
from pipeline.keys import stage_keys
from pipeline.mixture.card import CARD, card
from pipeline.spark import job
from pipeline.spark.session import LazySession
from pipeline.spark.tasks import cheapest_runner
from pipeline.store import generations, last_column, lease, run_records, storage, verdict_files
from pipeline.store.generations import Generation
from pipeline.workers.tasks import Step
from schemas.costs import COST
from schemas.distributions import CLUSTERS, DISTRIBUTIONS
from schemas.errors import UserError
from schemas.generations import inside
from schemas.records import EXAMPLES, LEDGER, STAGES
from schemas.scores import SCORES

FILES_A_TASK = 8
MIXTURE = "mixture.json"


def run(engine: SparkSession | LazySession, root: str, stage: str, keep: int = 0) -> None:
    """UserError where the stage is not finished."""
    folder, began = storage.join(root, stage), time.monotonic()
    now = generations.required(folder)
    if now.manifest()["base"] is None:
        generations.retire(folder, keep)
        job.say(f"compact  {stage}: whole already")
        return
    record, run_tasks = now.record(), cheapest_runner(engine)
    with run_records.building(folder, record) as place:
        tables = {name: now.files(name) for name in now.tables() if name != verdict_files.TABLE}
        judged = now.files(verdict_files.TABLE)
        asked = [
            (path, storage.join(place, table, name), judged.get(name) if table == "documents" else None)
            for table, files in sorted(tables.items())
            for name, path in files.items()
        ]
        chunks = [asked[at : at + FILES_A_TASK] for at in range(0, len(asked), FILES_A_TASK)]
        run_tasks(_take_over, chunks, Step("compact", [len(chunk) for chunk in chunks], "files"))
        names = {table: list(files) for table, files in tables.items()}
        stage_keys.write_keys(run_tasks, place, stage, names, stage_keys.origin_of(now))
        run_records.carry(now, place, [DISTRIBUTIONS, CLUSTERS, SCORES])
        if cost := cost_of(now):
            storage.write_json(storage.join(place, COST), cost)
        front = _small_files(now, place, generations.following(folder).number)
        run_records.publish(folder, record, now.read_json(LEDGER), now.read_json(EXAMPLES) or [], names, front=front)
    generations.retire(folder, keep)
    job.say(
        f"compact  {stage}: {len(asked):,} files, {len(judged):,} with new verdicts ({time.monotonic() - began:.1f} s)"
    )


def _take_over(files: Sequence[tuple[str, str, str | None]]) -> None:
    """files: path, where it is to be, and the file of its verdicts."""
    for path, target, verdicts in files:
        if verdicts is None:
            storage.copy(path, target)
        else:
            last_column.replace_last_column(path, target, verdict_files.COLUMN, verdict_files.read_verdicts(verdicts))


def _small_files(now: Generation, place: str, number: int) -> dict[str, str]:
    """Written to the new generation's place; answers those that stand at the top of the stage's folder."""
    mixed = now.read_json(MIXTURE)
    if mixed is None:
        return {}
    storage.write_json(storage.join(place, MIXTURE), mixed)
    storage.write_bytes(storage.join(place, CARD), card(mixed, [(inside(number, "data"), None)]).encode())
    return {"README.md": CARD}


def back(root: str, stage: str) -> None:
    """UserError where no former generation is kept."""
    folder = storage.join(root, stage)
    generations.settle(folder)
    now = generations.go_back(folder)
    job.say(f"compact  {stage}: the generation before is current again, as {now.record()['fingerprint']}")


def body(argv: Sequence[str] | None) -> None:
    parser = Parser(prog="jobs/compact.py", allow_abbrev=False)
    parser.add_argument("--root", required=True, help="folder of a corpus")
    parser.add_argument("--stage", nargs="+", choices=STAGES, help="which stages [all that are finished]")
    parser.add_argument("--keep", type=job.not_negative, default=0, metavar="N", help="former runs to keep [0]")
    parser.add_argument("--back", action="store_true", help="go back to the run before, of one stage")
    args = parse(parser, argv)
    root = storage.absolute(args.root)
    if not storage.exists(root):
        raise UserError(f"--root {root}: no such folder")
    if args.back and len(args.stage or ()) != 1:
        raise UserError("--back goes back in one stage: name it with --stage")
    stages = args.stage or [stage for stage in STAGES if generations.current(storage.join(root, stage))]
    if not stages:
        raise UserError(f"--root {root}: no finished stage in it; name the folder of a corpus")
    engine = LazySession("wanyu compact", None)
    with lease.held(root):
        for stage in stages:
            if args.back:
                back(root, stage)
            else:
                run(engine, root, stage, args.keep)


def main(argv: Sequence[str] | None = None) -> int:
    return job.run_body(body, argv)


if __name__ == "__main__":
    job.program(main)
