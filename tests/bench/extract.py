"""Speed and memory of extract: of each engine, of the whole job against the peer's reader and extractor, and of a
worker that reads one large archive.

python tests/bench/extract.py WEB --work DIR [--parts engines job memory] [--pages 20000] [--archives 16] [--gib 1]
    [--engine-pages 0] [--master 'local[2]'] [--peer PYTHON --peer-tool FILE --lid MODEL] [--json FILE] [--keep]
    [-- any flags of jobs/extract.py]

WEB is a folder of .warc.gz. DIR is new or of an earlier run. Engines: CPU seconds of one process on pages that are in
memory, after a first page. Job: the pages of WEB again and again under new addresses until there are --pages; no
archive has a page twice, since equal payloads are read once an archive. Seconds are those of the whole of spark-submit,
its start included; of the peer, a script `FILE ARCHIVES OUT MODEL TASKS` for its Python that prints its seconds by
stage as JSON, those of its stage `extract`. Memory: all processes of a worker (PSS), in an archive of --gib GiB as
stored, whose pages all differ, and in one of a tenth.
"""

import argparse
import gzip
import io
import json
import re
import shutil
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path
from typing import Any

import pyarrow.dataset
from fastwarc.warc import ArchiveIterator, WarcRecordType

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # as a program it has its neighbours to find
from bench import watched
from programs import job_environment, submit_command

from pipeline.archive.manifest import Archive
from pipeline.archive.records import ArchiveLimits, Page, read_archive
from pipeline.config import ExtractConfig
from pipeline.exit_status import run_to_exit_status
from pipeline.page.charset import decode
from pipeline.page.engines import ENGINES, Engine, extract_text, forget
from pipeline.page.metadata import read_metadata
from pipeline.stages import extract
from pipeline.stages.extract_tasks import Part
from schemas.errors import UserError

MARK = "bench.txt"  # a folder that has it may be cleared
PARTS = ("engines", "job", "memory")
FORGET_PAGES = 250  # after which trafilatura's caches are emptied, as its own process does
LIMIT = 1_000_000_000  # bytes that a worker may hold
MIB, GIB = 1 << 20, 1 << 30

_ID = re.compile(rb"(?<=\nWARC-Record-ID: )[^\r]*", re.I)
_URL = re.compile(rb"(?<=\nWARC-Target-URI: )[^\r]*", re.I)
_LENGTH = re.compile(rb"(?<=\nContent-Length: )\d+", re.I)
_CODED = re.compile(rb"\r\n\r\nHTTP/(?:[^\r]|\r\n(?!\r\n))*?\r\n(?:Content|Transfer)-Encoding:", re.I)


def archives_of(web: Path) -> list[Path]:
    """UserError for a folder without archives."""
    found = sorted(web.glob("*.warc.gz"))
    if not found:
        raise UserError(f"{web}: no *.warc.gz there: name a folder of archives")
    return found


def responses(web: Path) -> Iterator[bytes]:
    """The response records of all archives, unpacked."""
    for path in archives_of(web):
        with path.open("rb") as file:
            for record in ArchiveIterator(file, parse_http=False, record_types=WarcRecordType.response):
                out = io.BytesIO()
                record.write(out)
                yield out.getvalue()


def renamed(record: bytes, copy: int) -> bytes:
    """The record under another address and id; copy 0 is the record as it is."""
    if copy == 0:
        return record
    head, blank, block = record.partition(b"\r\n\r\n")
    name = uuid.uuid5(uuid.NAMESPACE_URL, f"{head!r} {copy}")
    head = _ID.sub(f"<urn:uuid:{name}>".encode(), head, count=1)
    head = _URL.sub(lambda url: b"%b%ccopy=%d" % (url.group(), b"?&"[b"?" in url.group()], copy), head, count=1)
    return head + blank + block


def altered(record: bytes, copy: int) -> bytes:
    """The record under another address and id, and with another payload."""
    head, blank, block = renamed(record, copy).removesuffix(b"\r\n\r\n").partition(b"\r\n\r\n")
    block += b"<!-- %d -->" % copy
    return _LENGTH.sub(b"%d" % len(block), head, count=1) + blank + block + b"\r\n\r\n"


