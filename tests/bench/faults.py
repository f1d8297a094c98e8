"""Seeded faults in whole runs of jobs/corpus.py, each followed by the same command again: a table and a verdict.

python tests/bench/faults.py [--seeds 50] [--first 0] [--only store disk] [--work DIR]

What happens: tests/faulty.py. Where the right to mount is missing, seeds of a full disk are left out, and it is said.
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # as a program it has its neighbours to find
import faulty

from pipeline.exit_status import run_to_exit_status
from schemas.errors import UserError

NAMES = [kind.__name__ for kind in faulty.KINDS]


def body(argv: Sequence[str] | None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--work", type=Path, help="folder of the runs' logs [a temporary one]")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as scratch:
        work = (args.work or Path(scratch)).resolve()
        only = set(args.only)
        if "disk" in only and not faulty.can_mount(work):
            print("disk: left out, for a small disk takes the right to mount one (root)")
            only.discard("disk")
        calm = faulty.undisturbed(work / "calm")
        print(f"{'seed':>4}  {'kind':9} {'what':34} {'came':5} {'first':>6} {'then':>5} {'seconds':>7}  result")
        trials = []
        for seed in range(args.first, args.first + args.seeds):
            if NAMES[seed % len(NAMES)] in only:
                trials.append(faulty.trial(seed, work / f"seed-{seed}", calm))
                print(line(trials[-1]), flush=True)
    bad = [one.seed for one in trials if one.fault]
    came = Counter(one.kind for one in trials if one.hit)
    print(f"{len(trials) - len(bad)} of {len(trials)} end in the same bytes; faults that came while the job ran: "
          f"{came.total()} ({', '.join(f'{name} {count}' for name, count in sorted(came.items()))})")  # fmt: skip
    if bad:
        raise UserError(f"seeds {', '.join(map(str, bad))} do not")


def line(one: faulty.Trial) -> str:
    first = "killed" if one.first is None else str(one.first)
    verdict = "the same" if not one.fault else one.fault
    came = "yes" if one.hit else "late"
    return (
        f"{one.seed:4}  {one.kind:9} {one.what:34} {came:5} {first:>6} {one.second!s:>5} {one.seconds:7.1f}  {verdict}"
    )


if __name__ == "__main__":
    sys.exit(run_to_exit_status(body, None))
