"""What explain costs on a corpus of a million documents: seconds, by the clock and of CPU, and memory
of the job as a program, by question.

python tests/bench/explain.py [--documents 1000000] [--folder FOLDER] [--times 3]

The root is made up (kept in FOLDER where one is given, and used again): five tables as the stages write them, with
indexes of keys, 20,000 documents a file, a tenth of them copies, hosts by Zipf's law. Linux only.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from bench import watched

from jobs.clean import record_of
from pipeline.config import CleanConfig
from pipeline.keys import stage_keys
from pipeline.quality import profiles
from pipeline.stages.clean import CLEANED
from pipeline.store import generations, run_records, storage
from pipeline.store.row_groups import RowGroupWriter
from pipeline.workers.processes import process_runner
from schemas.dedup import CLUSTERS
from schemas.extract import DOCUMENTS, INPUTS, SKIPPED
from schemas.records import Ledger
from schemas.sample import SHARD, shard_path

REPOSITORY = Path(__file__).resolve().parents[2]
A_FILE = 20_000
LOST = 4  # of so many documents there is a page without one
COPIED = 10  # each such document is a copy of the one before
TEXT = 1500  # characters
HOSTS = 200_000


def columns_of(file: int, documents: int) -> dict[str, Any]:
    draw = np.random.default_rng(file)
    numbers = np.arange(file * A_FILE, min((file + 1) * A_FILE, documents))
    n = len(numbers)
    hosts = np.minimum(draw.zipf(1.4, n), HOSTS)
    letters = bytes(draw.choice(np.frombuffer(b"abcdefghij klmnop ", np.uint8), 60 * n + TEXT)).decode()
    starts = draw.integers(0, 60 * n, n).tolist()
    ids = [f"00000000-0000-4000-8000-{number:012d}" for number in numbers]
    first = [ids[at - 1] if at % COPIED == 1 else ids[at] for at in range(n)]
    return {
        "id": ids,
        "url": [f"https://host-{host}.example/pages/{number}" for host, number in zip(hosts, numbers, strict=True)],
        "text": [letters[start : start + TEXT] for start in starts],
        "file_path": [f"crawl-data/CC-MAIN-2026-30/{file:05d}.warc.gz"] * n,
        "offset": (np.arange(n) * 30_000).tolist(),
        "language": ["eng"] * n,
        "language_script": ["Latn"] * n,
        "language_score": draw.random(n).tolist(),
        "top_langs": ['{"eng_Latn": 0.98}'] * n,
        "weight": [1.0] * n,
        "cluster_id": first,
        "kept_id": first,
        "minhash_cluster_size": [2 if at % COPIED < 2 else 1 for at in range(n)],
        "similarity": [0.9] * n,
        "copied": ["minhash" if at % COPIED == 1 else None for at in range(n)],
        "reason": ["no_main_text"] * n,
        "n_words": draw.integers(50, 400, n).tolist(),
    }


def table(columns: dict[str, Any], schema: pa.Schema, rows: Sequence[int] | None = None) -> pa.Table:
    n = len(columns["id"])
    cells = []
    for field in schema:
        given = columns.get(field.name)
        if given is None and (pa.types.is_integer(field.type) or pa.types.is_floating(field.type)):
            given = [0] * n
        cells.append(pa.nulls(n, field.type) if given is None else pa.array(given, field.type))
    whole = pa.table(cells, schema=schema)
    return whole if rows is None else whole.take(pa.array(rows))


def write_part(item: tuple[int, int, dict[str, str], int]) -> None:
    """A file of each table. places: of the stages' generations."""
    file, documents, places, files = item
    columns = columns_of(file, documents)
    n, name = len(columns["id"]), f"part-{file:05d}.parquet"
    copied = [at for at in range(n) if columns["copied"][at]]
    kept = [at for at in range(n) if not columns["copied"][at]]
    paired = [at for at in range(n) if at % COPIED < 2]
    lost = {
        **columns,
        "url": [f"{url}/image" for url in columns["url"]],
        "id": [f"{one}-lost" for one in columns["id"]],
    }
    written = {
        "extract/documents": table(columns, DOCUMENTS),
        "extract/skipped": table(lost, SKIPPED, range(0, n, LOST)),
        "extract/inputs": table({"id": ["x"], "file_path": columns["file_path"][:1]}, INPUTS),
        "clean/documents": table(columns, CLEANED),
        "dedup/documents": table(columns, CLEANED, kept),
        "dedup/clusters": table({**columns, "drop_reason": columns["copied"]}, CLUSTERS, paired),
    }
    assert len(copied) + len(kept) == n
    for where, rows in written.items():
        stage, _, own = where.partition("/")
        with RowGroupWriter(storage.join(places[stage], own, name), rows.schema) as out:
            out.write(rows)
    with RowGroupWriter(storage.join(places["sample"], shard_path("eng", "Latn", "train", file, files)), SHARD) as out:
        out.write(table(columns, SHARD, kept))


