"""extract goes on archive by archive: what changed is read, what a store refused is tried again."""

import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow.dataset as ds
import pytest
from programs import ARCHIVE

from jobs import extract
from pipeline import archives
from pipeline.stages import extract as stage

SMALL = ("sample-truncated.warc.gz", "sample.warc.wet.gz")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "crawl").mkdir()
    for name in SMALL:
        shutil.copy(ARCHIVE / name, tmp_path / "crawl")
    return tmp_path / "crawl"


def receipts(root: Path) -> dict[str, str]:
    rows = ds.dataset(root / "extract" / "inputs", format="parquet").to_table().to_pylist()
    return {row["file_path"]: row["status"] for row in rows}


def test_more_and_fewer_archives(spark: object, folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    assert extract.main(["--input", str(folder / SMALL[0]), str(folder / SMALL[1]), "--root", str(root)]) == 0
    first = {f.name: f.stat().st_ino for f in (root / "extract" / "documents").iterdir()}
    assert extract.main(["--input", str(folder / SMALL[0]), "--root", str(root)]) == 0
    left = {f.name: f.stat().st_ino for f in (root / "extract" / "documents").iterdir()}
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
    before = json.loads((root / "extract" / "_run.json").read_text())["fingerprint"]
    Moody.serves = True
    assert extract.main(flags) == 0
    assert receipts(root)[url] == "ok"
    after = json.loads((root / "extract" / "_run.json").read_text())["fingerprint"]
    assert after != before
    Moody.serves = False
    assert extract.main(flags) == 0  # up to date: nothing is fetched
    assert receipts(root)[url] == "ok"
    server.shutdown()


def test_file_names_are_seen_by_spark() -> None:
    names = {
        stage.file_name(archives.Archive(path, "", 1)) for path in ("a/__x.warc", "b/__x.warc", ".y.warc", "語.warc")
    }
    assert len(names) == 4 and not any(name.startswith(("_", ".")) for name in names)
