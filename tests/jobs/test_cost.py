"""`_cost.json` of stages run by their jobs, and of all."""

import json
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from programs import ARCHIVE, DEMO

from jobs import clean, extract
from pipeline.stages import extract_totals
from schemas.costs import COST, Cost
from schemas.records import STAGES


def cost(folder: Path) -> Cost:
    found: Cost = json.loads((folder / COST).read_text())
    return found


def test_every_stage_says_what_it_took(corpus_root: Path) -> None:
    for stage in STAGES:
        told = cost(corpus_root / stage)
        assert set(told) == set(Cost.__annotations__) and told["stage"] == stage
        assert datetime.fromisoformat(told["began"]).tzinfo
        assert (told["attempts"], told["cores"] >= 1, told["requests"]) == (1, True, 0)
        assert told["seconds"] > 0 and 0 < (told["cpu_seconds"] or 0) < told["seconds"] * 64
        assert (told["peak_bytes"] or 0) > 50 << 20
        files = [file for file in (corpus_root / stage).rglob("*") if file.is_file() and file.name != COST]
        assert told["bytes_written"] == sum(file.stat().st_size for file in files)
    archives = sum(file.stat().st_size for file in ARCHIVE.glob("*.gz"))
    assert (cost(corpus_root / "extract")["bytes_read"] or 0) >= archives
    assert [bool(cost(corpus_root / stage)["shuffle_bytes"]) for stage in STAGES] == [False] * 3 + [True] * 2


def test_a_stage_that_is_up_to_date_leaves_its_cost(corpus_root: Path, tmp_path: Path, without_engine: None) -> None:
    root = tmp_path / "root"
    for stage in ("extract", "clean"):
        shutil.copytree(corpus_root / stage, root / stage)
    flags = ["--root", str(root), "--config", str(DEMO)]
    assert clean.main(flags) == 0
    assert cost(root / "clean") == cost(corpus_root / "clean")
    assert clean.main([*flags, "--min-words", "3"]) == 0  # verdicts alone: a generation, and a cost, of its own
    again = cost(root / "clean" / "g2")
    documents = sum(file.stat().st_size for file in (corpus_root / "clean" / "documents").iterdir())
    whole = cost(corpus_root / "clean")["bytes_written"] or 0
    assert 0 < (again["bytes_written"] or 0) < whole - documents / 2  # no document among them


def test_an_attempt_that_failed_adds_up(tmp_path: Path, without_engine: None, monkeypatch: pytest.MonkeyPatch) -> None:
    flags = ["--input", str(ARCHIVE / "sample-truncated.warc.gz"), "--root", str(tmp_path)]
    with monkeypatch.context() as patch:
        patch.setattr(extract_totals, "totals", _raises)
        with pytest.raises(RuntimeError):
            extract.main(flags)
    first = cost(tmp_path / "extract")
    assert first["attempts"] == 1 and first["bytes_written"] == 0
    assert extract.main(flags) == 0
    both = cost(tmp_path / "extract")
    assert both["attempts"] == 2 and both["began"] == first["began"]
    assert both["seconds"] > first["seconds"] and (both["cpu_seconds"] or 0) > (first["cpu_seconds"] or 0)
    assert (both["bytes_read"] or 0) >= (ARCHIVE / "sample-truncated.warc.gz").stat().st_size
    assert (both["bytes_written"] or 0) > 0


def test_a_run_that_cannot_be_gone_on_from_leaves_none(tmp_path: Path, without_engine: None) -> None:
    (tmp_path / "no.warc").write_bytes(b"no archive")
    assert extract.main(["--input", str(tmp_path / "no.warc"), "--root", str(tmp_path / "root")]) == 2
    assert not list(tmp_path.rglob(COST))


def _raises(*_: Any) -> Any:
    raise RuntimeError("a fault")
