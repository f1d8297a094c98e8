"""A plan of a tenth of the archives beside the run of all, for time, storage and shuffle, by both ways of dedup.

python tests/bench/plan.py WEB --work DIR [--ways one-task shuffles] [--pages 20000] [--archives 30] [--sample 0.1]

WEB is a folder of .warc.gz. Its pages are written again and again under new addresses until there are --pages, each
time into archives by chance, as a crawler that comes upon copies all over the web; no archive has a page twice. DIR is
new or of an earlier run. Both plan and run are on local[2]; wanted is a ratio between 0.8 and 1.2 of each.
"""

import argparse
import gzip
import random
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # as a program it has its neighbours to find
from bench import watched
from bench.extract import claim, renamed, responses
from programs import job_environment, submit_command

from pipeline.estimates import actual
from pipeline.estimates.intervals import TOTAL
from pipeline.exit_status import run_to_exit_status
from schemas.errors import UserError

WAYS = {"one-task": [], "shuffles": ["--one-task-documents", "1000"]}
WANTED = 0.2
JUDGED = ("seconds", "bytes_written", "shuffle_bytes")


def write_archives(web: Path, folder: Path, pages: int, archives: int) -> None:
    """UserError where an archive would have a page twice."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    records, chance = list(responses(web)), random.Random(0)
    if pages > archives * len(records):
        raise UserError(f"--archives {archives} are too few: one would have a page twice")
    for number, record in enumerate(records):
        copies = pages // len(records) + (number < pages % len(records))
        for copy, archive in enumerate(chance.sample(range(archives), copies)):
            with open(folder / f"part-{archive:04}.warc.gz", "ab") as file:
                file.write(gzip.compress(renamed(record, copy), 6, mtime=0))


def timed(job: str, log: Path, *flags: object) -> watched.Cost:
    cost = watched.run(submit_command(job, *flags), job_environment(), log)
    if cost.status:
        raise UserError(f"{job} ended with status {cost.status}: see {log}")
    return cost


def body(argv: Sequence[str] | None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("web", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--pages", type=int, default=20_000)
    parser.add_argument("--archives", type=int, default=30)
    parser.add_argument("--sample", type=float, default=0.1)
    parser.add_argument("--keep", action="store_true", help="take archives and runs that are there")
    args = parser.parse_args(argv)
    work = args.work.resolve()
    claim(work)
    folder = work / "archives"
    if not (args.keep and folder.is_dir()):
        write_archives(args.web, folder, args.pages, args.archives)
    for way in args.ways:
        file, root = work / f"{way}.json", work / way
        flags = ["--input", folder, *WAYS[way]]
        planned = timed(
            "plan", work / f"{way}-plan.log", *flags, "--sample", args.sample, "--cores", 2, "--output", file
        )
        print(f"{way}: the plan took {planned.seconds:.1f} s")
        if not (args.keep and root.is_dir()):
            shutil.rmtree(root, ignore_errors=True)
            ran = timed("corpus", work / f"{way}.log", *flags, "--root", root)
            print(f"the run took {ran.seconds:.1f} s, {ran.cpu:.1f} s of CPU")
        told = submit_command("plan", "--actual", root, "--plan", file)
        print(subprocess.run(told, env=job_environment(), capture_output=True, text=True, check=True).stdout)
        compared = actual.compared(actual.read_plan(str(file)), actual.costs_of(str(root)), on_store=False)[TOTAL]
        for name in JUDGED:
            (estimate, _, _), value = compared[name]
            off = (value or 0) / estimate - 1
            print(f"{way}: {name} {off:+.1%}: {'within' if abs(off) <= WANTED else 'MORE THAN'} {WANTED:.0%}")


if __name__ == "__main__":
    sys.exit(run_to_exit_status(body, None))
