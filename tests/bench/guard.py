"""What the guard of texts costs where none fails: documents a CPU second of clean and of signing, with and without it.

python tests/bench/guard.py --documents FOLDER [--rounds 5]

FOLDER holds Parquet files with a column `text`. Rounds with and without take turns; of each the median is told. CPU
seconds of the process and of its children, so that a busy machine does not matter much; start-up is left out.
"""

import argparse
import resource
import statistics
from collections.abc import Callable, Iterable
from functools import partial

import pyarrow as pa
import pyarrow.dataset

from pipeline.config import CleanConfig, DedupConfig
from pipeline.duplicates.signature_table import Signer
from pipeline.quality import profiles
from pipeline.stages import clean
from pipeline.workers.expendable import Function
from pipeline.workers.guard import Guard

ROWS = {"clean": 4000, "signing": 1024}  # a batch, as the engine's and as those of files are


def cpu_seconds() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def seconds(work: Callable[[], object]) -> float:
    began = cpu_seconds()
    work()
    return cpu_seconds() - began


def plain(function: Function, batches: Iterable[pa.RecordBatch]) -> None:
    for batch in batches:
        list(function(batch))


def guarded(function: Function, batches: Iterable[pa.RecordBatch]) -> None:
    with Guard("bench", function, 10) as guard:
        for batch in batches:
            guard(batch)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    texts = pa.dataset.dataset(args.documents).to_table(["text"]).column("text").combine_chunks().cast(pa.string())
    blank = pa.array([""] * len(texts))
    known, config, dedup = profiles.shipped(), CleanConfig(), DedupConfig()
    annotate = clean.Annotator(config, config.stop_words(known))
    functions: dict[str, tuple[Function, pa.RecordBatch]] = {
        "clean": (
            lambda batch: [annotate(batch)],
            pa.RecordBatch.from_pydict({name: texts if name == "text" else blank for name in clean.PASSED_ON}),
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
        ways: dict[Callable[..., None], list[float]] = {plain: [], guarded: []}
        plain(function, batches[:1])
        for _ in range(args.rounds):
            for way, spent in ways.items():
                spent.append(seconds(partial(way, function, batches)))
        without, with_guard = (len(table) / statistics.median(spent) for spent in ways.values())
        print(
            f"{name}: {without:,.0f} documents/s of CPU without, {with_guard:,.0f} with the guard "
            f"({100 * (with_guard / without - 1):+.1f} %), {len(table):,} documents"
        )


if __name__ == "__main__":
    main()
