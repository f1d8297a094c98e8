"""Speed, memory, shuffle, recall and precision of the dedup job over made-up texts with planted near-duplicates.

python tests/bench/dedup.py --documents 100000 --work DIR [--words 500] [--seed 0] [--share 0.3]
    [--template PAGES [--template-jaccard 0.65]] [--master 'local[2]'] [--driver-memory 4g] [--threshold 0.8]
    [--peer PYTHON] [--json FILE] [--keep] [-- any flags of jobs/dedup.py]

DIR is new or of an earlier run. In it are made table/ (bench.planted_table), answer/ and logs; without --keep the logs
stay alone, with it the next run of the same plan takes the table as it is. Seconds are those of the whole of
spark-submit, its start included. --peer is the Python of an environment with datatrove: its four stages run over the
same texts as JSONL.
"""

import argparse
import json
import math
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # as a program it has its neighbours to find
from bench import planted_table, watched
from bench.cluster_score import Truth, score
from bench.planted_table import Plan
from programs import REPOSITORY, job_environment

from pipeline.config import DedupConfig
from pipeline.duplicates.minhash import signatures
from pipeline.exit_status import run_to_exit_status
from pipeline.words.words import words_of
from schemas.errors import UserError

MARK = "bench.txt"  # a folder that has it may be cleared
PARTS = ("table", "answer", "events", "spark", "jsonl", "peer")  # of the work folder
PEER_FILES = 8
PEER_TASKS = 2
MIB = 1 << 20


def truth(table: Path) -> Truth:
    """The truth beside a table of `planted_table.make`."""
    columns = ["id", "language", "language_script"]
    rows = pa.dataset.dataset(table / "texts", format="parquet").to_table(columns).combine_chunks()
    groups = pa.compute.binary_join_element_wise(rows["language"], rows["language_script"], "_")
    return Truth(rows["id"].combine_chunks(), groups.combine_chunks(), pq.read_table(table / "pairs.parquet"))


def clusters(answer: Path) -> pa.Table:
    """Columns id, cluster_id and kept_id of the job's answer. UserError where it has none."""
    if not (answer / "clusters").is_dir():
        raise UserError(f"{answer} has no clusters: see job.log beside it")
    found = pa.dataset.dataset(answer / "clusters", format="parquet").to_table(["id", "cluster_id", "kept_id"])
    return found.filter(pa.compute.is_valid(found["cluster_id"]))


def run_job(work: Path, master: str, driver_memory: str, flags: Sequence[str]) -> tuple[watched.Cost, dict[str, float]]:
    """The job as a user runs it: its cost, and what its event log says. UserError when it fails."""
    for part in ("answer", "events", "spark"):
        shutil.rmtree(work / part, ignore_errors=True)
    (work / "events").mkdir()
    settings = {
        **watched.EVENT_LOG,
        "spark.eventLog.dir": (work / "events").as_uri(),
        "spark.local.dir": str(work / "spark"),
        "spark.ui.enabled": "false",
    }
    command = [
        str(Path(sys.executable).with_name("spark-submit")),
        "--master",
        master,
        "--driver-memory",
        driver_memory,
    ]
    command += [part for key, value in settings.items() for part in ("--conf", f"{key}={value}")]
    command += [str(REPOSITORY / "jobs" / "dedup.py"), "--input", str(work / "table" / "texts")]
    command += ["--output", str(work / "answer"), *flags]
    cost = watched.run(command, job_environment(), work / "job.log")
    if cost.status:
        last = (work / "job.log").read_text(errors="replace").strip().rpartition("\n")[2]
        raise UserError(f"the job ended with status {cost.status} ({last}): see {work / 'job.log'}")
    return cost, watched.event_log(work / "events")


