"""extract of single records by an index gives the documents of the whole archives that the index means, and fetches
little else."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from indexes import rows_of, write_index
from programs import ARCHIVE, job_environment, submit_command
from servers import Archives, archive_server
from warcs import warc

from jobs import corpus, extract
from pipeline.store import generations, run_records

SAMPLE = (ARCHIVE / "sample.warc.gz").read_bytes()
LANGUAGES = {code: code for code in ("swa", "tha", "amh", "zho", "eng")}
QUICK = ["--engine", "resiliparse", "--page-seconds", "2"]
SWAHILI = "content_languages like 'swa%'"


def small(first: int) -> bytes:
    """Thirty pages, every fifth of them in Swahili by its address."""
    text = "ไทย ខ្មែរ አማርኛ ქართული 한국어: a paragraph that is long enough to be the main text of a page. " * 9
    pages: list[dict[str, Any]] = []
    for n in range(first, first + 30):
        pages.append({"type": "request", "url": f"http://h{n % 3}.example/{n}", "http": None, "body": b"GET /"})
        place = "swa" if n % 5 == 0 else "eng"
        pages.append({"url": f"http://h{n % 3}.example/{place}/{n}", "body": f"<p>{n} {text * (1 + n % 4)}".encode()})
    return b"".join(warc([page]) for page in pages)


FILES = {
    "crawl-data/CC-MAIN-2026-30/a/sample.warc.gz": SAMPLE,
    "crawl-data/CC-MAIN-2026-30/a/one.warc.gz": small(0),
    "crawl-data/CC-MAIN-2026-30/b/one.warc.gz": small(100),
    "crawl-data/CC-MAIN-2026-30/b/two.warc.gz": small(200),
}
ROWS = [row for name, data in FILES.items() for row in rows_of(name, data, LANGUAGES)]


@pytest.fixture
def server() -> Iterator[Archives]:
    with archive_server(FILES) as running:
        yield running


@pytest.fixture
def index(tmp_path: Path) -> Path:
    write_index(tmp_path / "index" / "crawl=CC-MAIN-2026-30" / "subset=warc", ROWS)
    return tmp_path / "index"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, spark: object) -> dict[str, list[dict[str, Any]]]:
    """The tables of reading all archives whole, by a path list on a local disk."""
    crawl = tmp_path_factory.mktemp("crawl")
    for name, data in FILES.items():
        (crawl / name).parent.mkdir(parents=True, exist_ok=True)
        (crawl / name).write_bytes(data)
    (crawl / "warc.paths").write_text("\n".join(FILES))
    assert extract.main(["--input", str(crawl / "warc.paths"), "--root", str(crawl / "root"), *QUICK]) == 0
    return {table: rows(crawl / "root", table) for table in ("documents", "skipped")}


def rows(root: Path, table: str) -> list[dict[str, Any]]:
    files = list(generations.files(str(root / "extract"), table).values())
    found = ds.dataset(files, format="parquet").to_table().to_pylist()
    return sorted(found, key=lambda row: (row["file_path"], row.get("offset") or 0))


def of(given: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    places = {(row["warc_filename"], row["warc_record_offset"]) for row in wanted}
    return [row for row in given if (row["file_path"], row["offset"]) in places]


def record(root: Path) -> dict[str, Any]:
    found = run_records.finished(str(root / "extract"))
    assert found is not None
    return dict(found)


def chosen(part: str) -> list[dict[str, Any]]:
    return [row for row in ROWS if row["content_languages"] == part]


def test_documents_are_those_of_whole_reading(
    whole: dict[str, list[dict[str, Any]]], server: Archives, index: Path, tmp_path: Path
) -> None:
    root, wanted = tmp_path / "root", [row for row in ROWS if row["content_languages"] in ("swa", "tha", "amh")]
    where = "content_languages in ('swa', 'tha', 'amh') and crawl = 'CC-MAIN-2026-30'"
    flags = ["--index", str(index), "--where", where, "--prefix", server.url(), *QUICK, "--range-gap-bytes", "0"]
    assert extract.main([*flags, "--root", str(root)]) == 0
    assert len(of(whole["documents"], wanted)) > 20
    for table, found in whole.items():
        assert rows(root, table) == of(found, wanted)
    receipts = {row["file_path"]: row for row in rows(root, "inputs")}
    assert receipts.keys() == FILES.keys()
    for name, receipt in receipts.items():
        mine = [row for row in wanted if row["warc_filename"] == name]
        assert receipt["asked"] == receipt["records"] == len(mine)
        assert receipt["size"] == sum(row["warc_record_length"] for row in mine)
    ledger = json.loads((root / "extract" / "_ledger.json").read_text())
    assert ledger["rows_in"] == len(wanted) and ledger["rows_out"] == len(of(whole["documents"], wanted))
    asked = sum(row["warc_record_length"] for row in wanted)
    assert server.bytes_sent() == asked < sum(map(len, FILES.values())) / 4
    assert not list(root.rglob("_places"))

    requests = len(server.asked)
    server.asked.clear()
    assert extract.main([*flags, "--root", str(root)]) == 0  # up to date: neither index nor archives are read
    assert server.asked == []
    other = tmp_path / "coalesced"
    assert extract.main([*flags[:-1], "4000", "--root", str(other)]) == 0
    assert rows(other, "documents") == rows(root, "documents")
    assert len(server.asked) < requests / 2 and asked < server.bytes_sent() < sum(map(len, FILES.values())) / 2


@pytest.mark.parametrize("most", [1, 2])
def test_no_more_connections_than_stated(
    server: Archives, index: Path, tmp_path: Path, spark: object, most: int
) -> None:
    server.pause = 0.05
    flags = ["--index", str(index), "--where", SWAHILI, "--prefix", server.url(), *QUICK, "--range-gap-bytes", "0"]
    assert extract.main([*flags, "--root", str(tmp_path / "root"), "--max-connections", str(most)]) == 0
    assert server.most_busy == most  # the session has two cores


def test_what_cannot_be_had_has_a_reason(
    whole: dict[str, list[dict[str, Any]]], server: Archives, tmp_path: Path, spark: object
) -> None:
    gone, refused, moved, good = FILES
    wanted = [dict(row) for row in chosen("swa")]
    of_moved = [row for row in wanted if row["warc_filename"] == moved]
    for row in of_moved[:2]:
        row["warc_record_offset"] += 5
    server.files = {name: data for name, data in FILES.items() if name != gone}
    server.refusals = {refused: [0, 500]}  # the first range, then none
    index = write_index(tmp_path / "index", wanted)
    root = tmp_path / "root"
    flags = ["--index", str(index), "--prefix", server.url(), "--retries", "0", "--root", str(root)]
    flags += ["--range-gap-bytes", "0", *QUICK]
    assert extract.main(flags) == 0
    receipts = {row["file_path"]: row for row in rows(root, "inputs")}
    told = {
        name: {entry["reason"]: entry["count"] for entry in receipt["counts"]} for name, receipt in receipts.items()
    }
    counts = {name: sum(row["warc_filename"] == name for row in wanted) for name in FILES}
    assert told == {
        gone: {"missing": counts[gone]},
        refused: {None: 1, "unreadable": counts[refused] - 1},
        moved: {None: counts[moved] - 2, "not_there": 2},
        good: {None: counts[good]},
    }
    assert {name: receipt["status"] for name, receipt in receipts.items()} == {
        gone: "missing", refused: "unreadable", moved: "not_there", good: "ok"
    }  # fmt: skip
    lost = {(row["file_path"], row["offset"]): row["reason"] for row in rows(root, "skipped")}
    assert len(lost) == counts[gone] + counts[refused] - 1 + 2

    server.refusals.clear()
    server.asked.clear()
    before = record(root)
    assert extract.main(flags) == 0  # what a store refused is asked again, and nothing else
    assert {path for path, _, _ in server.asked} == {refused}
    assert {row["file_path"]: row["documents"] for row in rows(root, "inputs")}[refused] == counts[refused]
    assert record(root)["fingerprint"] != before["fingerprint"]


def test_whole_and_asked_are_two_things(
    server: Archives, index: Path, tmp_path: Path, spark: object, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same archives by other expressions are read anew, and those of another are no part of this table."""
    root = tmp_path / "root"
    flags = ["--index", str(index), "--prefix", server.url(), "--root", str(root), *QUICK]
    one, two = (f"url like '%/{place}/%' and warc_filename like '%one%'" for place in ("swa", "eng"))
    assert extract.main([*flags, "--where", one]) == 0
    first = rows(root, "documents")
    assert len(first) == 12
    assert extract.main([*flags, "--where", two]) == 0
    assert len(rows(root, "documents")) == 48 and len(rows(root, "inputs")) == 2
    assert extract.main([*flags, "--where", one + " and warc_filename like '%/a/%'"]) == 2
    assert "--replace" in capsys.readouterr().err
    assert extract.main([*flags, "--where", one, "--replace"]) == 0
    assert rows(root, "documents") == first
    whole = [server.url(name) for name in FILES if "one" in name]
    assert extract.main(["--input", *whole, "--root", str(root), *QUICK]) == 2
    assert extract.main(["--input", *whole, "--root", str(root), "--engine", "resiliparse", "--replace"]) == 0
    assert len(rows(root, "documents")) == 60


