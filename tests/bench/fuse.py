"""How long fusing two `large` models takes, and in how much memory, beside reading them twice.

    python tests/bench/fuse.py --folder DIR [--vocabulary 64000] [--layers N] [--rule average --rule ties ...] [--cold]

Makes an ancestor and two parents of random weights in DIR (preset `large`: 1.6 GB each in float32; left there, to be
used again; --layers makes them smaller), and has a process of its own for each rule: it reads both parents, twice, then
runs `train/fuse.py merge` on them, whole: with its checks, its digests, and a folder that is synced to the disk. Peak
memory is what the process had resident at most (ru_maxrss, its libraries included). On a machine that does other work
too, the seconds of the processor say more than those of the clock. Files are in the page cache; with --cold they are
taken out of it before each of the two readings and before the merge.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import torch

from tokenizer.export import wordpiece_files
from train.config.load import read_preset
from train.corpus.vocabulary import open_vocabulary
from train.fuse import main as fuse  # large pages, too
from train.fusing.merging.settings import SOUP, STATISTICS, TAKES
from train.model.encoder import EncoderConfig
from train.model.heads import MaskedLanguageModel
from train.model_folders.ancestry import digest_of_folder
from train.model_folders.config_json import huggingface_config
from train.model_folders.tensor_files import Described, TensorReader, TensorWriter
from train.model_folders.weight_files import to_theirs

PARENTS, ANCESTOR = ("parent-1", "parent-2"), "ancestor"
FILE, LINEAGE = "model.safetensors", "lineage.json"
DEFAULT = ("average", "slerp", "task-arithmetic", "ties", "dare")


def make(folder: Path, vocabulary: int, layers: int | None) -> None:
    settings = read_preset("large")["model"] | ({"num_hidden_layers": layers} if layers else {})
    with torch.device("meta"):
        shape = EncoderConfig(vocab_size=vocabulary, **settings)
        tensors = to_theirs(MaskedLanguageModel(shape).state_dict(), shape.layout)
    described = [Described(name, one.dtype, tuple(one.shape)) for name, one in tensors.items()]
    begun = {"config": {"run": {"seed": 0}}, "parent": None, "config_digest": ANCESTOR, "step": 1}
    for seed, which in enumerate((ANCESTOR, *PARENTS)):
        place = folder / which
        if (place / LINEAGE).is_file():
            continue
        place.mkdir(parents=True, exist_ok=True)
        pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"word{number}" for number in range(vocabulary - 5))]
        for name, content in wordpiece_files(pieces, []).items():
            (place / name).write_bytes(content)
        told = huggingface_config(shape, open_vocabulary(place).special_ids, False)
        (place / "config.json").write_text(json.dumps(told), encoding="utf-8")
        first, own = torch.Generator().manual_seed(0), torch.Generator().manual_seed(seed)
        with TensorWriter(place / FILE, described) as file:
            for one in described:
                weights = torch.randn(one.shape, generator=first).mul_(0.02)
                if seed:
                    weights.add_(torch.randn(one.shape, generator=own), alpha=0.001)
                file.write(one.name, weights)
        origin = folder / ANCESTOR
        parent = {"folder": str(origin), "weights": digest_of_folder(origin), "lineage": begun} if seed else None
        (place / LINEAGE).write_text(json.dumps(begun | {"parent": parent, "config_digest": which}), encoding="utf-8")
    print(f"{sum(one.bytes for one in described) / 1e9:.2f} GB a model in {folder}", flush=True)


def read(paths: list[Path]) -> None:
    with TensorReader(paths[:1]) as one, TensorReader(paths[1:]) as two:
        for name in one.described:
            one.read(name)
            two.read(name)


def forget(paths: list[Path]) -> None:
    """Out of the page cache."""
    os.sync()
    for path in paths:
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


class Took:
    """Seconds of the clock and of the processor."""

    def __init__(self) -> None:
        self.wall, self.cpu = -time.perf_counter(), -cpu()

    def end(self) -> "Took":
        self.wall, self.cpu = self.wall + time.perf_counter(), self.cpu + cpu()
        return self


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, 2)


def measure(folder: Path, rule: str, cold: bool) -> None:
    parents = [folder / one / FILE for one in PARENTS]
    used = [*parents, folder / ANCESTOR / FILE]
    readings = []
    for _ in range(2):
        if cold:
            forget(used)
        reading = Took()
        read(parents)
        readings.append(reading.end())
    if cold:
        forget(used)
    before, target = peak(), folder / "merged"
    flags = ["--rule", rule, "--output", target, "--overwrite", *(f"--parent={one.parent}" for one in parents)]
    merging = Took()
    if fuse(["merge", *map(str, flags)]):
        sys.exit(1)
    merging.end()
    shutil.rmtree(target)
    found = {
        "rule": rule,
        "cache": "cold" if cold else "warm",
        "threads": torch.get_num_threads(),
        "read_twice_s": round(sum(one.wall for one in readings), 2),
        "merge_s": round(merging.wall, 2),
        "read_twice_cpu_s": round(sum(one.cpu for one in readings), 2),
        "merge_cpu_s": round(merging.cpu, 2),
        "peak_gb": peak(),
        "peak_gb_before": before,
    }
    print(json.dumps(found), flush=True)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--folder", type=Path, required=True)
    arguments.add_argument("--vocabulary", type=int, default=64_000)
    arguments.add_argument("--layers", type=int, help="of a model; default those of the preset")
    arguments.add_argument("--rule", action="append", choices=[one for one in TAKES if one not in (*STATISTICS, SOUP)])
    arguments.add_argument("--cold", action="store_true")
    arguments.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.one:
        measure(given.folder, given.rule[0], given.cold)
        return
    make(given.folder, given.vocabulary, given.layers)
    for rule in given.rule or DEFAULT:
        flags = ["--folder", given.folder, "--rule", rule, "--one", *(["--cold"] if given.cold else [])]
        subprocess.run([sys.executable, __file__, *map(str, flags)], check=True)


if __name__ == "__main__":
    main()
