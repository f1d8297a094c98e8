"""Time, recall and precision of `--scope substring` over made-up texts with planted passages, beside that of signing.

python tests/bench/substrings.py --documents 10000 --work DIR [--words 500] [--seed 0] [--share 0.1] [--json FILE]

DIR is new or of an earlier run. Passages of 200 to 20,000 bytes, a dozen of each size, stand on two documents each up
to a fiftieth of all, and decoys of 199 bytes on two. All tasks of the small way (`pipeline.duplicates.small_dedup`) run
in this process, one after the other: seconds are CPU time, that of the process beside it in which texts are signed too.
"""

import argparse
import json
import os
import resource
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # as a program it has its neighbours to find
from bench import planted_table
from bench.dedup import claim
from bench.zipf_texts import LANGUAGES, Tongue

from pipeline.config import DedupConfig
from pipeline.duplicates.small_dedup import small_dedup
from pipeline.exit_status import run_to_exit_status
from pipeline.repeats import small_substrings
from pipeline.store.document_table import document_table

SIZES = (200, 201, 255, 1000, 5000, 20_000)
A_SIZE = 12
Truth = dict[str, tuple[int, int, int]]  # by id the number of the passage, its begin and end in bytes
OURS = ("sketch", "_shared_anchors", "_rank", "_contexts", "_mark", "finish")


def passages(rng: np.random.Generator) -> list[bytes]:
    """Whole characters, as few as have so many bytes; the last ones are decoys, as many as have no more."""
    tongue, found = Tongue(), []
    for size in (*SIZES, 199):
        for number in range(A_SIZE):
            of = np.array([number % len(LANGUAGES)])
            n_words = np.array([size])
            words = tongue.draw(rng, np.repeat(of, n_words))
            text = tongue.write(rng, words, n_words, of)[0].as_py().encode()
            least = text[:size].decode(errors="ignore").encode() if size < 200 else _at_least(text, size)
            found.append(least)
    return found


def _at_least(text: bytes, size: int) -> bytes:
    while text[size : size + 1] and text[size] & 0xC0 == 0x80:
        size += 1
    return text[:size]


def plant(table: Path, target: Path, share: float, seed: int) -> Truth:
    """Writes the table's files with passages put in anywhere. Beside the two copies of a decoy stand other letters."""
    rng = np.random.default_rng([seed, 99])
    chosen = passages(rng)
    rows = sum(pq.read_metadata(file).num_rows for file in table.glob("*.parquet"))
    of_row = np.full(rows, -1)
    n_passages = A_SIZE * len(SIZES)
    weights = 1 / np.arange(1, n_passages + 1)  # a few have most of the pages
    fixed = np.repeat(np.arange(len(chosen)), 2)
    drawn = rng.choice(n_passages, max(0, round(share * rows) - len(fixed)), p=weights / weights.sum())
    numbers = np.concatenate([fixed, rng.permutation(n_passages)[drawn]])[:rows]
    of_row[rng.permutation(rows)[: len(numbers)]] = numbers
    copies: Counter[int] = Counter()
    truth: Truth = {}
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    row = 0
    for file in sorted(table.glob("*.parquet")):
        with (
            pq.ParquetFile(file) as read,
            pq.ParquetWriter(target / file.name, read.schema_arrow, compression="zstd") as out,
        ):
            for batch in read.iter_batches(2000):
                texts = batch.column("text").to_pylist()
                for place, name in enumerate(batch.column("id").to_pylist()):
                    number = int(of_row[row + place])
                    if number >= 0:
                        texts[place], span = _put(texts[place].encode(), chosen[number], copies[number], rng)
                        copies[number] += 1
                        truth[name] = (number, *span)
                row += len(batch)
                at = batch.schema.get_field_index("text")
                out.write_batch(batch.set_column(at, batch.schema.field(at), pa.array(texts, pa.string())))
    return truth


def _put(text: bytes, passage: bytes, copy: int, rng: np.random.Generator) -> tuple[str, tuple[int, int]]:
    at = int(rng.integers(len(text) + 1))
    while at < len(text) and text[at] & 0xC0 == 0x80:
        at += 1
    mark = bytes([33 + copy % 90])
    before = text[:at] + mark
    return (before + passage + mark + text[at:]).decode(), (len(before), len(before) + len(passage))


