"""extract goes on archive by archive: what changed is read, what a store refused is tried again."""

import json
import shutil
from pathlib import Path

import pyarrow.dataset as ds
import pytest
from programs import ARCHIVE

from jobs import clean, extract
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


def test_what_a_store_refused_is_tried_again(spark: object, folder: Path, tmp_path: Path) -> None:
    """An archive that may not be read is a reason; once it may, the next run reads it and clean is out of date."""
    root, broken = tmp_path / "root", folder / "loop.warc.gz"
    broken.symlink_to(broken)  # ELOOP: an error of the store, for root too
    listed = tmp_path / "warc.paths"
    listed.write_text("\n".join(f"crawl/{name}" for name in (*SMALL, broken.name)))
    assert extract.main(["--input", str(listed), "--root", str(root)]) == 0
    assert receipts(root)["crawl/loop.warc.gz"] == "unreadable"
    assert clean.main(["--root", str(root)]) == 0
    before = json.loads((root / "extract" / "_run.json").read_text())["fingerprint"]
    broken.unlink()
    shutil.copy(ARCHIVE / SMALL[1], broken)
    assert extract.main(["--input", str(listed), "--root", str(root)]) == 0
    assert receipts(root)["crawl/loop.warc.gz"] == "ok"
    assert json.loads((root / "extract" / "_run.json").read_text())["fingerprint"] != before


def test_file_names_are_seen_by_spark() -> None:
    names = {
        stage.file_name(archives.Archive(path, "", 1)) for path in ("a/__x.warc", "b/__x.warc", ".y.warc", "語.warc")
    }
    assert len(names) == 4 and not any(name.startswith(("_", ".")) for name in names)
