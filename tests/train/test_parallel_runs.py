"""Whole runs with translations: stopped and resumed, on two processes, and what a run refuses."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from training_runs import assert_same_run, log, pretrain
from translations import translations, write_translations

from schemas.errors import UserError
from train.config.load import load_config
from train.loop.distributed import Processes
from train.loop.setup import prepare
from train.pretrain import main

LANGUAGES = ["eng_Latn", "rus_Cyrl", "zho_Hans"]
BOTH: dict[str, object] = {"parallel_pairs": 8, "objectives.tlm.weight": 0.5, "objectives.contrastive.weight": 0.3}


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """90 lines of the corpus' three languages, and a file of Thai, which it does not have."""
    lines = translations(90, [*LANGUAGES, "tha_Thai"])
    names = {"eng_Latn": "eng.txt", "rus_Cyrl": "rus.txt.gz", "zho_Hans": "zho_Hans.txt", "tha_Thai": "tha.txt"}
    return write_translations(tmp_path_factory.mktemp("text"), {names[one]: value for one, value in lines.items()})


@pytest.fixture(scope="module")
def whole(corpus, text: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("runs") / "whole"
    pretrain(corpus.flags(output, parallel_text=text, **BOTH))
    return output


def test_three_objectives_are_told_and_the_plan_s_tokens_are_its_own(whole: Path, finished: Path) -> None:
    for line, plain in zip(log(whole), log(finished), strict=True):
        figures = line["objectives"]
        assert list(figures) == ["mlm", "tlm", "contrastive"]
        assert figures["contrastive"]["units"] == 16 and figures["tlm"]["units"] > 8
        assert figures["tlm"]["weight"] == 0.5 and figures["contrastive"]["weight"] == 0.3
        by_language = line["languages"].values()
        for name in ("tlm", "contrastive"):
            there = [entry["objectives"].get(name, {"units": 0})["units"] for entry in by_language]
            assert sum(there) == figures[name]["units"]
        assert line["tokens"] == plain["tokens"] and line["masked"] == plain["masked"]
        for name, entry in line["languages"].items():
            for figure in ("tokens", "share", "documents", "epochs"):
                assert entry[figure] == plain["languages"][name][figure]
    first, last = log(whole)[0]["objectives"], log(whole)[-1]["objectives"]
    assert last["contrastive"]["loss"] < first["contrastive"]["loss"]
    assert last["tlm"]["loss"] < first["tlm"]["loss"]


def test_validation_says_how_often_translations_are_found(whole: Path) -> None:
    for line in log(whole, "validation"):
        found = line["retrieval"]
        assert list(found["pairs"]) == ["rus_Cyrl-eng_Latn", "zho_Hans-eng_Latn"]
        assert found["accuracy"] == pytest.approx(sum(found["pairs"].values()) / 2)
        assert 0 <= found["accuracy"] <= 1
    record = json.loads((whole / "checkpoints" / "step-00000006" / "state.json").read_text())
    assert len(record["identity"]["parallel_text"]) == 64


def test_translations_are_learnt(corpus, text: Path, tmp_path: Path) -> None:
    settings = {"steps": 60, "log_every": 10, "eval_every": 60, "save_every": 99, "global_batch_tokens": 128}
    more: dict[str, object] = {"parallel_text": text, "parallel_pairs": 16, "objectives.contrastive.weight": 2}
    pretrain(corpus.flags(tmp_path, **settings, **more))
    losses = [line["objectives"]["contrastive"] for line in log(tmp_path)]
    assert losses[-1]["loss"] < losses[0]["loss"] - 0.7 and losses[-1]["accuracy"] > losses[0]["accuracy"] + 0.2
    assert log(tmp_path, "validation")[-1]["retrieval"]["accuracy"] > 0.7


@pytest.mark.parametrize("in_step", [3, 4])
def test_stopped_and_resumed_is_the_same_run(
    whole: Path, corpus, text: Path, tmp_path: Path, capsys, stopped: Callable[..., None], in_step: int
) -> None:
    flags = corpus.flags(tmp_path, parallel_text=text, **BOTH)
    stopped(flags, in_step)
    said = capsys.readouterr().out
    assert "parallel text: left out, since no one language of the shards is named so: tha" in said
    assert "sentences of 3 languages" in said
    pretrain(flags)
    assert "sentences of" not in capsys.readouterr().out
    assert_same_run(whole, tmp_path, 6)


def test_a_loader_of_its_own_process_is_the_same_run(whole: Path, corpus, text: Path, tmp_path: Path) -> None:
    pretrain(corpus.flags(tmp_path, parallel_text=text, loader="process", **BOTH))
    assert_same_run(whole, tmp_path, 6)


def test_other_translations_are_not_taken_for_the_old(whole: Path, corpus, text: Path, tmp_path: Path) -> None:
    lines = translations(90, LANGUAGES)
    lines["zho_Hans"][4] = "河"
    other = write_translations(tmp_path / "other", {f"{name}.txt": value for name, value in lines.items()})
    with pytest.raises(UserError, match=r"parallel_text = .* is not what the run was started with: take another"):
        pretrain(corpus.flags(whole, parallel_text=other, **BOTH))
    with pytest.raises(UserError, match="parallel_pairs = 4, but the run was started with 8"):
        pretrain(corpus.flags(whole, parallel_text=text, **(BOTH | {"parallel_pairs": 4})))


TLM: dict[str, object] = {"objectives.tlm.weight": 1}


@pytest.mark.parametrize(
    ("files", "settings", "message"),
    [
        (None, TLM, "the objective tlm learns from translations: give --parallel_text FOLDER"),
        (None, {"objectives.contrastive.pooling": "cls"}, "the objective contrastive learns from translations"),
        (
            {},
            {"objectives.contrastive.pooling": "cls", "parallel_pairs": 1},
            "parallel_pairs = 1, but the objective contrastive needs others",
        ),
        ({}, {}, "but no objective learns from translations: name one, as --objectives.tlm.weight 1"),
        ({}, TLM, "holds lines of no such language"),
        ({"eng.txt": ["a"]}, TLM, "holds lines of one language of the shards alone, eng_Latn"),
        ({"eng.txt": ["a"], "zho.txt": ["河", "光"]}, TLM, "eng.txt has 1 lines and "),
        ({"eng.txt": ["a"], "zho.txt": ["河"]}, TLM, "parallel_pairs = 64 is more than the 1 lines that parallel_text"),
        ({"eng.txt": ["a"], "zho.txt": ["河"]}, TLM | {"parallel_pairs": 0}, "greater than or equal to 1"),
        ("none", TLM, "there is no folder none: point --parallel_text to one"),
    ],
)
def test_what_does_not_fit_is_one_line_and_status_2(
    corpus, tmp_path: Path, monkeypatch, capsys, files: object, settings: dict[str, object], message: str
) -> None:
    given = dict(settings)
    if isinstance(files, dict):
        given["parallel_text"] = write_translations(tmp_path / "text", files)
    elif files:
        given["parallel_text"] = files
    flags = corpus.flags(tmp_path / "run", **given)
    monkeypatch.setattr(sys, "argv", ["pretrain", *flags])
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delitem(os.environ, name, raising=False)
    assert main() == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("pretrain: ") and message in lines[0]
    assert not (tmp_path / "run" / "metrics.jsonl").exists()
    monkeypatch.setattr(sys, "argv", ["pretrain", *flags, "--dry-run"])
    assert main() == 2 and capsys.readouterr().err.splitlines() == lines


def test_processes_that_do_not_divide_the_pairs(corpus, text: Path, tmp_path: Path) -> None:
    config = load_config(corpus.flags(tmp_path, parallel_text=text, parallel_pairs=7, **TLM))
    two = Processes(0, 2, torch.device("cpu"), None)
    with pytest.raises(UserError, match="2 processes do not divide parallel_pairs = 7: make it 8"):
        prepare(config, two, lambda *_: {}, lambda line: None)


def test_a_dry_run_says_what_there_is(corpus, text: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    flags = corpus.flags(tmp_path, parallel_text=text, **BOTH)
    monkeypatch.setattr(sys, "argv", ["pretrain", *flags, "--dry-run"])
    assert main() == 0
    said = capsys.readouterr().out
    assert "parallel text: left out, since no one language of the shards is named so: tha" in said
    assert "parallel text: 86 lines, 240 sentences of 3 languages" in said