def test_a_later_crawl_joins(server: Archives, tmp_path: Path, spark: object) -> None:
    root = tmp_path / "root"
    names = list(FILES)
    crawls = [
        write_index(tmp_path / f"{n}", [row for row in chosen("swa") if row["warc_filename"] == names[n + 1]])
        for n in range(2)
    ]
    flags = ["--where", SWAHILI, "--prefix", server.url(), "--root", str(root), *QUICK]
    assert extract.main(["--index", str(crawls[0]), *flags]) == 0
    server.asked.clear()
    assert extract.main(["--index", str(crawls[1]), *flags]) == 0
    assert {row["file_path"] for row in rows(root, "inputs")} == {names[1], names[2]}
    assert {path for path, _, _ in server.asked} == {names[2]}
    assert len(rows(root, "documents")) == 12


def test_fewer_archives_by_sample_and_limit(server: Archives, index: Path, tmp_path: Path, spark: object) -> None:
    flags = ["--index", str(index), "--where", SWAHILI, "--prefix", server.url(), *QUICK]
    flags += ["--root", str(tmp_path / "root")]
    assert extract.main([*flags, "--limit", "1"]) == 0
    assert {path for path, _, _ in server.asked} == {min(FILES)}
    server.asked.clear()
    assert extract.main([*flags, "--limit", "2"]) == 0
    assert {path for path, _, _ in server.asked} == {sorted(FILES)[1]}
    assert len(rows(tmp_path / "root", "inputs")) == 2


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--index", "{index}", "--input", "x.warc.gz"], "--input and --index: give one of them"),
        (["--where", "true", "--input", "x.warc.gz"], "--where chooses records of an index"),
        (["--index", "{index}", "--where", "langs = 'swa'"], "the index has no column langs"),
        (["--index", "{index}", "--where", "fetch_status = 999"], "true of no record"),
        (["--index", "{index}", "--where", SWAHILI], "--prefix"),
        (["--index", "{none}"], "has no column 'warc_filename'"),
        (["--index", "{index}x"], "no such table"),
        (["--index", "{index}", "--where", SWAHILI, "--prefix", "/nowhere"], "--prefix"),
        ([], "--input ARCHIVES, or --index INDEX"),
    ],
)
def test_bad_input(
    flags: list[str], words: str, index: Path, tmp_path: Path, spark: object, capsys: pytest.CaptureFixture[str]
) -> None:
    none = tmp_path / "none.parquet"
    pq.write_table(pq.read_table(next(index.rglob("*.parquet"))).select(["url"]), none)
    given = [flag.format(index=index, none=none) for flag in flags]
    assert corpus.main([*given, "--root", str(tmp_path / "root")]) == 2
    (line,) = (line for line in capsys.readouterr().err.splitlines() if line.startswith("error: "))
    assert words in line
    assert not list((tmp_path / "root").rglob("*.parquet"))