def score(truth: Truth, spans: pa.Table, stayed: set[str], least: int) -> dict[str, Any]:
    """Of passages that two kept pages or more have: how many are `planted`, and wholly `found`; the `passages`, and
    those that one page keeps. beyond: bytes marked around these, as far as pages agree there by chance. unplanted:
    marked elsewhere; decoys_marked: too short ones that are marked."""
    marked: dict[str, list[tuple[int, int, bool]]] = {}
    for row in spans.to_pylist():
        marked.setdefault(row["id"], []).append((row["start"], row["end"], row["kept"]))
    counts: Counter[str] = Counter()
    there = Counter(number for name, (number, _, _) in truth.items() if name in stayed)
    keepers: Counter[int] = Counter()
    for name, (number, begin, end) in truth.items():
        if name not in stayed or there[number] < 2:
            continue
        own = marked.pop(name, [])
        covered = sum(max(0, min(end, stop) - max(begin, start)) for start, stop, _ in own)
        if end - begin < least:
            counts["decoys"] += 1
            counts["decoys_marked"] += bool(own)
            continue
        counts["planted"] += 1
        counts["found"] += covered == end - begin
        counts["beyond_bytes"] += sum(stop - start for start, stop, _ in own) - covered
        keepers[number] += not any(start <= begin and stop >= end and not kept for start, stop, kept in own)
    return {
        **counts,
        "decoys_marked": counts["decoys_marked"],
        "recall": counts["found"] / max(1, counts["planted"]),
        "passages": len(keepers),
        "passages_kept_once": sum(n == 1 for n in keepers.values()),
        "unplanted_bytes": sum(stop - start for rows in marked.values() for start, stop, _ in rows),
    }


def cpu_seconds() -> float:
    """Of this process and of those that it has started, whether they have ended or not."""
    ticks = 0
    for children in Path("/proc/self/task").glob("*/children"):
        for child in children.read_text().split():
            ticks += sum(map(int, Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[11:13]))
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK") + ended.ru_utime + ended.ru_stime


def measure(args: argparse.Namespace) -> dict[str, Any]:
    work = Path(args.work).absolute()
    claim(work)
    planted_table.make(work / "table", planted_table.Plan(args.documents, args.words, args.seed, 0.0))
    truth = plant(work / "table" / "texts", work / "planted", args.share, args.seed)
    shutil.rmtree(work / "answer", ignore_errors=True)
    names = ("lines", "signatures", "clusters", "documents", "spans", "scratch")
    paths = {name: str(work / "answer" / name) for name in names}
    config = DedupConfig(scope="substring", cut_substrings=True)
    table = document_table(str(work / "planted"), "id", "text")
    seconds: Counter[str] = Counter()

    def run_tasks(function: Callable[[Any], Any], items: Sequence[Any], /, step: object = None) -> list[Any]:
        name = function.func.__name__ if isinstance(function, partial) else function.__name__
        began = cpu_seconds()
        answers = [function(item) for item in items]
        seconds[name] += cpu_seconds() - began
        return answers

    outcome = small_dedup(table, config, [], paths, run_tasks)
    assert outcome is not None
    stayed = set(pq.read_table(paths["documents"], columns=["id"])["id"].to_pylist())
    size = sum(pa.compute.sum(pa.compute.binary_length(one)).as_py()
               for one in pq.read_table(str(work / "planted"), columns=["text"])["text"].chunks)  # fmt: skip
    ours = sum(seconds[name] for name in OURS)
    return {
        "documents": args.documents,
        "text_bytes": size,
        "kept": len(stayed),
        "splits": len(table.files.splits),
        "buckets": 1 + len(table.files.splits) // small_substrings.SPLITS_A_BUCKET,
        "signing": round(seconds["_sign_split"], 2),
        "substring": round(ours, 2),
        "ratio": round(ours / seconds["_sign_split"], 3),
        "steps": {name: round(seconds[name], 2) for name in OURS},
        "scratch_bytes": {
            part.name: sum(file.stat().st_size for file in part.rglob("*") if file.is_file())
            for part in sorted((work / "answer" / "scratch").iterdir())
        },
        **{name: outcome.tables[name] for name in ("spans", "shared_bytes", "cut_bytes")},
        **score(truth, pq.read_table(paths["spans"]), stayed, config.substring_bytes),
    }


def body(argv: Sequence[str] | None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--words", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--share", type=float, default=0.1, help="of the documents that have a passage")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args(argv)
    found = measure(args)
    print(json.dumps(found, indent=1))
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")
    for part in ("table", "planted", "answer"):
        shutil.rmtree(Path(args.work) / part, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(run_to_exit_status(body, None))
