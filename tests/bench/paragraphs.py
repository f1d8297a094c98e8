"""Speed, recall and precision of `dedup --scope paragraph` over made-up texts with planted paragraphs.

python tests/bench/paragraphs.py --documents 100000 --work DIR [--words 500] [--seed 0] [--min-pages 10]
    [--min-hosts 3] [--cores 1] [--json FILE]

DIR is new or of an earlier run, whose table is taken where it is of the same plan. Ten texts in ten scripts are planted
on 2 to 10,000 pages of as many hosts, as many as there are documents for, in other case, spacing and punctuation each
time. What is timed is the whole of the scope, texts read twice and written once, beside signing the same table, in turn
in one run: `share` is the first by the second.
"""

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # as a program it has its neighbours to find
from bench.zipf_texts import LANGUAGES, Tongue, draw_languages, draw_lengths
from shared_paragraphs import SHARED, dressed

from pipeline.config import DedupConfig
from pipeline.duplicates.signing import sign
from pipeline.exit_status import run_to_exit_status
from pipeline.repeats.small_paragraphs import TABLES, cut_paragraphs
from pipeline.store.document_table import document_table
from pipeline.words.words import words
from pipeline.workers.processes import process_runner

PAGES = (2, 3, 5, 10, 30, 100, 300, 1000, 3000, 10000)
PIECE = 5_000  # documents made at a time, a file each
PLAN = "plan.json"


class Planted(NamedTuple):
    """of: the documents' number -> the texts on them, by their place in SHARED."""

    texts: list[str]
    of: dict[int, list[int]]


