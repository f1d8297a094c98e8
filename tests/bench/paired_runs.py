"""The same training run by two revisions of this code, by turns: CPU seconds of each, and their ratio.

    python tests/bench/paired_runs.py --old CLONE --new CLONE --shards DIR --tokenizer DIR --work DIR [--rounds 4]

One thread; the token cache is there before the first run is timed. CPU time, since other work may be on the machine.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
from pathlib import Path


def run(clone: Path, args: argparse.Namespace) -> float:
    """CPU seconds of one run by the code of a clone."""
    output: Path = args.work / "run"
    shutil.rmtree(output, ignore_errors=True)
    settings = {
        "preset": "tiny",
        "shards": args.shards,
        "tokenizer": args.tokenizer,
        "token_cache": args.work / "tokens",
        "output": output,
        "steps": args.steps,
        "eval_tokens": 1,
        "tensorboard": "false",
        "device": "cpu",
    }
    flags = [part for name, value in settings.items() for part in (f"--{name}", str(value))]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1", "PYTHONPATH": str(clone)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, str(clone / "train/pretrain.py"), *flags]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("old", "new", "shards", "tokenizer", "work"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=30)
    args = parser.parse_args()
    run(args.new, args)
    times = [(run(args.old, args), run(args.new, args)) for _ in range(args.rounds)]
    for old, new in times:
        print(f"old {old:.1f} s, new {new:.1f} s: {old / new:.3f} times as fast")
    print(f"median {statistics.median(old / new for old, new in times):.3f}")


if __name__ == "__main__":
    main()
