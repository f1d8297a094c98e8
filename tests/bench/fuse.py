"""How long fusing two `large` models takes, and in how much memory, beside reading them twice.

    python tests/bench/fuse.py --folder DIR [--vocabulary 64000] [--rule average --rule ties ...] [--cold]

Makes an ancestor and two parents of random weights in DIR (preset `large`: 1.6 GB each in float32; left there, to be
used again), and has a process of its own for each rule: it reads both parents, twice, then merges them into DIR. Peak
memory is what the process had resident at most (ru_maxrss, its libraries included). On a machine that does other work
too, the seconds of the processor say more than those of the clock. Files are in the page cache; with
--cold they are taken out of it before each reading.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import torch

import train.fuse  # noqa: F401  # large pages
from train.config.load import read_preset
from train.fusion.rules import RULES
from train.model.encoder import EncoderConfig
from train.model.heads import MaskedLanguageModel
from train.model_folders.tensor_files import Described, TensorReader, TensorWriter

PARENTS, ANCESTOR = ("parent-1", "parent-2"), "ancestor"
FILE = "model.safetensors"
DEFAULT = ("average", "slerp", "task-arithmetic", "ties", "dare")


def make(folder: Path, vocabulary: int) -> None:
    with torch.device("meta"):
        shape = EncoderConfig(vocab_size=vocabulary, **read_preset("large")["model"])
        tensors = MaskedLanguageModel(shape).state_dict()
    described = [Described(name, one.dtype, tuple(one.shape)) for name, one in tensors.items()]
    for seed, which in enumerate((ANCESTOR, *PARENTS)):
        if (folder / which / FILE).is_file():
            continue
        (folder / which).mkdir(parents=True, exist_ok=True)
        first, own = torch.Generator().manual_seed(0), torch.Generator().manual_seed(seed)
        with TensorWriter(folder / which / FILE, described) as file:
            for one in described:
                weights = torch.randn(one.shape, generator=first).mul_(0.02)
                if seed:
                    weights.add_(torch.randn(one.shape, generator=own), alpha=0.001)
                file.write(one.name, weights)
    print(f"{sum(one.bytes for one in described) / 1e9:.2f} GB a model in {folder}", flush=True)


def read(paths: list[Path]) -> float:
    began = time.perf_counter()
    with TensorReader(paths[:1]) as one, TensorReader(paths[1:]) as two:
        for name in one.described:
            one.read(name)
            two.read(name)
    return time.perf_counter() - began


def merge(rule_name: str, parents: list[Path], ancestor: Path, target: Path) -> float:
    began = time.perf_counter()
    rule = RULES[rule_name]()
    rule.check(len(parents))
    with TensorReader(parents[:1]) as one, TensorReader(parents[1:]) as two, TensorReader([ancestor]) as origin:
        described = [Described(name, torch.float32, of.shape) for name, of in one.described.items()]
        with TensorWriter(target, described) as file:
            for of in described:
                start = origin.read(of.name) if rule.needs_ancestor else None
                file.write(of.name, rule.merge(of.name, [one.read(of.name), two.read(of.name)], start))
    return time.perf_counter() - began


def forget(paths: list[Path]) -> None:
    """Out of the page cache."""
    os.sync()
    for path in paths:
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--folder", type=Path, required=True)
    arguments.add_argument("--vocabulary", type=int, default=64_000)
    arguments.add_argument(
        "--rule", action="append", choices=[one for one in RULES if one not in ("fisher", "regmean")]
    )
    arguments.add_argument("--cold", action="store_true")
    arguments.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if not given.one:
        make(given.folder, given.vocabulary)
        for rule in given.rule or DEFAULT:
            flags = ["--folder", given.folder, "--rule", rule, "--one", *(["--cold"] if given.cold else [])]
            subprocess.run([sys.executable, __file__, *map(str, flags)], check=True)
        return
    parents, ancestor = [given.folder / one / FILE for one in PARENTS], given.folder / ANCESTOR / FILE
    target, (rule,) = given.folder / "merged.safetensors", given.rule
    seconds = []
    before = resource.getrusage(resource.RUSAGE_SELF)
    for _ in range(2):
        if given.cold:
            forget([*parents, ancestor])
        seconds.append(read(parents))
    if given.cold:
        forget([*parents, ancestor])
    base, loaded = resource.getrusage(resource.RUSAGE_SELF), before.ru_utime + before.ru_stime
    took = merge(rule, parents, ancestor, target)
    used = resource.getrusage(resource.RUSAGE_SELF)
    target.unlink()
    print(
        json.dumps(
            {
                "rule": rule,
                "cache": "cold" if given.cold else "warm",
                "threads": torch.get_num_threads(),
                "read_twice_s": round(sum(seconds), 2),
                "merge_s": round(took, 2),
                "read_twice_cpu_s": round(base.ru_utime + base.ru_stime - loaded, 2),
                "merge_cpu_s": round(used.ru_utime + used.ru_stime - base.ru_utime - base.ru_stime, 2),
                "peak_gb": round(used.ru_maxrss * 1024 / 1e9, 2),
                "peak_gb_before": round(base.ru_maxrss * 1024 / 1e9, 2),
            }
        ),
        flush=True,
    )


if __name__ == "__main__":
    main()
