"""Whole runs with next-sentence and sentence-order prediction beside masked words."""

import json
from pathlib import Path
from typing import Any

import pytest
from training_runs import assert_same_run, log, pretrain, weights
from translations import translations, write_translations

from schemas.errors import UserError
from train.config.load import load_config
from train.loop.dry_run import estimate

NAMES = ["eng_Latn", "rus_Cyrl", "zho_Hans"]
PAIRS: dict[str, object] = {"objectives.nsp.weight": 1, "objectives.sop.weight": "0.5", "log_every": 2}


@pytest.fixture(scope="module")
def whole(corpus_of_sentences, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run of 6 steps."""
    output = tmp_path_factory.mktemp("runs") / "whole"
    pretrain(corpus_of_sentences.flags(output, **PAIRS))
    return output


def test_stopped_and_resumed_is_the_same_run(corpus_of_sentences, tmp_path: Path, stopped, whole: Path) -> None:
    """Stopped between two lines of the log."""
    flags = corpus_of_sentences.flags(tmp_path, **PAIRS)
    stopped(flags, 3)
    pretrain(flags)
    assert_same_run(tmp_path, whole, 6)
    assert {name.split(".")[1] for name in weights(tmp_path, 6) if name.startswith("modules_of.")} == {"nsp", "sop"}


def test_pairs_do_not_hang_on_the_order_in_which_objectives_are_named(corpus_of_sentences, tmp_path: Path) -> None:
    turned = {name: PAIRS[name] for name in reversed(PAIRS)}
    one, other = (load_config(corpus_of_sentences.flags(tmp_path, **flags)) for flags in (PAIRS, turned))
    assert list(one.objectives) != list(other.objectives) and one.pairs == other.pairs == ("nsp", "sop")


def test_lines_of_the_log(whole: Path) -> None:
    for line in log(whole):
        units = [line["objectives"][name]["units"] for name in ("nsp", "sop")]
        assert line["pairs"] == sum(units) > 0 and line["singles"] > 0
        assert line["objectives"]["sop"]["weight"] == 0.5
        by_language = [one["objectives"] for one in line["languages"].values() if "objectives" in one]
        for name, total in zip(("nsp", "sop"), units, strict=True):
            assert sum(one[name]["units"] for one in by_language if name in one) == total
    for line in log(whole, "validation"):
        for name in ("nsp", "sop"):
            figures = line["objectives"][name]
            assert figures["units"] > 20 and 0.2 < figures["loss"] < 2 and 0 <= figures["accuracy"] <= 1
            of_each = [one["objectives"][name]["units"] for one in line["languages"].values()]
            assert sum(of_each) == figures["units"]


def test_masked_words_are_validated_as_in_a_run_without_pairs(corpus_of_sentences, tmp_path: Path, whole: Path) -> None:
    """The same documents in the same pieces under the same masks."""
    pretrain(corpus_of_sentences.flags(tmp_path, steps=3, log_every=2))
    (plain,), (first, *_) = log(tmp_path, "validation"), log(whole, "validation")
    assert plain.keys() | {"objectives"} == first.keys() and "objectives" not in plain
    assert plain["masked"] == first["masked"]
    for name, figures in plain["languages"].items():
        assert figures["masked"] == first["languages"][name]["masked"]
    line = log(tmp_path)[0]
    assert "pairs" not in line and "singles" not in line


def test_pairs_of_translations_are_no_pairs_of_the_shards(corpus_of_sentences, tmp_path: Path, whole: Path) -> None:
    """tlm's batches have segments too."""
    text = write_translations(tmp_path / "text", {f"{n[:3]}.txt": t for n, t in translations(60, NAMES).items()})
    flags = PAIRS | {"objectives.tlm.weight": 1, "parallel_text": text, "parallel_pairs": 8, "steps": 2}
    pretrain(corpus_of_sentences.flags(tmp_path / "run", **flags))
    (line,), plain = log(tmp_path / "run"), log(whole)[0]
    assert (line["pairs"], line["singles"]) == (plain["pairs"], plain["singles"])


def test_what_is_told_before_the_first_step(corpus_of_sentences, corpus, tmp_path: Path, capsys) -> None:
    flags = corpus_of_sentences.flags(tmp_path / "run", **PAIRS)
    told = list(estimate(load_config(flags)))
    (line,) = [one for one in told if one.startswith("pairs: ")]
    assert line.endswith("% of 480 sampled documents have two sentences or more; the others are single texts")
    pretrain(corpus_of_sentences.flags(tmp_path / "run", **PAIRS | {"steps": 1}))
    assert line in capsys.readouterr().out.splitlines()
    with pytest.raises(UserError, match="a pair objective on shards without two sentences in any document"):
        pretrain(corpus.flags(tmp_path / "other", **PAIRS))
    assert not (tmp_path / "other" / "metrics.jsonl").exists()


def test_a_run_that_had_no_pairs_cannot_go_on_with_them(corpus_of_sentences, tmp_path: Path) -> None:
    pretrain(corpus_of_sentences.flags(tmp_path, steps=1))
    with pytest.raises(UserError, match="objectives = "):
        pretrain(corpus_of_sentences.flags(tmp_path, **PAIRS | {"steps": 1}))


@pytest.mark.parametrize("name", ["nsp", "sop"])
def test_one_objective_alone(corpus_of_sentences, tmp_path: Path, name: str) -> None:
    settings: dict[str, Any] = {f"objectives.{name}.weight": 1, "steps": 2, "language_mean": "languages"}
    pretrain(corpus_of_sentences.flags(tmp_path, **settings))
    assert list(log(tmp_path)[0]["objectives"]) == ["mlm", name]
    state = json.loads((tmp_path / "checkpoints" / "step-00000002" / "state.json").read_text())
    assert state["identity"]["objectives"] == ["mlm", name]
    assert json.loads((tmp_path / "export" / "lineage.json").read_text())["pair_objective"] == name