def make(root: str, documents: int) -> None:
    run_tasks, files = process_runner(2), -(-documents // A_FILE)
    settings, known = CleanConfig(), profiles.shipped()
    records = {"extract": run_records.make_record("extract", 6, {"engine": "blocks"}, {})}
    records["clean"] = record_of(settings, known, {"extract": records["extract"]["fingerprint"]})
    for stage, before in (("dedup", "clean"), ("sample", "dedup")):
        records[stage] = run_records.make_record(stage, 1, {}, {before: records[before]["fingerprint"]})
    places = {stage: storage.join(root, stage) for stage in records}
    run_tasks(write_part, [(file, documents, places, files) for file in range(files)])
    names = [f"part-{file:05d}.parquet" for file in range(files)]
    shards = [shard_path("eng", "Latn", "train", file, files).removeprefix("data/") for file in range(files)]
    tables = {
        "extract": dict.fromkeys(("documents", "skipped", "inputs"), names),
        "clean": {"documents": names},
        "dedup": {"documents": names, "clusters": names, "signatures": []},
        "sample": {"data": shards},
    }
    entry = {"documents": documents, "epochs": 1.5}
    for stage, listed in tables.items():
        generation = generations.following(places[stage])
        stage_keys.write_keys(run_tasks, generation.place, stage, listed, records["extract"]["fingerprint"])
        if stage == "sample":
            storage.write_json(storage.join(generation.place, "mixture.json"), {"languages": {"eng_Latn": entry}})
        account = Ledger(stage=stage, rows_in=0, rows_out=0, dropped={}, by_language={}, tables={})
        run_records.publish(places[stage], records[stage], account, [], listed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where the root is kept")
    parser.add_argument("--times", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = (args.folder or Path(scratch)) / f"root-{args.documents}"
        if not (root / "sample" / "_run.json").exists():
            began = time.monotonic()
            make(str(root), args.documents)
            print(f"made in {time.monotonic() - began:.0f} s")
        middle = args.documents // 2 // COPIED * COPIED + 1
        columns = columns_of(middle // A_FILE, args.documents)
        at = columns["id"].index(f"00000000-0000-4000-8000-{middle:012d}")
        url = columns["url"][at]
        questions = {
            "--url, a page with a copy": ["--url", url],
            "--url, a page that was skipped": ["--url", f"{columns['url'][at - 1]}/image"],
            "--url, another spelling, with votes": ["--url", url.upper().replace("HTTPS", "HTTP"), "--votes"],
            "--url, as a page": ["--url", url, "--html", f"{scratch}/page.html"],
            "--id": ["--id", columns["id"][at]],
            "--id, of no document": ["--id", f"{columns['id'][0]}-lost"],
            "--url, of nobody": ["--url", url + "/nobody"],
            "--host, a small one": ["--host", "host-1000.example"],
            "--host, of a page in thirty": ["--host", "host-5.example"],
            "--host, the largest": ["--host", "host-1.example"],
            "--host, of nobody": ["--host", "nobody.example"],
        }  # fmt: skip
        print("| question | seconds | of CPU | peak memory | pages |\n|---|---|---|---|---|")
        for name, flags in questions.items():
            costs = []
            output = Path(scratch) / "said"
            for _ in range(args.times):
                command = [sys.executable, str(REPOSITORY / "jobs/explain.py"), "--root", str(root), *flags]
                costs.append(watched.run(command, os.environ, output))
            said = output.read_text(errors="replace").split("\n")[0]
            assert all(cost.status in (0, 2) for cost in costs), said
            seconds = statistics.median(cost.seconds for cost in costs)
            pages = said.split(": ")[1].split()[0] if said.endswith(" pages") else ""
            peak = max(cost.peak for cost in costs) >> 20
            cpu = statistics.median(cost.cpu for cost in costs)
            print(f"| {name} | {seconds:.1f} | {cpu:.1f} | {peak} MiB | {pages} |", flush=True)


if __name__ == "__main__":
    main()