def test_the_pipeline_begins_with_it(
    server: Archives, index: Path, tmp_path: Path, spark: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus, "RUNS", {})
    monkeypatch.setattr(corpus, "write_report", lambda root: "none")
    flags = ["--index", str(index), "--where", SWAHILI, "--prefix", server.url(), "--limit", "2", *QUICK]
    assert corpus.main([*flags, "--root", str(tmp_path / "root")]) == 0
    assert len(rows(tmp_path / "root", "inputs")) == 2


@pytest.mark.faults
def test_a_killed_job_goes_on_archive_by_archive(server: Archives, index: Path, tmp_path: Path) -> None:
    server.pause = 0.3
    root = tmp_path / "root"
    flags = [
        "--index",
        index,
        "--where",
        SWAHILI,
        "--prefix",
        server.url(),
        "--range-gap-bytes",
        "0",
        "--root",
        root,
        *QUICK,
    ]
    command = submit_command("extract", *flags, master="local[1]")
    with subprocess.Popen(command, env=job_environment(), start_new_session=True) as job:
        while len({path for path, _, _ in server.asked}) < 3:
            time.sleep(0.05)
            assert job.poll() is None
        os.killpg(job.pid, signal.SIGKILL)
    done = {path for path, _, _ in server.asked[:-1]} - {server.asked[-1][0]}
    asked = len(server.asked)
    server.pause = 0
    assert subprocess.run(command, env=job_environment()).returncode == 0
    again = {path for path, _, _ in server.asked[asked:]}
    assert again and len(done - again) >= 1
    assert {row["file_path"]: row["status"] for row in rows(root, "inputs")} == dict.fromkeys(FILES, "ok")
    assert len(rows(root, "documents")) == sum(row["documents"] for row in rows(root, "inputs"))