def write_copies(web: Path, folder: Path, pages: int, archives: int) -> int:
    """`pages` records in `archives` archives of about equal size, a gzip member a record: the set again and again, each
    time under new addresses. Answers how many archives there are.

    UserError where an archive would hold more records than the set has, and so a page twice.
    """
    sizes = [len(record) for record in responses(web)]
    all_bytes = sum(sizes) * (pages // len(sizes)) + sum(sizes[: pages % len(sizes)])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    copies = (record for copy in count() for record in (renamed(one, copy) for one in responses(web)))
    held = 0  # bytes before the record, which tell its archive
    counts: Counter[int] = Counter()
    for record in islice(copies, pages):
        number = held * archives // all_bytes
        counts[number] += 1
        if counts[number] > len(sizes):
            raise UserError(f"--archives {archives} are too few: one would have a page twice")
        with open(folder / f"part-{number:04}.warc.gz", "ab") as file:
            file.write(gzip.compress(record, 6, mtime=0))
        held += len(record)
    return len(counts)


def write_large(web: Path, path: Path, size: int) -> int:
    """One archive of at least `size` bytes as stored, of pages that all differ; answers how many.

    Pages that lie in chunks or packed are left out, as a comment behind them would be no part of them.
    """
    copy = pages = 0
    with path.open("wb") as file:
        while True:
            for record in (one for one in responses(web) if not _CODED.search(one)):
                if file.tell() >= size:
                    return pages
                file.write(gzip.compress(altered(record, copy), 6, mtime=0))
                pages += 1
            copy += 1


def pages_of(web: Path, wanted: int) -> Iterator[tuple[Page, float]]:
    """The pages of all archives, or about `wanted` of them from all over, and what each took to read in CPU seconds."""
    every = 1
    if wanted:
        every = max(1, sum(1 for _ in responses(web)) // wanted)
    seen = 0
    for path in archives_of(web):
        with path.open("rb") as file:
            items = read_archive(file, name=path.name, limits=ArchiveLimits())
            while True:
                began = time.process_time()
                item = next(items, None)
                spent = time.process_time() - began
                if item is None:
                    break
                if isinstance(item, Page):
                    seen += 1
                    if seen % every == 0:
                        yield item, spent


def engines(web: Path, wanted: int, which: Sequence[Engine] = ENGINES) -> dict[str, Any]:
    """CPU seconds of one process over the same pages: reading them, their characters, their metadata, each engine."""
    seconds: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    pages = size = 0
    for engine in which:
        extract_text(b"<html><body><article><p>warm</p></article></body></html>", engine=engine)
    read_metadata(b"<title>warm</title>")
    decode(b"<title>\xe1\xe9\xfc\xdf warm</title>", None)
    for page, spent in pages_of(web, wanted):
        began = time.process_time()
        decoded = decode(page.body, page.http_charset)
        seconds["decode"] += time.process_time() - began
        seconds["read"] += spent
        if decoded is None:
            continue
        data = decoded.text.encode("utf-8", "replace")
        pages, size = pages + 1, size + len(data)
        began = time.process_time()
        read_metadata(data)
        seconds["metadata"] += time.process_time() - began
        for engine in which:
            began = time.process_time()
            try:
                extract_text(data, engine=engine)
            except Exception:
                failed[engine] += 1
            if engine == "trafilatura" and pages % FORGET_PAGES == 0:
                forget()
            seconds[engine] += time.process_time() - began
    return {"pages": pages, "bytes": size, "seconds": dict(seconds), "failed": dict(failed)}


def run_job(archives: Path, work: Path, master: str, flags: Sequence[str]) -> dict[str, Any]:
    """The job as a user runs it: its seconds, memory and counts. UserError when it fails."""
    shutil.rmtree(work / "root", ignore_errors=True)
    command = submit_command("extract", "--input", archives, "--root", work / "root", *flags, master=master)
    cost = watched.run(command, job_environment(), work / "job.log")
    if cost.status:
        raise UserError(f"the job ended with status {cost.status}: see {work / 'job.log'}")
    rows = pyarrow.dataset.dataset(work / "root" / "extract" / "inputs", format="parquet").to_table()
    counts = {name: sum(rows[name].to_pylist()) for name in ("records", "documents")}
    return {"seconds": cost.seconds, "peak_bytes": cost.peak, "peak_parts": cost.parts, **counts}


def run_peer(archives: Path, work: Path, python: str, tool: str, model: str) -> dict[str, Any]:
    """Its seconds by stage and its documents. UserError when it fails."""
    command = [python, tool, str(archives), str(work / "peer"), model, "2", "--no-english-filters"]
    cost = watched.run(command, job_environment(), work / "peer.log")
    lines = (work / "peer.log").read_text(errors="replace").splitlines()
    said = [line for line in lines if line.startswith("{")]
    if cost.status or not said:
        raise UserError(f"the peer ended with status {cost.status}: see {work / 'peer.log'}")
    found: dict[str, Any] = json.loads(said[-1])
    return {"seconds": found["seconds"]["extract"], "documents": found["docs"]["extract"], "peak_bytes": cost.peak}


def job(args: argparse.Namespace, work: Path, flags: Sequence[str]) -> dict[str, Any]:
    archives = work / "archives"
    made = write_copies(args.web, archives, args.pages, args.archives)
    found: dict[str, Any] = {"archives": made, **run_job(archives, work, args.master, flags)}
    found["pages_per_second"] = found["records"] / found["seconds"]
    if args.peer:
        theirs = run_peer(archives, work, args.peer, args.peer_tool, args.lid)
        found["peer"] = {**theirs, "ratio": theirs["seconds"] / found["seconds"]}
    return found


def memory(args: argparse.Namespace, work: Path) -> list[dict[str, Any]]:
    """What a worker and its extraction process hold, by the size of the archive."""
    found = []
    for gib in (args.gib / 10, args.gib):
        archive = work / "large.warc.gz"
        pages = write_large(args.web, archive, int(gib * GIB))
        command = [sys.executable, __file__, "--read", str(archive), str(work / "out")]
        cost = watched.run(command, job_environment(), work / "memory.log")
        if cost.status:
            raise UserError(f"the worker ended with status {cost.status}: see {work / 'memory.log'}")
        figures = {"peak_bytes": cost.peak, "largest_process_bytes": cost.largest, "seconds": cost.seconds}
        found.append({"gib": archive.stat().st_size / GIB, "pages": pages, **figures})
        archive.unlink()
        shutil.rmtree(work / "out", ignore_errors=True)
    return found


def read_one(path: Path, out: Path) -> None:
    """An archive as a task of the job reads it, without an engine around."""
    part = Part(Archive(path.name, str(path), path.stat().st_size))
    extract.read_part(part, extract.Reading(ExtractConfig(), None, str(out)))
    (receipt,) = pyarrow.dataset.dataset(out / "inputs", format="parquet").to_table().to_pylist()
    print(receipt["documents"], "documents")


def claim(work: Path) -> None:
    """Makes the work folder. UserError for one with other things in it, which would be removed."""
    work.mkdir(parents=True, exist_ok=True)
    if not (work / MARK).exists() and any(work.iterdir()):
        raise UserError(f"--work {work} holds other things: name a new folder")
    (work / MARK).write_text("tests/bench/extract.py may remove what is here\n")


def report(found: dict[str, Any]) -> None:
    """Prints the figures."""
    if one := found.get("engines"):
        pages, seconds = one["pages"], one["seconds"]
        print(f"{pages:,} pages, {one['bytes'] / pages / 1024:,.0f} KiB a page\n")
        print(f"{'part':14}{'ms a page':>10}{'pages/s/core':>14}{'to trafilatura':>16}{'failed':>8}")
        for name, spent in sorted(seconds.items(), key=lambda entry: entry[1]):
            print(f"{name:14}{spent / pages * 1000:10.3f}{pages / spent:14,.1f}", end="")
            engine = name in ENGINES
            ratio = f"{seconds['trafilatura'] / spent:.1f}" if engine and "trafilatura" in seconds else ""
            print(f"{ratio:>16}{one['failed'].get(name, 0) if engine else '':>8}")
    if one := found.get("job"):
        print(f"\njob: {one['records']:,} records in {one['archives']} archives, {one['documents']:,} documents")
        print(f"{one['seconds']:.1f} s (start included), {one['pages_per_second']:,.1f} pages/s", end=", ")
        parts = ", ".join(f"{name} {size / MIB:,.0f}" for name, size in sorted(one["peak_parts"].items()))
        print(f"peak memory {one['peak_bytes'] / MIB:,.0f} MiB (PSS; {parts})")
        if peer := one.get("peer"):
            print(f"peer: {peer['documents']:,} documents, {peer['seconds']:.1f} s, {peer['ratio']:.2f} times ours")
    for one in found.get("memory", []):
        print(f"\nan archive of {one['gib']:.3f} GiB, {one['pages']:,} pages: {one['seconds']:.1f} s", end=", ")
        print(f"worker and extraction process {one['peak_bytes'] / MIB:,.0f} MiB at most (PSS)", end=", ")
        print(f"the larger {one['largest_process_bytes'] / MIB:,.0f} MiB", end=", ")
        print("below 1 GB" if one["peak_bytes"] < LIMIT else "NOT below 1 GB")


def body(argv: Sequence[str] | None) -> None:
    given = list(sys.argv[1:] if argv is None else argv)
    if given[:1] == ["--read"]:
        return read_one(Path(given[1]), Path(given[2]))
    own, flags = (given[: given.index("--")], given[given.index("--") + 1 :]) if "--" in given else (given, [])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("web", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--engine-pages", type=int, default=0, metavar="N", help="spread over WEB; 0: all")
    parser.add_argument("--pages", type=int, default=20_000, help="of the job")
    parser.add_argument("--archives", type=int, default=16, help="of the job")
    parser.add_argument("--master", default="local[2]")
    parser.add_argument("--gib", type=float, default=1.0, help="size of the archive that the worker reads")
    parser.add_argument("--peer", metavar="PYTHON")
    parser.add_argument("--peer-tool", metavar="FILE")
    parser.add_argument("--lid", metavar="MODEL", help="language model of the peer")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--keep", action="store_true")
    args = parser.parse_args(own)
    if args.peer and not (args.peer_tool and args.lid):
        raise UserError("--peer needs --peer-tool and --lid")
    work = args.work.absolute()
    claim(work)
    archives_of(args.web)
    found: dict[str, Any] = {"flags": list(flags), "master": args.master}
    if "engines" in args.parts:
        found["engines"] = engines(args.web, args.engine_pages)
    if "job" in args.parts:
        found["job"] = job(args, work, flags)
    if "memory" in args.parts:
        found["memory"] = memory(args, work)
    report(found)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")
    if not args.keep:
        for part in ("archives", "root", "peer", "out"):
            shutil.rmtree(work / part, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(run_to_exit_status(body, None))
