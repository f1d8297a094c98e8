"""Names out of archives and tables become no path: not those of addresses, records, languages, files of a crawl."""

import hashlib
import os
import re
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from warcs import warc

from jobs import clean, dedup, extract, remove, report, sample
from pipeline.archive.manifest import Archive
from pipeline.language import model_files
from pipeline.lists.row_removal import concealed
from pipeline.mixture.document_rows import _check_labels
from pipeline.report.page import write_report
from pipeline.stages.extract import file_name
from schemas.errors import UserError
from schemas.sample import shard_path

HOSTILE = [
    "../../../../etc/passwd", "..\\..\\windows\\system32", "/etc/passwd", "C:\\CON", "NUL", "COM1.warc", "a\0b", "",
    ".", "..", "~/x", "file:///etc/passwd", "．．／．．／etc", "‥/x", "a" * 5000, "語" * 3000, "%2e%2e%2f", "${HOME}",
    "$(touch owned)", "`id`", "-rf", "a;b|c&d", "\u202egnp.exe", "a\nb", "\ud800", "_current.json", ".hidden",
]  # fmt: skip
NAME = st.sampled_from(HOSTILE) | st.text(max_size=60) | st.lists(st.sampled_from(HOSTILE), max_size=4).map("/".join)
TEXT = "There are many pages of the web, and this one of them has enough of words to be kept as a text. "


@given(name=NAME, size=st.none() | st.integers(0, 1 << 40))
def test_an_archive_s_files_are_beside_each_other(name: str, size: int | None) -> None:
    made = file_name(Archive(name, name, size))
    assert re.fullmatch(r"[A-Za-z0-9-]?[\w.-]*\.[0-9a-f]{12}\.parquet", made, re.ASCII) and len(made) < 110
    assert not made.startswith("_")
    assert os.path.basename(made) == made
    assert made != file_name(Archive(name + "x", name, size))


@given(language=NAME, script=NAME)
def test_a_language_that_names_a_folder_is_one_part_of_a_path(language: str, script: str) -> None:
    label = f"{language}_{script}"
    try:
        _check_labels(pa.array([label.encode("utf-8", "replace").decode()]))
    except UserError as error:
        assert "\n" not in str(error) and len(str(error)) < 600
        return
    path = shard_path(*label.split("_", 1), "train", 0, 1)
    assert path.count("/") == 2 and os.path.normpath(path) == path
    assert len(path.split("/")[1].encode()) <= 100


@given(url=NAME)
def test_a_model_s_place_is_in_the_cache(url: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever the URL says: a file right in the folder, or one line."""
    cache = tmp_path_factory.getbasetemp() / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_files, "cache_folder", lambda: cache)
        patch.setattr(model_files, "_fetch", lambda url, place: place)
        try:
            place = model_files._download("https://host.example/" + url, url)
        except UserError as error:
            assert "not downloaded" in str(error)
            return
    assert Path(os.path.normpath(place)).parent == cache


@given(name=NAME)
def test_a_removed_document_s_cluster_has_a_plain_name(name: str) -> None:
    assert re.fullmatch(r"removed:[0-9a-f]{16}", concealed(name))


def below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_an_archive_of_hostile_names_writes_where_it_should(tmp_path: Path, without_engine: None) -> None:
    """From extract to shards and a removal: nothing appears but in the root, and there under our own names only."""
    names = [name.replace("\n", " ").replace("\0", "%00") for name in HOSTILE if name.isprintable()]
    body = f"<html lang='../../x'><body><p>{TEXT * 5}</p></body></html>"
    specs = [
        {
            "url": f"http://host.example/{name}" if number % 2 else name or "x",
            "body": body.replace("many", f"many {number}").encode(),
            "warc": {"WARC-Filename": name, "WARC-Record-ID": name or "x"},
        }
        for number, name in enumerate(names)
    ]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "CC-MAIN-2026-30..%2f..%2fx.warc.gz").write_bytes(warc(specs))
    before, root = below(tmp_path), tmp_path / "root"
    assert extract.main(["--input", str(tmp_path / "in"), "--root", str(root), "--engine", "resiliparse"]) == 0
    for job in (clean, dedup, sample):
        flags = ["--presets", "none"] if job is clean else []
        assert job.main(["--root", str(root), *flags]) == 0
    assert report.main(["--root", str(root)]) == 0
    (tmp_path / "in" / "urls.txt").write_text("http://host.example/%2e%2e%2f\n")
    assert remove.main(["--root", str(root), "--urls", str(tmp_path / "in" / "urls.txt")]) == 0
    made = below(tmp_path) - before - {"root", "in/urls.txt"}
    assert all(name.startswith("root/") for name in made)
    part = r"(?:[a-z_]+|g\d+|[a-z]{2,3}_[A-Z][a-z]{3}|[\w.-]+\.(?:parquet|json|html|md|toml))"
    odd = [name for name in made if not re.fullmatch(rf"root(?:/{part})+", name, re.ASCII)]
    assert odd == []


def test_the_pages_for_people_hold_no_markup_of_strangers(tmp_path: Path, without_engine: None) -> None:
    evil = "<script>alert(1)</script>"
    page = {"url": f"http://host.example/{evil}", "body": f"<html><body><p>&lt;script&gt; {TEXT * 5}".encode()}
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / f"{hashlib.sha256(b'').hexdigest()[:4]}<b>.warc.gz").write_bytes(warc([page]))
    assert extract.main(["--input", str(tmp_path / "in"), "--root", str(tmp_path / "root")]) == 0
    told = Path(write_report(str(tmp_path / "root"))).read_text(encoding="utf-8")
    assert evil not in told and "<b>.warc" not in told
