"""extract on archives of a web server that throttles, breaks off and lies, and of an object store."""

import gzip
import multiprocessing
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest
from servers import Answer, Server, object_store, web_server
from warcs import warc

from jobs import extract
from pipeline.spark.session import LazySession
from pipeline.stages import extract as stage
from pipeline.store import generations

QUICK = ["--engine", "resiliparse"]


@pytest.fixture
def server() -> Iterator[Server]:
    with web_server() as running:
        yield running


def archive(pages: int, compress: bool = True) -> bytes:
    """A warcinfo-like record and pages of a few scripts."""
    text = "한국어 ไทย ខ្មែរ አማርኛ ქართული: a paragraph that is long enough to be the main text of a page. " * 9
    specs = [
        {"url": f"http://example.org/{n}", "body": f"<html><body><p>{n} {text}</p>".encode()} for n in range(pages)
    ]
    return warc([{"type": "metadata", "http": None, "body": b"x"}, *specs], compress)


def rows(root: Path) -> dict[str, dict[str, Any]]:
    files = generations.files(str(root / "extract"), "inputs")
    found = ds.dataset(list(files.values()), format="parquet").to_table().to_pylist()
    assert len({row["file_path"] for row in found}) == len(found)
    return {row["file_path"]: row for row in found}


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two tries. How long it is else, is a matter of tests/archive/test_fetch.py."""
    monkeypatch.setattr(LazySession, "local_cores", lambda _: 2)
    monkeypatch.setattr("pipeline.archive.fetch.FIRST_WAIT", 0.01)


def test_a_path_list_of_a_server_that_misbehaves(server: Server, no_waiting: None, tmp_path: Path) -> None:
    whole = archive(3)
    good = Answer(body=whole)
    busy = tuple(Answer(status, b"", headers=(("Retry-After", "0"),)) for status in (429, 503, 403))
    piece = ("Content-Range", f"bytes 0-99/{len(whole)}")
    answers = {
        "a/good.warc.gz": [good],
        "a/plain.warc": [Answer(body=archive(5, compress=False))],
        "b/throttled.warc.gz": [busy[0], busy[1], good],
        "b/forbidden.warc.gz": [busy[2], good],
        "c/cut.warc.gz": [Answer(body=whole, send=len(whole) // 2), good],
        "c/reset.warc.gz": [Answer(body=whole, send=len(whole) // 2, reset=True), good],
        "c/range.warc.gz": [Answer(206, whole[:100], headers=(piece,)), good],
        "c/short.warc.gz": [Answer(body=whole, length=len(whole) - 50, pause=0.3)],  # nobody can see through it
        "d/moved.warc.gz": [Answer(302, b"", headers=(("Location", "/elsewhere"),))],
        "d/error.warc.gz": [Answer(body=b"<!DOCTYPE html><title>Sorry</title>" * 99, headers=(("X-A", "b"),))],
        "d/gone.warc.gz": [Answer(404, b"no")],
        "d/refused.warc.gz": [busy[1]],
    }
    server.by_path = {f"x/{path}": found for path, found in answers.items()}
    server.by_path["elsewhere"] = [good]
    server.by_path["x/warc.paths.gz"] = [Answer(body=gzip.compress("\n".join(answers).encode()))]
    flags = ["--input", server.url("x/warc.paths.gz"), "--root", str(tmp_path), "--retries", "2", *QUICK]
    assert extract.main(flags) == 0
    found = rows(tmp_path)
    bad = {"c/short.warc.gz": "truncated", "d/error.warc.gz": "not_an_archive", "d/gone.warc.gz": "missing",
           "d/refused.warc.gz": "unreadable"}  # fmt: skip
    assert {path: row["status"] for path, row in found.items()} == {path: bad.get(path, "ok") for path in answers}
    counted = {path: (row["records"], row["documents"]) for path, row in found.items()}
    expected = {path: (1, 0) if path in bad else (4, 3) for path in answers}
    assert counted == {**expected, "a/plain.warc": (6, 5), "c/short.warc.gz": (4, 2)}
    tries = {path: server.paths.count(f"x/{path}") for path in answers}
    assert tries == {path: 3 if path in ("b/throttled.warc.gz", "d/refused.warc.gz") else len(found)
                     for path, found in answers.items()} | {
        "b/forbidden.warc.gz": 2, "c/cut.warc.gz": 2, "c/reset.warc.gz": 2, "c/range.warc.gz": 2
    }  # fmt: skip

    server.paths.clear()
    server.by_path["x/d/refused.warc.gz"] = [good]
    assert extract.main(flags) == 0
    assert set(server.paths) == {"x/warc.paths.gz", "x/d/refused.warc.gz"}  # only what was refused
    again = rows(tmp_path)
    assert again.pop("d/refused.warc.gz")["documents"] == 3
    assert again == {path: row for path, row in found.items() if path != "d/refused.warc.gz"}
    server.paths.clear()
    assert extract.main(flags) == 0
    assert server.paths == ["x/warc.paths.gz"]


@pytest.mark.parametrize("most", [1, 2])
def test_no_more_connections_than_stated(spark: object, server: Server, tmp_path: Path, most: int) -> None:
    """The session has two cores; each archive is fetched in 0.4 s."""
    server.answers = [Answer(body=archive(1), pause=0.4)]
    names = [server.url(f"{n}.warc.gz") for n in range(6)]
    flags = ["--input", *names, "--root", str(tmp_path), "--max-connections", str(most), *QUICK]
    assert extract.main(flags) == 0
    assert {row["status"] for row in rows(tmp_path).values()} == {"ok"} and len(rows(tmp_path)) == 6
    assert server.most_busy == most


def test_all_workers_parse_though_one_fetches(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page is read when four workers have one in hand, each of another archive: with fewer, none ever is."""
    together = multiprocessing.get_context("fork").Barrier(4, timeout=60)
    read = stage.extract_page

    def read_together(*args: Any) -> Any:
        together.wait()
        return read(*args)

    monkeypatch.setattr(LazySession, "local_cores", lambda _: 4)
    monkeypatch.setattr(stage, "extract_page", read_together)
    server.answers = [Answer(body=archive(1))]
    names = [server.url(f"{n}.warc.gz") for n in range(4)]
    assert extract.main(["--input", *names, "--root", str(tmp_path), "--max-connections", "1", *QUICK]) == 0
    assert {row["documents"] for row in rows(tmp_path).values()} == {1}
    assert server.most_busy == 1


