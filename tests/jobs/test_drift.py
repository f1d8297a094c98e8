"""This month beside the last: the page, the terminal, the exit status; and the canary, black box."""

import json
import shutil
from pathlib import Path

import pytest
from programs import ARCHIVE, DEMO
from warcs import SHARED, warc

from jobs import clean, corpus, extract, remove, report
from pipeline.exit_status import DRIFTED


@pytest.fixture
def root(corpus_root: Path, tmp_path: Path, without_engine: None) -> Path:
    return shutil.copytree(corpus_root, tmp_path / "root")


def answered(capsys: pytest.CaptureFixture[str], status: int, expected: int = 0) -> tuple[str, str]:
    said = capsys.readouterr()
    assert status == expected, said.err
    return said.out, said.err


def test_a_corpus_beside_itself(root: Path, corpus_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = report.main(["--root", str(root), "--compare", str(corpus_root), "--drift"])
    out, _ = answered(capsys, status)
    assert f"figures have drifted from {corpus_root}" in out and "report   0 of" in out
    page = (root / "report.html").read_text(encoding="utf-8")
    assert '<h2 id="drift">' in page and "has drifted from" in page and "khm_Khmr" in page
    assert "The largest changes" not in page and "stability index" not in out  # nothing has changed
    assert report.main(["--root", str(root)]) == 0
    assert 'id="drift"' not in (root / "report.html").read_text(encoding="utf-8")


def test_a_drift_is_an_exit_status_and_a_line_after_the_page(
    root: Path, corpus_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert clean.main(["--root", str(root), "--min-words", "150"]) == 0
    capsys.readouterr()
    (root / "report.html").unlink()
    out, _ = answered(capsys, report.main(["--root", str(root), "--compare", str(corpus_root)]))
    assert "clean was run with other settings: min_words = 150, before 50" in out
    status = report.main(["--root", str(root), "--compare", str(corpus_root), "--drift"])
    _, err = answered(capsys, status, DRIFTED)
    head, *lines = err.splitlines()
    assert str(root / "report.html") in head and all(line.startswith("drift: ") for line in lines)
    assert any(line.startswith("drift: rule gopher_quality:too_few_words: ") for line in lines)
    assert "dedup of" in out and "made from an earlier clean" in out  # its figures do not count
    page = (root / "report.html").read_text(encoding="utf-8")
    assert page.count('<strong class="warn">drifted</strong>') == len(lines)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--drift"], "name the other corpus, --compare OTHER_ROOT"),
        (["--compare", "{root}"], "that is --root itself"),
        (["--compare", "{root}/extract"], "neither extract nor clean is finished there"),
        (["--compare", "/nowhere/at/all"], "no such folder"),
        (["--compare", "{root}/extract", "--drift", "/no.toml"], "--drift /no.toml: no such file"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    root: Path, flags: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _, err = answered(capsys, report.main(["--root", str(root), *(flag.format(root=root) for flag in flags)]), 2)
    assert words in err and err.count("\n") == 1


def archives(folder: Path, bodies: list[bytes]) -> Path:
    folder.mkdir()
    for number, body in enumerate(bodies):
        (folder / f"{number}.warc.gz").write_bytes(body)
    return folder


def test_a_corpus_without_a_document(
    corpus_root: Path, tmp_path: Path, without_engine: None, capsys: pytest.CaptureFixture[str]
) -> None:
    given = archives(tmp_path / "given", [warc([{"status": "404 Not Found"}])])
    made = tmp_path / "made"
    assert extract.main(["--input", str(given), "--root", str(made)]) == 0 and clean.main(["--root", str(made)]) == 0
    status = report.main(["--root", str(made), "--compare", str(corpus_root), "--drift"])
    _, err = answered(capsys, status, DRIFTED)
    assert err.count("\n") == len(err.splitlines()) > 0


def test_a_canary_comes_back_and_is_not_sent_again(
    tmp_path: Path, without_engine: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is the archive that the smallest share with any takes; the corpus is what it is without a canary."""
    made = ["--input", str(ARCHIVE), "--config", str(DEMO), "--root", str(tmp_path / "root")]
    out, _ = answered(capsys, corpus.main([*made, "--canary", "0.01", "--canary-only"]))
    assert "canary   1 archives came back" in out
    assert sorted(path.name for path in (tmp_path / "root").iterdir()) == ["canary.json"]
    said = json.loads((tmp_path / "root/canary.json").read_text())
    assert said["archives"] == 1 and said["figures"]["kept"][1] > 0
    out, _ = answered(capsys, corpus.main([*made, "--canary", "0.01"]))
    assert "canary   came back before" in out and "report   " in out
    assert (tmp_path / "root/vocab/tokenizer.json").exists() and not (tmp_path / "root/_canary").exists()


def test_a_canary_that_keeps_nothing_stays_and_takedown_knows_it(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(root / "vocab")
    made = ["--input", str(ARCHIVE), "--root", str(root), "--min-words", "50000", "--canary", "0.01"]
    _, err = answered(capsys, corpus.main(made), DRIFTED)
    assert err.startswith("canary: clean keeps none of ") and str(root / "_canary" / "report.html") in err
    assert (root / "_canary/clean/documents").exists() and not (root / "canary.json").exists()
    assert not (root / "vocab").exists()  # the rest has not run
    (tmp_path / "urls.txt").write_text("http://nobody.example/\n")
    takedown = ["--root", str(root), "--urls", str(tmp_path / "urls.txt")]
    out, _ = answered(capsys, remove.main([*takedown, "--dry-run"]))
    assert "_canary, a canary that did not come back, would go whole" in out and (root / "_canary").exists()
    out, _ = answered(capsys, remove.main(takedown))
    assert "_canary, a canary that did not come back, is deleted" in out and not (root / "_canary").exists()


def test_a_canary_of_broken_archives(tmp_path: Path, without_engine: None, capsys: pytest.CaptureFixture[str]) -> None:
    folder = archives(tmp_path / "web", [b"no archive"] * 3)
    made = ["--input", str(folder), "--root", str(tmp_path / "root"), "--canary", "0.9"]
    _, err = answered(capsys, corpus.main(made), DRIFTED)
    assert "archives gave nothing" in err and "Traceback" not in err


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--canary-only"], "give its share"),
        (["--compare", "x"], "give its share"),
        (["--canary", "2"], "no share between 0 and 1"),
        (["--canary", "0.01", "--compare", "/nowhere/at/all"], "no such folder"),
        (["--canary", "0.01", "--drift", "/no.toml"], "no such file"),
    ],
)
def test_flags_of_a_canary(tmp_path: Path, flags: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, err = answered(capsys, corpus.main(["--input", str(ARCHIVE), "--root", str(tmp_path / "root"), *flags]), 2)
    assert words in err and err.count("\n") == 1
    assert not (tmp_path / "root").exists()


@pytest.mark.faults
@pytest.mark.skipif(not (SHARED / "data/web").exists(), reason="needs the shared pages")
def test_a_planted_drift_is_caught_and_two_halves_raise_none(tmp_path: Path, without_engine: None) -> None:
    """On a third of the real pages; all of them, and more halvings: tests/bench/drift.py."""
    from bench import drift

    found = drift.dealt(drift.pages(SHARED / "data/web")[2600:], 16, "pages")
    folder = drift.written(found, tmp_path / "web")
    whole = drift.root_of([folder / name for name in found], tmp_path / "whole")
    for _, result in drift.halvings(folder, whole, [0], tmp_path):
        assert result.judged > 10 and not result.drifted
    for label, pages, result in drift.detections(found, folder, whole, ["eng_Latn", "cmn_Hani"], tmp_path):
        assert pages > 30
        assert {change.key.language for change in result.drifted} & {label}, (label, result.lines())
