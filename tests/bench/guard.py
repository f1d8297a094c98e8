"""What the guard of texts costs where none fails: documents a CPU second of clean and of signing, with and without it.

python tests/bench/guard.py --documents FOLDER [--rounds 3]

FOLDER holds Parquet files with a column `text`. Each batch is done without and with the guard, one after the other, and
the CPU seconds of this process and its child are added up, so that a busy machine matters little; start-up is left out.
Linux only.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset

from pipeline.config import CleanConfig, DedupConfig
from pipeline.duplicates.signing import Signer
from pipeline.quality import profiles
from pipeline.stages.annotate import PASSED_ON, Annotator
from pipeline.workers.expendable import Function
from pipeline.workers.guard import Guard

ROWS = {"clean": 4000, "signing": 1024}  # a batch, as the engine's and as those of files are


def cpu_seconds() -> float:
    """Of this process and its children so far, running ones included."""
    me = os.getpid()
    children = Path(f"/proc/{me}/task/{me}/children").read_text().split()
    return sum(time.clock_gettime(_clock(process)) for process in (me, *map(int, children)))


def _clock(process: int) -> int:
    """The kernel's number for a process's CPU clock: clock_getcpuclockid(3)."""
    return (~process << 3) | 2


def seconds(work: Callable[[pa.RecordBatch], object], batch: pa.RecordBatch) -> float:
    began = cpu_seconds()
    work(batch)
    return cpu_seconds() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    texts = pa.dataset.dataset(args.documents).to_table(["text"]).column("text").combine_chunks().cast(pa.string())
    blank = pa.array([""] * len(texts))
    known, config, dedup = profiles.shipped(), CleanConfig(), DedupConfig()
    annotate = Annotator(config, config.stop_words(known))
    functions: dict[str, tuple[Function, pa.RecordBatch]] = {
        "clean": (
            lambda batch: [annotate(batch)],
            pa.RecordBatch.from_pydict({name: texts if name == "text" else blank for name in PASSED_ON}),
        ),
        "signing": (
            Signer(dedup.hasher(), dedup.min_shingles),
            pa.RecordBatch.from_pydict(
                {"text": texts, "quality": pa.array([0.0] * len(texts))}
                | dict.fromkeys(("id", "date", "language", "language_script"), blank)
            ),
        ),
    }
    for name, (function, table) in functions.items():
        batches = [table.slice(start, ROWS[name]) for start in range(0, len(table), ROWS[name])]
        with Guard("bench", function, 10) as guard:
            guard(batches[0])
            ways: list[Callable[[pa.RecordBatch], object]] = [lambda batch, f=function: list(f(batch)), guard]
            spent = [[seconds(way, batch) for way in ways] for _ in range(args.rounds) for batch in batches]
        without, with_guard = (args.rounds * len(table) / sum(one) for one in zip(*spent, strict=True))
        print(
            f"{name}: {without:,.0f} documents/s of CPU without, {with_guard:,.0f} with the guard "
            f"({100 * (with_guard / without - 1):+.1f} %), {len(table):,} documents"
        )


if __name__ == "__main__":
    main()
