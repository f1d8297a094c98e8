"""How large report.html is over a corpus of a million documents, and how long it takes to be made and to be opened.

    PYTHONPATH=tests:. python -m bench.report --folder DIR [--documents 1000000] [--languages 180] [--archives 1000]

Makes the small files of a corpus in DIR/root as its stages write them, by their own code: signals are drawn and judged
by the default rules, which gives ledgers, distributions and examples of all reasons; rows of clusters are drawn, which
gives the largest of them, with texts of up to 700 characters in many scripts; each archive has its receipt, one in 40 a
broken one. Tables of documents are not there: the page reads none. It is made three times by a process of its own, then
opened in headless Chromium, five times in each of two windows; a page that is open has fired `load` and is drawn.
Seconds are the middle ones, of the clock.
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from browser import headless_browser, watched_page

from pipeline.config import CleanConfig
from pipeline.duplicates import large_clusters
from pipeline.quality import distributions, profiles
from pipeline.quality.rules import Decider
from pipeline.store import run_records, storage
from pipeline.store.ledger import ledger
from pipeline.store.row_groups import RowGroupWriter
from schemas.costs import COST, Cost
from schemas.dedup import CLUSTERS
from schemas.distributions import CLUSTERS as LARGE_CLUSTERS
from schemas.distributions import DISTRIBUTIONS, LargeCluster
from schemas.extract import INPUTS
from schemas.records import EXAMPLE_CHARACTERS, EXAMPLES_A_REASON, STAGES, Counts, Example

REPOSITORY = Path(__file__).resolve().parents[2]
ARTICLES = sorted((REPOSITORY / "tests" / "archive" / "articles").glob("*.txt"))
BATCH = 20_000
EXPONENT = 1.3  # of the languages' sizes
SKIPPED = {"type:request": 9, "type:metadata": 9, "status": 1, "no_main_text": 2, "not_html": 1}  # a tenth of documents
WINDOWS = {"desktop": (1200, 900), "phone": (390, 844)}
WANTED_BYTES, WANTED_SECONDS = 5_000_000, 2.0


def tongues(n: int) -> list[tuple[str, str]]:
    """Languages and scripts, large ones first, then those of which the profiles have thresholds."""
    large = (
        "eng_Latn rus_Cyrl deu_Latn jpn_Jpan cmn_Hani und_Zyyy tha_Thai arb_Arab kor_Hang heb_Hebr hin_Deva tam_Taml"
    )
    named = [*large.split(), *(key for key in sorted(profiles.shipped().thresholds) if "_" in key)]
    return [(label[:3], label[4:]) for label in dict.fromkeys(named)][:n]


def drawn_signals(draw: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    """Of pages that are good but for a signal in a hundred, which lies anywhere."""
    sizes = {"n_chars": 8.2, "n_bytes": 8.3, "n_words": 6.6, "n_lines": 3.2, "n_sentences": 3.8, "n_paragraphs": 2.5}
    shares = {"unique_word_share": (8, 6), "stop_word_share": (9, 12), "line_punct_share": (6, 2)}
    shares |= dict.fromkeys(["language_score", "script_share", "language_share", "alpha_word_share"], (60, 1.5))
    columns = {}
    for name, edges in distributions.EDGES.items():
        if name in sizes:
            good = draw.lognormal(sizes[name], 0.6, n)
        elif name.endswith(("_share", "_score")):
            good = draw.beta(*shares.get(name, (1, 80)), n)
        elif name in ("mean_word_length", "compression_ratio"):
            good = draw.normal(*{"mean_word_length": (5.5, 0.7), "compression_ratio": (2.2, 0.4)}[name], n)
        elif name in ("stop_word_hits", "c4_kept_sentences", "max_word_length"):
            good = draw.integers(8, 30, n).astype(np.float64)
        else:
            good = draw.exponential(0.02, n)
        values = np.where(draw.random(n) < 0.01, draw.choice(edges, n), np.abs(good))
        columns[name] = values if edges[1] < 1 or name == "mean_word_length" else values.round()
    return columns


def shown(number: int, language: str = "") -> dict[str, str]:
    """A page of an article, of this language where there is one, some words of it others than in the article."""
    path = next((path for path in ARTICLES if path.stem == language), ARTICLES[number % len(ARTICLES)])
    words, draw = path.read_text(encoding="utf-8").split(" "), random.Random(number)
    for _ in range(1 + number % 5):
        words[draw.randrange(len(words))] = f"{number:x}"
    text = " ".join(words)[:EXAMPLE_CHARACTERS]
    return {"id": identity(number), "url": f"https://www.{path.stem}.example.org/{number}/page?q=1", "text": text}


def identity(number: int) -> str:
    return f"{number:08x}-5adb-4c9e-9d0f-{number:012x}"


def cleaned(documents: int, languages: list[tuple[str, str]]) -> tuple[Counts, list[Example], bytes]:
    """What clean would have said of so many documents: counts, examples, distributions."""
    settings = CleanConfig()
    decide = Decider(settings.chosen_rules(), settings.limits(profiles.shipped()))
    draw, tally = np.random.default_rng(0), distributions.Tally()
    sizes = 1 / np.arange(1, len(languages) + 1) ** EXPONENT
    counts: dict[str, Counter[str | None]] = {}
    examples: list[Example] = []
    seen, spread = Counter[str | None](), set[tuple[str, str | None]]()
    for begin in range(0, documents, BATCH):
        n = min(BATCH, documents - begin)
        whose = [languages[at] for at in draw.choice(len(languages), n, p=sizes / sizes.sum())]
        columns: dict[str, Any] = dict(drawn_signals(draw, n))
        columns |= {"language": [one for one, _ in whose], "language_script": [script for _, script in whose]}
        rows = pa.RecordBatch.from_pydict(columns)
        verdicts, named = decide(rows), [f"{language}_{script}" for language, script in whose]
        tally.add(rows, named, verdicts)
        for label, reason in zip(named, verdicts.to_pylist(), strict=True):
            counts.setdefault(label, Counter())[reason] += 1
            if seen[reason] < EXAMPLES_A_REASON and (label, reason) not in spread:
                seen[reason] += 1
                spread.add((label, reason))
                examples.append(Example(**shown(len(examples), label[:3]), language=label, reason=reason))
    by_label = {label: reasons.total() for label, reasons in counts.items()}
    examples.sort(key=lambda one: (one["reason"] is not None, one["reason"] or ""))
    found = distributions.distributions(tally, by_label, decide.bounds)
    return {label: dict(reasons) for label, reasons in counts.items()}, examples, distributions.as_json(found)


def deduped(counts: Counts) -> tuple[Counts, list[LargeCluster], int]:
    """Of what clean kept a fifth has a copy; clusters have sizes by Zipf's law."""
    draw = np.random.default_rng(1)
    after: Counts = {}
    for label, reasons in counts.items():
        kept = reasons.get(None, 0)
        near, exact = draw.binomial(kept, [0.06, 0.04])
        after[label] = {None: int(kept - near - exact), "minhash": int(near), "exact": int(exact)}
    left, rows = sum(one.get(None, 0) for one in counts.values()) // 5, list[dict[str, Any]]()
    while left > 0:
        size = min(2 + int(draw.zipf(1.8)), 20_000)
        first, left = len(rows), left - size
        for number in range(first, first + size):
            alike = round(float(draw.uniform(0.8, 1)), 3)
            reason = None if number in (first, first + 9) else "exact" if draw.random() < 0.4 else "minhash"
            rows.append({"id": identity(number), "cluster_id": identity(first), "kept_id": identity(first),
                         "minhash_cluster_size": size, "drop_reason": reason, "similarity": alike})  # fmt: skip
    largest = large_clusters.in_rows(pa.Table.from_pylist(rows, schema=CLUSTERS))
    places = {identity(number): number for number in range(len(rows))}
    seen = [{**shown(places[name] // 50), "id": name, "language": "eng_Latn"} for name in largest["id"].to_pylist()]
    return after, large_clusters.large_clusters(largest, seen), len(rows)


def mixture(counts: Counts) -> dict[str, Any]:
    sizes = {label: reasons[None] for label, reasons in counts.items() if reasons.get(None)}
    most = max(sizes.values())
    epochs = {label: round(min(4.0, (most / size) ** 0.7), 6) for label, size in sizes.items()}
    whole = sum(size * epochs[label] for label, size in sizes.items())
    entries = {
        label: {"bytes": size * 3187, "documents": size - size // 100, "epochs": epochs[label],
                "validation_bytes": size * 31, "validation_documents": size // 100,
                "weight": round(size * epochs[label] / whole, 8)}
        for label, size in sizes.items()
    }  # fmt: skip
    method = {"method": "temperature", "temperature": 3.33, "max_epochs": 4.0}
    return {**method, "total_bytes": round(whole * 3187), "languages": entries}


def vocabulary(counts: Counts) -> dict[str, Any]:
    draw, every = random.Random(2), {"bytes_per_token": 4.3, "fertility": 1.4, "byte_fallback_share": 0.001}
    costs = {label: {name: value * draw.uniform(0.7, 1.6) for name, value in every.items()} for label in counts}
    shares = {"pieces": 4000, "used": 400, "used_share": 0.4, "tokens": 9, "token_share": 0.1}
    scripts = {label.rpartition("_")[2]: shares for label in counts}
    return {"vocab_size": 64_000, "languages": costs, "total": every, "scripts": scripts}


def receipts(archives: int, documents: int, folder: str) -> list[str]:
    names = []
    for number in range(archives):
        path, each = f"crawl-data/CC-MAIN-2026-43/segments/{number:05}.warc.gz", documents // archives
        gone = [
            ("response" if ":" not in reason else "metadata", reason, each * n // 10) for reason, n in SKIPPED.items()
        ]
        row = {"file_path": path, "size": 10**9 + number, "status": "ok", "documents": each}
        if number % 40 == 7:
            gone.append(("archive", "corrupt", 1 + number % 3))
            row |= {"status": "corrupt", "broke_at": number * 1024, "detail": "bytes that are no gzip member"}
        row["counts"] = [dict(zip(("record_type", "reason", "count"), one, strict=True))
                         for one in [("response", None, each), *gone]]  # fmt: skip
        row["records"] = sum(one["count"] for one in row["counts"])
        names.append(f"{number:05}.parquet")
        with RowGroupWriter(storage.join(folder, names[-1]), INPUTS) as out:
            out.add(row)
    return names


def make(root: str, documents: int, n_languages: int, archives: int) -> None:
    storage.remove(root)
    counts, examples, signals = cleaned(documents, tongues(n_languages))
    unique, largest, in_clusters = deduped(counts)
    kept: Counts = {label: {None: reasons[None]} for label, reasons in unique.items()}
    each = documents // archives
    read = {reason: archives * (each * n // 10) for reason, n in SKIPPED.items()}
    read |= {"corrupt": sum(1 + number % 3 for number in range(archives) if number % 40 == 7)}
    accounts: dict[str, Counts] = {"extract": {}, "clean": counts, "dedup": unique, "sample": kept, "vocab": kept}
    tables = {"clean": {"documents": documents}, "dedup": {"clusters": in_clusters}}
    before: dict[str, str] = {"archives": "0"}
    for stage in STAGES:
        folder, rows_in = storage.join(root, stage), sum(sum(one.values()) for one in accounts[stage].values())
        record = run_records.make_record(stage, 1, {}, before)
        account = ledger(stage, rows_in, accounts[stage], tables.get(stage, {}))
        if stage == "extract":
            account |= {"rows_in": archives * each + sum(read.values()), "rows_out": archives * each, "dropped": read}
        cost = Cost(stage=stage, began="2026-11-01T00:00:00+00:00", attempts=1, seconds=9e3, cores=64, cpu_seconds=5e5,
                    peak_bytes=10**9, shuffle_bytes=10**9, bytes_read=10**11, bytes_written=10**10,
                    requests=10**5)  # fmt: skip
        small: dict[str, Any] = {COST: cost}
        small |= {"sample": {"mixture.json": mixture(kept)}, "vocab": {"report.json": vocabulary(kept)}}.get(stage, {})
        small |= {LARGE_CLUSTERS: largest} if stage == "dedup" else {}
        with run_records.building(folder, record) as place:
            for name, value in small.items():
                storage.write_json(storage.join(place, name), value)
            if stage == "clean":
                storage.write_bytes(storage.join(place, DISTRIBUTIONS), signals)
            names = receipts(archives, documents, storage.join(place, "inputs")) if stage == "extract" else []
            some = examples if stage == "clean" else [one for one in examples if one["reason"] is None]
            run_records.publish(folder, record, account, some, {"inputs": names} if names else {})
        before = {stage: record["fingerprint"]}


def rendered(root: str) -> tuple[float, int, int]:
    """Seconds of the clock of a process of its own, its peak resident bytes, and bytes of the page."""
    program = "import sys; from jobs.report import main; main(['--root', sys.argv[1]])"
    began = time.perf_counter()
    child = subprocess.Popen([sys.executable, "-c", program, root], cwd=REPOSITORY, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"jobs/report.py ended with {status}")
    return time.perf_counter() - began, used.ru_maxrss * 1024, (Path(root) / "report.html").stat().st_size


def opened(page: Path, times: int) -> dict[str, float]:
    """Seconds until the page has been read, laid out and drawn, by window."""
    found = {}
    with headless_browser() as browser:
        for name, (width, height) in WINDOWS.items():
            seconds = []
            for _ in range(times):
                with watched_page(browser, width, height) as watched:
                    began = time.perf_counter()
                    watched.page.goto(page.as_uri(), wait_until="load")
                    watched.page.evaluate("new Promise(drawn => requestAnimationFrame(() => setTimeout(drawn)))")
                    seconds.append(time.perf_counter() - began)
                    if watched.said:
                        sys.exit(f"the page's console says: {watched.said[0]}")
            found[name] = statistics.median(seconds)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", required=True, type=Path)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--languages", type=int, default=180)
    parser.add_argument("--archives", type=int, default=1000)
    args = parser.parse_args()
    root = str(args.folder.resolve() / "root")
    make(root, args.documents, args.languages, args.archives)
    for path in sorted(Path(root).glob("*/_*.json")):
        print(f"{path.stat().st_size:>12,} bytes  {path.relative_to(root)}")
    runs = [rendered(root) for _ in range(3)]
    size = runs[0][2]
    print(f"{size:>12,} bytes  report.html (wanted: under {WANTED_BYTES:,})")
    print(f"made in {statistics.median(run[0] for run in runs):.2f} s, {max(run[1] for run in runs) / 1e6:.0f} MB")
    times = opened(Path(root) / "report.html", 5)
    for name, seconds in times.items():
        print(f"opened in {seconds:.2f} s on a {name} (wanted: under {WANTED_SECONDS:g})")
    return int(size >= WANTED_BYTES or max(times.values()) >= WANTED_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