def signature_rate(texts: Path) -> dict[str, float]:
    """Of one process over the first row groups of about 500 words a document: documents a second, from texts and from
    the hashes of their words, the best of five rounds."""
    config = DedupConfig()
    file = pq.ParquetFile(min(texts.glob("*.parquet")))
    table = pa.concat_tables([file.read_row_group(i, ["text"]) for i in range(min(3, file.num_row_groups))])
    column = table["text"].combine_chunks()
    seconds = {"words": math.inf, "all": math.inf}
    for _ in range(6):
        for name, work in (
            ("words", lambda: words_of(column)),
            ("all", lambda: signatures(column, config.hasher(), config.min_shingles)),
        ):
            began = time.process_time()
            work()
            seconds[name] = min(seconds[name], time.process_time() - began)
    return {
        "from_texts": round(len(column) / seconds["all"]),
        "from_words": round(len(column) / (seconds["all"] - seconds["words"])),
    }


def write_jsonl(texts: Path, folder: Path) -> None:
    """The texts for the peer, group by group in turn over PEER_FILES files."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    groups = (
        (file, i) for file in map(pq.ParquetFile, sorted(texts.glob("*.parquet"))) for i in range(file.num_row_groups)
    )
    for number, (file, i) in enumerate(groups):
        rows = file.read_row_group(i, ["id", "text"]).to_pylist()
        with open(folder / f"part-{number % PEER_FILES:02}.jsonl", "a", encoding="utf-8") as lines:
            lines.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def run_peer(work: Path, python: str) -> dict[str, Any]:
    """Its seconds by stage, what it keeps and its memory. UserError when it fails."""
    write_jsonl(work / "table" / "texts", work / "jsonl")
    shutil.rmtree(work / "peer", ignore_errors=True)
    script = Path(__file__).with_name("datatrove_minhash.py")
    command = [python, str(script), str(work / "jsonl"), str(work / "peer"), str(PEER_TASKS)]
    cost = watched.run(command, job_environment(), work / "peer.log")
    last = (work / "peer.log").read_text(errors="replace").strip().rpartition("\n")[2]
    if cost.status:
        raise UserError(f"the peer ended with status {cost.status} ({last}): see {work / 'peer.log'}")
    found: dict[str, Any] = json.loads(last)
    return {**found, "peak_bytes": cost.peak}


def claim(work: Path) -> None:
    """Makes the work folder. UserError for one with other things in it, which would be removed."""
    work.mkdir(parents=True, exist_ok=True)
    if not (work / MARK).exists() and any(work.iterdir()):
        raise UserError(f"--work {work} holds other things: name a new folder")
    (work / MARK).write_text("tests/bench/dedup.py may remove what is here\n")


def measure(args: argparse.Namespace, flags: Sequence[str]) -> dict[str, Any]:
    """Makes the table, runs the job and the peer: all figures."""
    plan = Plan(args.documents, args.words, args.seed, args.share, args.template, args.template_jaccard)
    work = Path(args.work).absolute()
    claim(work)
    planted_table.make(work / "table", plan)
    files = [pq.read_metadata(file) for file in sorted((work / "table" / "texts").glob("*.parquet"))]
    text = planted_table.TEXTS.get_field_index("text")
    text_bytes = sum(
        file.row_group(i).column(text).total_uncompressed_size for file in files for i in range(file.num_row_groups)
    )
    cost, log = run_job(work, args.master, args.driver_memory, flags)
    found: dict[str, Any] = {
        "plan": plan._asdict(),
        "flags": list(flags),
        "master": args.master,
        "driver_memory": args.driver_memory,
        "text_bytes": text_bytes,
        "seconds": round(cost.seconds, 2),
        "cpu_seconds": round(cost.cpu, 1),
        "documents_per_second": round(args.documents / cost.seconds, 1),
        "peak_bytes": cost.peak,
        "peak_parts": cost.parts,
        "largest_process_bytes": cost.largest,
        **log,
        "signatures_per_second": signature_rate(work / "table" / "texts"),
        "threshold": args.threshold,
        "score": score(truth(work / "table"), clusters(work / "answer"), args.threshold),
    }
    if args.peer:
        theirs = run_peer(work, args.peer)
        found["peer"] = {**theirs, "ratio": round(theirs["total"] / cost.seconds, 2)}
    return found


def report(found: dict[str, Any]) -> None:
    """Prints the figures of `measure`."""
    scored, plan = found["score"], found["plan"]
    print(f"{plan['documents']:,} documents, {found['text_bytes'] / MIB:,.0f} MiB of text, seed {plan['seed']}")
    print(f"{found['documents_per_second']:,.0f} documents/s ({found['seconds']:.1f} s, start included;", end=" ")
    print(f"{found['cpu_seconds']:.1f} CPU seconds)")
    print(
        f"shuffled {found['shuffle_bytes'] / MIB:,.1f} MiB, spilled {found['spilled_bytes'] / MIB:,.1f} MiB", end=", "
    )
    print(f"{found['tasks']:,} tasks, {found['failed_tasks']:,} failed")
    rates = found["signatures_per_second"]
    print(f"signatures {rates['from_words']:,} documents/s a core from words, {rates['from_texts']:,} from texts")
    parts = ", ".join(f"{name} {size / MIB:,.0f}" for name, size in sorted(found["peak_parts"].items()))
    print(f"peak memory {found['peak_bytes'] / MIB:,.0f} MiB (PSS; {parts})", end=", ")
    print(f"largest process {found['largest_process_bytes'] / MIB:,.0f} MiB")
    print(f"\n{'Jaccard':12}{'pairs':>10}{'recall':>9}")
    rows = {**scored["bins"], f">= {found['threshold']:g}": scored["at_threshold"]}
    if "template" in scored:
        rows["template"] = scored["template"]
    for name, row in rows.items():
        print(f"{name:12}{row['pairs']:10,}{_share(row['recall']):>9}")
    print(f"\npairs of which both stay: {scored['both_stay']:,}", end="")
    print(f"\nprecision {_share(scored['precision'])} of {scored['joined_pairs']:,} joined pairs", end=", ")
    print(f"{scored['clusters']:,} clusters of {scored['clustered']:,} documents")
    print(f"\n{'language':12}{'pairs':>10}{'recall':>9}{'joined':>10}{'precision':>11}")
    for name, row in sorted(scored["groups"].items()):
        print(f"{name:12}{row['pairs']:10,}{_share(row['recall']):>9}", end="")
        print(f"{row['joined_pairs']:10,}{_share(row['precision']):>11}")
    if peer := found.get("peer"):
        stages = " + ".join(f"{name} {seconds:.1f}" for name, seconds in peer["seconds"].items())
        print(f"\npeer: {stages} = {peer['total']:.1f} s, {peer['kept']:,} kept", end=", ")
        print(f"peak memory {peer['peak_bytes'] / MIB:,.0f} MiB; its seconds are {peer['ratio']:.2f} times ours")


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def body(argv: Sequence[str] | None) -> None:
    given = list(sys.argv[1:] if argv is None else argv)
    own, flags = (given[: given.index("--")], given[given.index("--") + 1 :]) if "--" in given else (given, [])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--words", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--share", type=float, default=0.3, help="of the documents, in families of near-duplicates")
    parser.add_argument("--template", type=int, default=0, metavar="PAGES", help="of one template")
    parser.add_argument("--template-jaccard", type=float, default=0.65, help="of any two of its pages")
    parser.add_argument("--master", default="local[2]")
    parser.add_argument("--driver-memory", default="4g")
    parser.add_argument("--threshold", type=float, default=0.8, help="Jaccard from which two texts are one")
    parser.add_argument("--peer", metavar="PYTHON")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--keep", action="store_true")
    args = parser.parse_args(own)
    found = measure(args, flags)
    report(found)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")
    if not args.keep:
        for part in PARTS:
            shutil.rmtree(Path(args.work) / part, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(run_to_exit_status(body, None))
