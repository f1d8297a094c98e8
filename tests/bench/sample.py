"""What sample costs, and how near the shares that it writes come to its plan, over made-up documents of many languages.

python tests/bench/sample.py [--documents 1000000] [--languages 60] [--mean-bytes 1200] [--folder FOLDER]

Languages have sizes by Zipf's law, documents lengths by a lognormal. Writes the table (kept in FOLDER where one is
given), runs `jobs/sample.py --plan` and `jobs/sample.py` each as a program of its own (and once more with a third of
the budget by UniMax), and reads all shards: the share of a language is its bytes times weights times epochs over those
of all. Linux only.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from bench import watched

REPOSITORY = Path(__file__).resolve().parents[2]
A_FILE = 20_000
EXPONENT = 1.3  # of the languages' sizes
LEAST = 1000  # documents of a language whose share is judged


def write_table(folder: Path, documents: int, languages: int, mean_bytes: int) -> int:
    """The bytes of text."""
    rng = np.random.default_rng(0)
    shares = 1 / np.arange(1, languages + 1) ** EXPONENT
    words = np.array(
        [bytes(rng.integers(97, 123, length, np.uint8)).decode() for length in rng.integers(2, 11, 20_000)]
    )
    source = " ".join(words[np.minimum(rng.zipf(1.2, 1_000_000), len(words)) - 1])
    total = 0
    folder.mkdir(parents=True)
    for begin in range(0, documents, A_FILE):
        n = min(A_FILE, documents - begin)
        sizes = np.maximum(40, rng.lognormal(np.log(mean_bytes) - 0.32, 0.8, n).astype(np.int64))
        starts = rng.integers(0, len(source) - sizes.max(), n)
        texts = [source[start : start + size] for start, size in zip(starts.tolist(), sizes.tolist(), strict=True)]
        language = rng.choice(languages, n, p=shares / shares.sum())
        ids = [f"<urn:uuid:{begin + i:012d}>" for i in range(n)]
        hosts = np.minimum(rng.zipf(1.5, n), 5000)
        columns = {
            "id": ids,
            "text": texts,
            "language": [f"q{chr(97 + one // 26)}{chr(97 + one % 26)}" for one in language.tolist()],
            "language_script": ["Latn"] * n,
            "language_score": rng.random(n),
            "url": [f"https://host{host}.example/{begin + i}" for i, host in enumerate(hosts.tolist())],
            "minhash_cluster_size": rng.geometric(0.6, n),
        }
        table = pa.table(columns)
        total += pc.sum(pc.binary_length(table["text"])).as_py()
        pq.write_table(table, folder / f"part-{begin // A_FILE:05d}.parquet", compression="zstd", row_group_size=1024)
    return total


def realised(folder: Path) -> dict[str, float]:
    """Share of each language of what a run of the budget shows, from the rows of the shards."""
    mixed = json.loads((folder / "mixture.json").read_text())["languages"]
    amounts = {}
    for label, entry in mixed.items():
        amount = 0.0
        for path in sorted((folder / "data" / label).glob("train-*.parquet")):
            rows = pq.read_table(path, columns=["text", "weight"])
            amount += (
                pc.sum(pc.multiply(pc.binary_length(rows["text"]), rows["weight"].cast(pa.float64()))).as_py() or 0
            )
        amounts[label] = amount * entry["epochs"]
    return {label: amount / sum(amounts.values()) for label, amount in amounts.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--languages", type=int, default=60)
    parser.add_argument("--mean-bytes", type=int, default=1200)
    parser.add_argument("--folder")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(args.folder or scratch)
        table = folder / "table"
        size = write_table(table, args.documents, args.languages, args.mean_bytes)
        print(f"{args.documents:,} documents, {size / 1e6:,.0f} MB of text, {args.languages} languages", flush=True)
        environment = {**os.environ, "PYTHONSAFEPATH": "1"}
        job = [sys.executable, str(REPOSITORY / "jobs" / "sample.py"), "--input", str(table)]
        for name, flags in (
            ("plan", ["--plan"]),
            ("natural budget", []),
            ("UniMax of a third", ["--method", "unimax", "--budget", str(size // 3), "--max-host-share", "0.2"]),
        ):
            out = folder / name.replace(" ", "-") / "sample"
            cost = watched.run([*job, "--output", str(out), *flags], environment, folder / "log.txt")
            assert cost.status == 0, (folder / "log.txt").read_text()
            print(f"{name:18} {cost.seconds:6.1f} s, {size / 1e6 / cost.seconds:6.1f} MB/s, {cost.peak / 1e6:,.0f} MB")
            if name == "plan":
                continue
            planned = json.loads((out / "mixture.json").read_text())["languages"]
            found = realised(out)
            errors = [
                abs(found[label] / entry["share"] - 1)
                for label, entry in planned.items()
                if entry["documents"] >= LEAST
            ]
            print(
                f"{'':18} shares off by {max(errors):.2e} at most, over {len(errors)} languages of {LEAST:,} documents"
            )


if __name__ == "__main__":
    main()