def test_a_store_that_refuses_stops_the_job(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                            monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr(LazySession, "local_cores", lambda _: 2)
    with object_store({}) as bucket:
        (tmp_path / "warc.paths").write_text("\n".join(f"{bucket}-of-nobody/{n}.warc.gz" for n in range(500)))
        assert extract.main(["--input", str(tmp_path / "warc.paths"), "--root", str(tmp_path / "root"), *QUICK]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and "s3://crawl-of-nobody is not there" in said[0]


def test_a_sample_of_a_list(spark: object, server: Server, tmp_path: Path) -> None:
    server.answers = [Answer(body=archive(1))]
    (tmp_path / "warc.paths").write_text("\n".join(server.url(f"{n:03}.warc.gz") for n in range(100)))
    flags = ["--input", str(tmp_path / "warc.paths"), "--root", str(tmp_path), *QUICK]
    assert extract.main([*flags, "--sample", "0.1", "--limit", "2"]) == 0
    few, asked = set(rows(tmp_path)), len(server.paths)
    assert len(few) == asked == 2
    assert extract.main([*flags, "--sample", "0.1", "--limit", "4"]) == 0
    assert few < set(rows(tmp_path)) and len(server.paths) == len(rows(tmp_path)) == 4  # only what is new


def test_an_object_store(submit: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    """In a process of its own, because the engine's Python workers know the environment in which it began."""
    objects = {
        "seg/a.warc.gz": archive(3),
        "seg/b.warc": archive(2, compress=False),
        "seg/c.warc.gz": b"<html>",
    }
    paths = "\n".join([*objects, "seg/gone.warc.gz"])
    with object_store({**objects, "warc.paths.gz": gzip.compress(paths.encode())}) as bucket:
        flags = ["--input", f"{bucket}/warc.paths.gz", "--root", str(tmp_path), "--retries", "0", *QUICK]
        done = submit("extract", *flags)
        assert done.returncode == 0, done.stderr
        found = rows(tmp_path)
        assert {path: (row["status"], row["records"], row["documents"]) for path, row in found.items()} == {
            "seg/a.warc.gz": ("ok", 4, 3),
            "seg/b.warc": ("ok", 3, 2),
            "seg/c.warc.gz": ("not_an_archive", 1, 0),
            "seg/gone.warc.gz": ("missing", 1, 0),
        }
