"""extract goes on archive by archive: what changed is read, what a store refused is tried again."""

import json
import os
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest
from programs import ARCHIVE
from pyspark.sql import SparkSession
from warcs import HTML, http, plain_record
from xxhash import xxh3_64_intdigest

from jobs import extract
from pipeline.archive import manifest
from pipeline.archive.parts import part_starts
from pipeline.config import ExtractConfig
from pipeline.spark.session import LazySession
from pipeline.spark.tasks import engine_runner
from pipeline.stages import extract as stage
from pipeline.stages import extract_tasks, extract_totals
from pipeline.stages.extract_tasks import Part, planned_tasks
from pipeline.store import generations, storage
from pipeline.store.generations import Generation
from pipeline.workers.processes import process_runner
from pipeline.workers.tasks import TaskRunner
from schemas.records import EXAMPLE_CHARACTERS, EXAMPLES_A_REASON

SMALL = ("sample-truncated.warc.gz", "sample.warc.wet.gz")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "crawl").mkdir()
    for name in SMALL:
        shutil.copy(ARCHIVE / name, tmp_path / "crawl")
    return tmp_path / "crawl"


def current(root: Path) -> Generation:
    return generations.required(str(root / "extract"))


def rows_of(root: Path, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for path in current(root).files(table).values():
        found += ds.dataset(path, format="parquet").to_table().to_pylist()
    return found


def receipts(root: Path) -> dict[str, str]:
    return {row["file_path"]: row["status"] for row in rows_of(root, "inputs")}


def wet_record(url: str) -> bytes:
    """Text, for which no extraction process is started."""
    return plain_record("中文 ไทย አማርኛ".encode(), "Content-Type: text/plain\r\n", "conversion", url)


@pytest.fixture
def three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of three small archives, read by processes of the machine."""
    monkeypatch.setattr(LazySession, "local_cores", lambda _: 2)
    (tmp_path / "three").mkdir()
    for name in "abc":
        pages = (wet_record(f"http://{name}.example/{n}") for n in range(ord(name) - 96))
        (tmp_path / "three" / f"{name}.warc").write_bytes(b"".join(pages))
    return tmp_path / "three"


def whole(root: Path) -> tuple[str, set[str]]:
    """The fingerprint, and the archives that the tables have, once ledger, receipts and rows agree."""
    ledger = current(root).read_json("_ledger.json")
    rows = {table: rows_of(root, table) for table in stage.TABLES}
    assert ledger["tables"] == {table: len(found) for table, found in rows.items()}
    assert ledger["rows_in"] == sum(row["records"] for row in rows["inputs"])
    assert ledger["rows_out"] == len(rows["documents"]) == sum(row["documents"] for row in rows["inputs"])
    archives = {row["file_path"] for row in rows["inputs"]}
    assert {row["file_path"] for row in rows["documents"]} == archives
    return current(root).record()["fingerprint"], archives


ALL = {"three/a.warc", "three/b.warc", "three/c.warc"}


@pytest.mark.parametrize("fewer", [["--limit", "1"], ["--sample", "0.5"]])
def test_fewer_archives_than_before_stay(
    fewer: list[str], three: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "root"
    flags = ["--input", str(three), "--root", str(root)]
    assert extract.main(flags) == 0
    before, files = whole(root), tables_of(root)
    assert before[1] == ALL and len(manifest.manifest([str(three)], sample=0.5)) < 3
    capsys.readouterr()
    assert extract.main([*flags, *fewer]) == 0
    said = capsys.readouterr().out
    assert "up to date" in said and "they stay (--replace takes them out)" in said
    assert whole(root) == before and tables_of(root) == files  # so what clean made of it is up to date, too
    assert extract.main(flags) == 0
    assert "up to date" in capsys.readouterr().out
    assert extract.main([*flags, *fewer, "--replace"]) == 0
    after = whole(root)
    assert after[1] < ALL and after[0] != before[0]
    assert tables_of(root).items() <= files.items()
    assert extract.main([*flags, *fewer]) == 0
    assert whole(root) == after


def test_other_archives_join_those_that_are_there(three: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    assert extract.main(["--input", str(three), "--limit", "2", "--root", str(root)]) == 0
    assert extract.main(["--input", str(three / "c.warc"), "--root", str(root)]) == 0
    assert whole(root)[1] == {"three/a.warc", "three/b.warc", "c.warc"}
    with (three / "c.warc").open("ab") as file:
        file.write(wet_record("http://c.example/more"))
    assert extract.main(["--input", str(three / "c.warc"), "--root", str(root)]) == 0  # of another size: read anew
    assert whole(root)[1] == {"three/a.warc", "three/b.warc", "c.warc"}
    assert sum(name.startswith("inputs/c.warc") for name in tables_of(root)) == 1


def test_archives_of_other_settings_are_not_taken_out_by_the_way(
    three: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "root"
    flags = ["--input", str(three), "--root", str(root)]
    assert extract.main(flags) == 0
    before = whole(root)
    other = [*flags, "--dump", "CC-MAIN-2026-43"]
    assert extract.main([*other, "--limit", "1"]) == 2
    assert "holds 2 archives that are not asked for, such as three/b.warc" in capsys.readouterr().err
    assert whole(root) == before
    assert extract.main(other) == 0
    assert whole(root)[1] == ALL
    assert extract.main([*flags, "--limit", "1", "--replace"]) == 0
    assert whole(root)[1] == {"three/a.warc"}


def test_what_a_killed_run_finished_stays(three: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "root"
    flags = ["--input", str(three), "--root", str(root)]

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(extract_totals, "totals", killed)
        assert extract.main(flags) == 130
    assert extract.main([*flags, "--limit", "1"]) == 0
    assert whole(root)[1] == ALL


def test_more_and_fewer_archives(spark: object, folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    assert extract.main(["--input", str(folder / SMALL[0]), str(folder / SMALL[1]), "--root", str(root)]) == 0
    first = {name: os.stat(path).st_ino for name, path in current(root).files("documents").items()}
    assert extract.main(["--input", str(folder / SMALL[0]), "--root", str(root), "--replace"]) == 0
    left = {name: os.stat(path).st_ino for name, path in current(root).files("documents").items()}
    assert len(left) == 1 and left.items() <= first.items()  # the same file, not read again
    assert receipts(root) == {SMALL[0]: "truncated"}


class Moody(BaseHTTPRequestHandler):
    """Refuses until it is told to serve."""

    serves = False

    def do_HEAD(self) -> None:
        self._answer(b"")

    def do_GET(self) -> None:
        self._answer((ARCHIVE / SMALL[1]).read_bytes())

    def _answer(self, body: bytes) -> None:
        self.send_response(200 if Moody.serves else 500)
        self.send_header("Content-Length", str((ARCHIVE / SMALL[1]).stat().st_size if Moody.serves else 0))
        self.end_headers()
        if Moody.serves:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_what_a_store_refused_is_tried_again(spark: object, folder: Path, tmp_path: Path) -> None:
    """Nothing that the run was asked changes, but the tables do: so does the fingerprint that clean looks at."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Moody)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url, root = f"http://127.0.0.1:{server.server_port}/a.warc.wet.gz", tmp_path / "root"
    flags = ["--input", str(folder), url, "--root", str(root), "--retries", "0"]
    assert extract.main(flags) == 0
    assert receipts(root)[url] == "unreadable"
    before = current(root).record()["fingerprint"]
    Moody.serves = True
    assert extract.main(flags) == 0
    assert receipts(root)[url] == "ok"
    after = current(root).record()["fingerprint"]
    assert after != before
    Moody.serves = False
    assert extract.main(flags) == 0  # up to date: nothing is fetched
    assert receipts(root)[url] == "ok"
    server.shutdown()


def tables_of(root: Path) -> dict[str, bytes]:
    return {
        f"{table}/{name}": Path(path).read_bytes()
        for table in stage.TABLES
        for name, path in current(root).files(table).items()
    }


def test_a_large_archive_in_parts_gives_the_same_files(spark: object, tmp_path: Path) -> None:
    """Byte by byte: a page that holds copies of a record, damage, and an archive that is cut off."""
    words = "".join(f"<p>{n} മലയാളം ኣማርኛ ไทย a paragraph that is long enough to be the main text.</p>" for n in range(9))
    pages = [plain_record(http(HTML + words.encode() * (n % 30)), url=f"http://example.org/{n}") for n in range(60)]
    inside = plain_record(http(HTML + b"\n" + pages[1] * 400), url="http://example.org/copies")
    small, large, broken = (tmp_path / "crawl" / name for name in ("a.warc", "b.warc", "c.warc"))
    small.parent.mkdir()
    small.write_bytes(b"".join(pages[:3]))
    large.write_bytes(b"".join([*pages[:20], inside, *pages[20:]]))
    broken.write_bytes(b"".join([*pages[:30], b"?" * 700, *pages[30:]])[:-20])
    assert [len(part_starts(str(path), 65536)) for path in (small, large, broken)] == [1, 14, 13]
    roots = [tmp_path / "whole", tmp_path / "parts"]
    for root, flags in zip(roots, ([], ["--split-bytes", "65536"]), strict=True):
        assert extract.main(["--input", str(small.parent), "--root", str(root), "--engine", "resiliparse", *flags]) == 0
    whole, parts = map(tables_of, roots)
    assert len(whole) == 9 and whole == parts
    assert receipts(roots[1]) == {"crawl/a.warc": "ok", "crawl/b.warc": "ok", "crawl/c.warc": "corrupt"}
    assert not list(roots[1].rglob("_parts"))
    assert extract.main(["--input", str(small.parent), "--root", str(roots[1]), "--engine", "resiliparse"]) == 0
    assert tables_of(roots[1]) == parts  # split_bytes is no reason to read again


def test_parts_of_a_killed_run_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor taken for those of other cuts; they are known by name, whatever a listing says."""
    path, building = tmp_path / "a.warc", str(tmp_path / "building")
    path.write_bytes(b"".join(wet_record(f"http://a.example/{n}") for n in range(1200)))
    (archive,) = manifest.manifest([str(path)])
    run_tasks = process_runner(1)
    few, many = (
        [part for (part,) in stage.plan(run_tasks, [archive], ExtractConfig(split_bytes=size))]
        for size in (100_000, 65_536)
    )
    assert 1 < len(few) < len(many)
    reading = stage.Reading(ExtractConfig(), None, building)
    stage.read_part(few[0], reading)
    for part in many[:-1]:
        stage.read_part(part, reading)
    monkeypatch.setattr(storage, "listing", lambda *_, **__: {})
    monkeypatch.setattr(stage, "_read_to", None)
    stage.read_part(many[0], reading)
    monkeypatch.undo()
    receipt = Path(building) / "inputs" / stage.file_name(archive)
    assert not receipt.exists()
    stage.read_part(many[-1], reading)
    (row,) = ds.dataset(receipt).to_table().to_pylist()
    assert (row["status"], row["documents"]) == ("ok", 1200)


@pytest.fixture(params=["engine", "processes"])
def run_tasks(request: pytest.FixtureRequest, spark: SparkSession) -> TaskRunner:
    return engine_runner(spark) if request.param == "engine" else process_runner(2)


def test_each_item_is_a_task_and_answers_keep_their_order(run_tasks: TaskRunner) -> None:
    def refuse_seven(item: int) -> int:
        if item == 7:
            raise ValueError("seven is too many")
        return item

    assert run_tasks(lambda item: item * 2, list(range(40))) == list(range(0, 80, 2))
    assert run_tasks(str, []) == []
    with pytest.raises(Exception, match="seven is too many"):
        run_tasks(refuse_seven, list(range(40)))


def test_a_task_tried_again_reads_what_is_left(run_tasks: TaskRunner, folder: Path, tmp_path: Path) -> None:
    found = manifest.manifest([str(folder)])
    building = tmp_path / "building"
    for archive in (found[:1], found):
        before = {file: file.stat().st_ino for file in building.rglob("*.parquet")}
        stage.extract(run_tasks, [[Part(one) for one in archive]], ExtractConfig(), str(building))
        assert len(list((building / "inputs").iterdir())) == len(archive)
        assert before.items() <= {file: file.stat().st_ino for file in building.rglob("*.parquet")}.items()


def test_a_task_an_archive_the_longest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def planned(found: list[manifest.Archive]) -> list[list[int]]:
        tasks = planned_tasks(process_runner(1), found, 100)
        return [[found.index(part.archive) for part in parts] for parts in tasks]

    found = [manifest.Archive(f"{n}.warc", f"https://example.org/{n}.warc", None) for n in range(3)]
    found += [manifest.Archive(f"s{n}.warc", f"s3://crawl/{n}.warc", 5 + n) for n in range(2)]
    found += [manifest.Archive("here.warc", str(tmp_path / "here.warc"), 7)]
    assert planned(found) == [[0], [1], [2], [5], [4], [3]]
    monkeypatch.setattr(extract_tasks, "MANY", 5)
    monkeypatch.setattr(extract_tasks, "TINY_BYTES", 6)
    monkeypatch.setattr(extract_tasks, "TASK_BYTES", 11)
    assert planned(found) == [[0], [1], [2], [5], [4, 3]]
    assert planned(found[:5]) == [[0], [1], [2], [4], [3]]  # no more than many: each its own


def test_totals_are_those_of_the_files(run_tasks: TaskRunner, folder: Path, tmp_path: Path) -> None:
    """By pyarrow over whole tables; archives are added up one by one and in tasks of two."""
    root = tmp_path / "root"
    for number in range(5):
        (folder / f"copy{number}.warc").write_bytes(plain_record(http(HTML + b"<p>one page"), url=f"http://a/{number}"))
    (folder / "none.warc").write_bytes(b"no archive at all")
    assert extract.main(["--input", str(folder), "--root", str(root), "--max-failed-share", "0.5"]) == 0
    inputs, documents, skipped = (
        ds.dataset(root / "extract" / table, format="parquet").to_table().to_pylist()
        for table in ("inputs", "documents", "skipped")
    )
    for size in (1, 2, 50):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(extract_totals, "ARCHIVES_A_TASK", size)
            found = extract_totals.totals(run_tasks, extract_totals.in_generation(current(root)).values())
        assert (found.archives, found.failed) == (len(inputs), 1) == (8, 1)
        assert found.records == sum(row["records"] for row in inputs)
        assert found.documents == found.rows["documents"] == len(documents)
        assert (found.rows["inputs"], found.rows["skipped"]) == (8, len(skipped))
        assert found.worst is not None and found.worst[:2] == ("crawl/none.warc", "not_an_archive")
        assert found.reasons.total() == found.records - found.documents
        for reason, count in found.reasons.items():
            if not reason.startswith("type:"):
                assert count == sum(row["reason"] == reason for row in skipped)
        pages = {None: documents} | {
            reason: rows
            for reason in {row["reason"] for row in skipped}
            if (rows := [row for row in skipped if row["reason"] == reason and row["id"]])
        }
        assert found.picks.keys() == pages.keys()
        for reason, rows in pages.items():
            lowest = sorted(rows, key=lambda row: (xxh3_64_intdigest(row["id"].encode()), row["id"]))[
                :EXAMPLES_A_REASON
            ]
            assert [pick.id for pick in found.picks[reason]] == [row["id"] for row in lowest]
    shown = json.loads((root / "extract" / "_examples.json").read_text())
    assert shown == extract_totals.examples(found)
    texts = {row["id"]: row["text"] for row in documents}
    assert all(one["text"] == texts[one["id"]][:EXAMPLE_CHARACTERS] for one in shown if one["reason"] is None)


def test_engine_and_processes_write_the_same(spark: SparkSession, folder: Path, tmp_path: Path) -> None:
    found, written = manifest.manifest([str(folder)]), []
    for name, run_tasks in (("engine", engine_runner(spark)), ("processes", process_runner(2))):
        building = tmp_path / name
        stage.extract(run_tasks, stage.plan(run_tasks, found, ExtractConfig()), ExtractConfig(), str(building))
        files = list(building.rglob("*.parquet"))
        written.append({str(file.relative_to(building)): file.read_bytes() for file in files})
    assert len(written[0]) == 6 and written[0] == written[1]


def test_file_names_are_seen_by_spark() -> None:
    names = {
        stage.file_name(manifest.Archive(path, "", 1)) for path in ("a/__x.warc", "b/__x.warc", ".y.warc", "語.warc")
    }
    assert len(names) == 4 and not any(name.startswith(("_", ".")) for name in names)