def planted(documents: int, seed: int) -> Planted:
    rng = np.random.default_rng([seed, 1])
    texts, of = [*SHARED.values()][: len(PAGES)], dict[int, list[int]]()
    for place, pages in enumerate(PAGES):
        for document in rng.choice(documents, min(pages, documents // 2), replace=False).tolist():
            of.setdefault(document, []).append(place)
    return Planted(texts, of)


def make(folder: Path, documents: int, mean: int, seed: int) -> None:
    """Writes the table below the folder: id, url, text, each page on a host of its own, files of PIECE documents."""
    plan = {"documents": documents, "words": mean, "seed": seed, "texts": [*SHARED.values()]}
    if (folder / PLAN).exists() and json.loads((folder / PLAN).read_text()) == plan:
        return
    (folder / "table").mkdir(parents=True, exist_ok=True)
    tongue, truth = Tongue(), planted(documents, seed)
    for first in range(0, documents, PIECE):
        rng, n = np.random.default_rng([seed, 2, first]), min(PIECE, documents - first)
        languages, lengths = draw_languages(rng, n), draw_lengths(rng, n, mean)
        drawn = tongue.draw(rng, np.repeat(languages, lengths))
        texts = tongue.write(rng, drawn, lengths, languages).to_pylist()
        for at in range(n):
            if here := truth.of.get(first + at):
                texts[at] = _with(
                    texts[at], [truth.texts[place] for place in here], random.Random(f"{seed} {first + at}")
                )
        ids = [f"{first + at:08d}" for at in range(n)]
        table = {
            "id": ids,
            "url": [f"https://h{name}.example/{name}" for name in ids],
            "text": texts,
            "language": [LANGUAGES[place].code for place in languages],
        }
        pq.write_table(pa.table(table), folder / "table" / f"part-{first // PIECE:05d}.parquet", compression="zstd")
    (folder / PLAN).write_text(json.dumps(plan))


def _with(text: str, shared: Sequence[str], rng: random.Random) -> str:
    lines = text.split("\n")
    for one in shared:
        at = rng.randrange(len(lines) + 1)
        lines[at:at] = rng.choice([[dressed(one, rng)], ["", dressed(one, rng), ""]])
    return "\n".join(lines)


def score(
    before: Path, made: dict[str, Any], after: Sequence[str], truth: Planted, least: tuple[int, int]
) -> dict[str, Any]:
    """By text and by occurrence, of those that are on enough pages: found and cut; and what went that was not planted.
    By the words of lines in Python's strings, on the pages that have something planted and on those that lost
    something."""
    wanted = Counter(place for places in truth.of.values() for place in places)
    often = {place for place, pages in wanted.items() if pages >= max(least)}
    known = {tuple(words(text)): place for place, text in enumerate(truth.texts)}
    listed = {row["paragraph"] for row in made["paragraphs"] if row["is_cut"]}
    shown = [row["text"] for row in made["paragraph_examples"] if row["paragraph"] in listed]
    # Two that were planted one below the other are a block, too.
    found = {known.get(tuple(words(line)), -1) for text in shown for line in text.split("\n") if words(line)}
    gone, right, other, pages = Counter[int](), 0, 0, 0
    own = _rows(sorted(map(str, before.glob("*.parquet"))), ["id", "text"])
    for (name, was), (same, now, n) in zip(own, _rows(after, ["id", "text", "cut_paragraphs"]), strict=True):
        here = truth.of.get(int(name), ())
        assert name == same and (was == now) == (n == 0)
        pages += n > 0
        if not n:
            continue
        lines = [Counter(tuple(words(line)) for line in one.split("\n")) for one in (was, now)]
        for line, lost in (lines[0] - lines[1]).items():
            if known.get(line) in here:
                gone[known[line]] += lost
                right += lost
            elif line:
                other += lost
    n_often = sum(wanted[place] for place in often)
    return {
        "texts": len(often),
        "texts_found": len(often & found),
        "texts_found_not_planted": len(found - set(wanted)),
        "occurrences": n_often,
        "occurrences_cut": sum(gone[place] for place in often),
        "recall": sum(gone[place] for place in often) / max(1, n_often),
        "precision": right / max(1, right + other),
        "pages_cut": pages,
        "cut_by_pages_planted": {PAGES[place]: gone[place] for place in range(len(PAGES))},
    }


def _rows(paths: Sequence[str], columns: list[str]) -> Iterator[tuple[Any, ...]]:
    for path in paths:
        for batch in pq.ParquetFile(path).iter_batches(columns=columns):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


@contextmanager
def _timed(name: str, seconds: dict[str, float]) -> Iterator[None]:
    began = time.monotonic()
    yield
    seconds[name] = time.monotonic() - began


def body(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--words", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--min-pages", type=int, default=10)
    parser.add_argument("--min-hosts", type=int, default=3)
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(argv)
    make(args.work, args.documents, args.words, args.seed)
    config = DedupConfig(scope="paragraph", min_paragraph_pages=args.min_pages, min_paragraph_hosts=args.min_hosts)
    table = document_table(str(args.work / "table"), "id", "text")
    run_tasks, seconds = process_runner(args.cores), dict[str, float]()
    paths = {name: str(args.work / "made" / name) for name in (*TABLES, "scratch", "signatures")}
    warm = table._replace(files=table.files._replace(splits=table.files.splits[:1]))
    cut_paragraphs(warm, config, [], paths, run_tasks)  # compiles what either needs
    sign(warm, config, paths["signatures"], run_tasks)
    with _timed("signing", seconds):
        sign(table, config, paths["signatures"], run_tasks)
    with _timed("paragraphs", seconds):
        cut = cut_paragraphs(table, config, [], paths, run_tasks)
    made = {
        name: [row for file in cut.files[name] for row in pq.read_table(args.work / "made" / name / file).to_pylist()]
        for name in TABLES[:2]
    }
    after = list(dict.fromkeys(split.path for split in cut.table.files.splits))
    told: dict[str, Any] = {"documents": args.documents, "seconds": seconds}
    told["share"] = seconds["paragraphs"] / seconds["signing"]
    told["rows"] = cut.written
    print(json.dumps(told), flush=True)
    told |= score(
        args.work / "table", made, after, planted(args.documents, args.seed), (args.min_pages, args.min_hosts)
    )
    print(json.dumps(told, indent=1), flush=True)
    if args.json:
        args.json.write_text(json.dumps(told))


def main(argv: Sequence[str] | None = None) -> int:
    return run_to_exit_status(body, argv)


if __name__ == "__main__":
    sys.exit(main())
