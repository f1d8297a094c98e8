"""Measures the trainer on this machine's GPU, in one go and within minutes, on input that it makes up.

    python train/bench.py [--presets base,large] [--vocab-size 65536] [--seconds 60] [--output DIR]

Speed, kernels by time, checkpoints, the loader, and whether the GPU's numbers are those of the CPU, on stdout and in
OUTPUT/bench.json, which is written after each part. Without CUDA a tiny model in float32 stands in for the presets.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from schemas.errors import UserError, run_program

# OpenMP reads this when torch is loaded, as in pretrain.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def bench(presets: Sequence[str], vocab_size: int, seconds: float, output: Path) -> list[str]:
    """Names of the parts that failed; the others have been measured."""
    # Imported late: the loader's process reads this file too, and needs no torch.
    from train.config.load import read_preset
    from train.loop.distributed import processes
    from train.measure.suite import Report, measure_all

    settings = {name: read_preset(name) for name in presets}
    report = Report(output, lambda text: print(text, flush=True))
    with processes("auto") as group, tempfile.TemporaryDirectory(dir=output, prefix="made-up-") as folder:
        if group.device.type != "cuda":
            print("no CUDA here: the preset tiny in float32 stands in, which says nothing of a GPU", flush=True)
            settings, vocab_size, seconds = {"tiny": read_preset("tiny")}, min(vocab_size, 4096), min(seconds, 2.0)
        measure_all(report, settings, vocab_size, seconds, group, Path(folder))
    print(f"{report.path} is written, after {report.seconds:.0f} s", flush=True)
    return report.failed


def main(arguments: Sequence[str]) -> int:
    """Status 0; 1 where a part failed, which is said; 2, with one line on stderr, for what the user can mend."""
    parser = argparse.ArgumentParser("bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--presets", default="base,large", help="names with commas between; default base,large")
    parser.add_argument("--vocab-size", type=int, default=65_536, help="of the made-up tokens; default 65536")
    parser.add_argument("--seconds", type=float, default=60.0, help="of steps that are counted, a preset; default 60")
    parser.add_argument("--output", type=Path, default=Path("bench"), help="folder for bench.json; default bench")
    given = parser.parse_args(arguments)
    try:
        failed = bench(given.presets.split(","), given.vocab_size, given.seconds, given.output)
    except UserError as error:
        print("bench: " + " ".join(str(error).split()), file=sys.stderr)
        return 2
    if failed:
        print(f"bench: failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    run_program(lambda: main(sys.argv[1:]))
