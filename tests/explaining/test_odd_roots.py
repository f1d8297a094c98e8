"""Roots that are half-finished, of another version, of another run, or of an earlier crawl."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from stage_tables import table

from jobs import clean, dedup, explain
from pipeline.explaining.corpus import opened
from pipeline.explaining.telling import Wish, tell_host, tell_url

URL = "https://eng-news.example.com/1"


@pytest.fixture
def root(corpus_root: Path, tmp_path: Path) -> Path:
    shutil.copytree(corpus_root, tmp_path / "root", ignore=shutil.ignore_patterns("vocab", "tokens"))
    return tmp_path / "root"


def edit(path: Path, change: Any) -> None:
    said = json.loads(path.read_text())
    change(said)
    path.write_text(json.dumps(said))


def lines(capsys: pytest.CaptureFixture[str], *argv: object) -> list[str]:
    capsys.readouterr()
    assert explain.main([*map(str, argv)]) == 0
    return capsys.readouterr().out.splitlines()


def starts(said: Sequence[str], word: str) -> list[str]:
    return [line for line in said if line.startswith(word)]


def test_stages_that_have_not_run(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for stage in ("sample", "dedup", "clean"):
        shutil.rmtree(root / stage)
        said = lines(capsys, "--root", root, "--url", URL)
        assert starts(said, stage) == [f"{stage}: has not run on this root, or not to its end"]
        assert starts(said, "extract: document")
        (host,) = tell_host([opened(str(root))], "example.com", Wish())
        assert stage in host.stages and stage not in host.fates
    shutil.rmtree(root / "extract")
    assert explain.main(["--root", str(root), "--url", URL]) == 2
    assert "unfinished" in capsys.readouterr().err


def test_a_stage_made_from_an_earlier_one(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(root / "extract" / "_run.json", lambda said: said.update(fingerprint="another"))
    said = lines(capsys, "--root", root, "--url", URL)
    assert "clean: was made from an earlier extract: run it again" in said and starts(said, "clean: kept")


@pytest.mark.parametrize("lost", ["presets", "for_all_languages", "by_language"])
def test_a_record_of_another_version(root: Path, lost: str, capsys: pytest.CaptureFixture[str]) -> None:
    """No rule and no threshold is made up: the verdict and the signals are told."""
    edit(root / "clean" / "_run.json", lambda said: said["config"].pop(lost))
    said = lines(capsys, "--root", root, "--url", URL)
    assert starts(said, "clean: kept")
    assert starts(said, "  note: the rules that clean ran with cannot be told: its run record is of another version")
    assert not starts(said, "  rules") and "n_words 150" in starts(said, "  in no rule")[0]


def test_thresholds_that_changed_since(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    profile = tmp_path / "own.toml"
    profile.write_text("[by_language.eng]\nmin_words = 40\n")
    assert clean.main(["--root", str(root), "--thresholds", str(profile), "--max-words", "149"]) == 0
    said = lines(capsys, "--root", root, "--url", URL)
    assert starts(said, "clean: dropped, gopher_quality:too_many_words")
    assert "  its rule: n_words > max_words" in said and not starts(said, "  note")
    (few,) = starts(said, "    gopher_quality:too_few_words")
    assert few.endswith(f"n_words 150 | min_words 40 (profile eng of {profile})")
    (many,) = starts(said, "  x gopher_quality:too_many_words")
    assert many.endswith("max_words 149 (config)")
    profile.write_text("[by_language.eng]\nmin_words = 400\n")
    said = lines(capsys, "--root", root, "--url", URL)
    assert f"  note: {profile} changed since clean ran: the thresholds told here may be others" in said
    assert "  note: by the rules as they are now it would be gopher_quality:too_few_words" in said
    profile.unlink()
    said = lines(capsys, "--root", root, "--url", URL)
    assert starts(said, "  note: the rules that clean ran with cannot be told: thresholds") and not starts(said, "  x")


def test_a_threshold_by_language_and_a_rule_of_ones_own(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "own.toml"
    config.write_text(
        "[clean.by_language.eng]\nmin_words = 200\n[clean.rules]\nthin = 'n_words < 151'\n'fineweb:newlines' = 'off'\n"
    )
    assert clean.main(["--root", str(root), "--config", str(config)]) == 0
    said = lines(capsys, "--root", root, "--url", URL)
    (few,) = starts(said, "  x gopher_quality:too_few_words")
    assert few.endswith("min_words 200 (by_language.eng)")
    assert starts(said, "  x rule:thin") and not starts(said, "    fineweb:newlines")


def test_a_list_that_has_the_page(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").write_text("eng-news.example.com\n")
    assert clean.main(["--root", str(root), "--block-lists", str(tmp_path / "mine.txt")]) == 0
    said = lines(capsys, "--root", root, "--url", URL)
    assert starts(said, "clean: dropped, blocked:host") and "  block list of hosts: mine" in said


def test_copies_of_an_earlier_crawl_have_their_addresses(
    root: Path, corpus_root: Path, without_engine: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both roots named, the page that is kept by the earlier one is told by its address; the record of each is told."""
    shutil.rmtree(root / "dedup")
    shutil.rmtree(root / "sample")
    assert dedup.main(["--root", str(root), "--against", str(corpus_root)]) == 0
    kept = next(row for row in table(corpus_root, "dedup/documents") if row["minhash_cluster_size"] == 1)
    alone = lines(capsys, "--root", root, "--url", kept["url"])
    (told,) = starts(alone, "dedup: dropped, exact")
    assert kept["id"] in told and "by the earlier crawl" in told
    both = [opened(str(one)) for one in (root, corpus_root)]
    new, old = tell_url(both, kept["url"], Wish())
    copies = new.stories[0].copies
    assert copies and copies.kept and copies.kept.crawl and copies.kept.url == kept["url"]
    assert old.stories[0].copies and old.stories[0].copies.reason is None
    said = lines(capsys, "--root", root, "--root", corpus_root, "--url", kept["url"])
    assert starts(said, "in ") == [f"in {root}", f"in {corpus_root}"]


def test_a_removed_page_cannot_be_told(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "removed").mkdir()
    (root / "removed" / "0123456789abcdef.json").write_text("{}")
    for flag, value in (("--url", "https://gone.example/"), ("--id", "gone"), ("--host", "gone.example")):
        assert explain.main(["--root", str(root), flag, value]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and "cannot be told from one that was never there" in error


@pytest.mark.parametrize(
    ("flags", "named"),
    [(["--url", "x", "--id", "y"], "not allowed with"), ([], "required"), (["--url", "x", "--most", "0"], "--most 0")],
)
def test_flags(root: Path, flags: list[str], named: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain.main(["--root", str(root), *flags]) == 2
    assert named in capsys.readouterr().err
