"""Whole runs with adversaries: resumed, on several processes, their probe, and what a user is told."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from teaching import write_teacher
from training_runs import assert_near, assert_same_run, log, pretrain, weights

from train.config.load import load_config
from train.loop.distributed import processes
from train.loop.start import build_trainer
from train.loop.validating import LanguageProbe
from train.model.attention import build_layout
from train.pretrain import main

LANGUAGE, TEACHER = "language_adversary", "teacher_adversary"
SETTINGS: dict[str, object] = {
    "objectives.language_adversary.ratio": 2,
    "objectives.language_adversary.discriminator_size": 16,
    "objectives.teacher_adversary.discriminator_size": 16,
    "optimizer": "muon",
    "ema_decay": 0.5,
    "eval_tokens": 600,
}


@pytest.fixture(scope="module")
def flags(corpus, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[str]]:
    teacher = write_teacher(tmp_path_factory.mktemp("teacher") / "one", corpus.tokenizer)
    setting = {"teachers": f"eng_Latn={teacher}", **SETTINGS}
    return lambda output, **settings: corpus.flags(output, **{**setting, **settings})


@pytest.fixture(scope="module")
def whole(flags: Callable[..., list[str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    output = tmp_path_factory.mktemp("adversarial") / "whole"
    pretrain(flags(output))
    return output


def test_what_is_logged(whole: Path) -> None:
    for line in log(whole):
        found = line["objectives"][LANGUAGE]
        units = {name: of["objectives"][LANGUAGE]["units"] for name, of in line["languages"].items()
                 if LANGUAGE in of.get("objectives", {})}  # fmt: skip
        assert sum(units.values()) == found["units"]
        assert found["majority"] == pytest.approx(max(units.values()) / found["units"])
        assert 0 <= found["accuracy"] <= 1 and found["loss"] > 0
        taught = line["objectives"][TEACHER]
        assert "majority" not in taught and taught["units"] == 2 * units["eng_Latn"]
    for line in log(whole, "validation"):
        probe = line["probe"]
        assert set(probe) == {"accuracy", "balanced_accuracy", "majority", "centred_accuracy", "sequences"}
        assert probe["sequences"] == 20 and 0.5 <= probe["majority"] < 1


def test_the_discriminator_is_saved_and_not_exported(whole: Path) -> None:
    own = {name for name in weights(whole, 6) if name.startswith("modules_of.")}
    assert f"modules_of.{LANGUAGE}.dense.weight" in own and f"modules_of.{TEACHER}.eng_Latn.map.weight" in own
    folder = whole / "checkpoints" / "step-00000006"
    moments = load_file(folder / "optimizer.safetensors")
    assert f"exp_avg.modules_of.{LANGUAGE}.dense.weight" in moments
    assert not any(name.startswith("momentum.modules_of.") for name in moments)
    assert any(name.startswith("momentum.model.") for name in moments)
    assert not any("modules_of" in name for name in load_file(whole / "export" / "model.safetensors"))


def test_the_discriminator_learns_at_its_own_rate(corpus, tmp_path: Path) -> None:
    """With the encoder left alone it tells the languages apart in a few steps."""
    settings = {f"objectives.{LANGUAGE}.reversal": 0, f"objectives.{LANGUAGE}.discriminator_learning_rate": 0.01}
    pretrain(corpus.flags(tmp_path, steps=20, log_every=5, eval_every=20, **settings))
    losses = [line["objectives"][LANGUAGE]["loss"] for line in log(tmp_path)]
    assert losses[-1] < 0.7 < losses[0]
    found = log(tmp_path)[-1]["objectives"][LANGUAGE]
    assert found["accuracy"] > found["majority"]


def test_without_reversal_the_model_learns_as_without_an_adversary(corpus, finished: Path, tmp_path: Path) -> None:
    """Its gradients and their norm are the same, since the discriminator's are clipped by themselves."""
    pretrain(corpus.flags(tmp_path, **{f"objectives.{LANGUAGE}.reversal": 0}))
    ours, theirs = weights(tmp_path, 6), weights(finished, 6)
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value, rtol=0, atol=1e-5)
    assert_near(tmp_path, finished)


def test_stopped_and_resumed_is_the_same_run(whole: Path, flags, tmp_path: Path, stopped) -> None:
    stopped(flags(tmp_path / "two"), 4)
    pretrain(flags(tmp_path / "two"))
    assert_same_run(whole, tmp_path / "two", 6)
    averages = [
        load_file(run / "checkpoints" / "step-00000006" / "ema.safetensors") for run in (whole, tmp_path / "two")
    ]
    assert all(torch.equal(value, averages[1][name]) for name, value in averages[0].items())


def test_a_probe_without_an_adversary(corpus, finished: Path, tmp_path: Path, capsys) -> None:
    """It changes nothing else."""
    pretrain(corpus.flags(tmp_path, probe=True))
    said = [line for line in capsys.readouterr().out.splitlines() if "languages told by a probe" in line]
    lines = log(tmp_path, "validation")
    assert len(said) == len(lines) == 2 and all("probe" in line for line in lines)
    assert [{k: v for k, v in line.items() if k != "probe"} for line in lines] == log(finished, "validation")
    assert log(tmp_path) == log(finished)
    assert all(torch.equal(value, weights(finished, 6)[name]) for name, value in weights(tmp_path, 6).items())


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_the_features_are_the_encoders_of_texts_with_nothing_hidden(corpus, tmp_path: Path, pooling: str) -> None:
    config = load_config(corpus.flags(tmp_path, eval_tokens=5000))
    with processes("cpu") as group:
        trainer = build_trainer(config, group, lambda line: None)
        probe = LanguageProbe(trainer.data.validation["mlm"], 3, pooling)
        features = probe.features(trainer.stepper)
        joint, held_out = trainer.stepper.parallel.joint, trainer.data.validation["mlm"]
        expected = {}
        for pieces in held_out.batches:
            tokens, at = held_out.collate._tokens(pieces, held_out.blocks), 0
            for key, length in zip(pieces.key(1, 0).tolist(), pieces.length.tolist(), strict=True):
                ids = torch.from_numpy(tokens[at : at + length])
                layout = build_layout(np.array([length]), config.model.local_attention, group.device, torch.float32)
                with torch.no_grad():
                    hidden = joint.model.model(ids, torch.arange(length), layout)
                expected[key] = (hidden.mean(0) if pooling == "mean" else hidden[0]).numpy()
                at += length
    found = [key for pieces in probe.held_out.batches for key in pieces.key(1, 0).tolist()]
    assert sorted(found) == sorted(expected) and len(found) >= 20
    for key, row in zip(found, features, strict=True):
        np.testing.assert_allclose(row, expected[key], atol=1e-5)
    few = trainer.data.validation["mlm"].of_each_language(4)
    counts = np.bincount(np.concatenate([one.language for one in few.batches]), minlength=3)
    assert counts.tolist() == [4, 4, 0]


@pytest.fixture
def poor(corpus, tmp_path: Path) -> Callable[..., Path]:
    """The corpus with such epochs, and with validation files of such languages."""

    def make(epochs: dict[str, float], validated: tuple[str, ...]) -> Path:
        root = shutil.copytree(corpus.shards, tmp_path / "sample")
        mixture = json.loads((root / "mixture.json").read_text())
        for name, value in epochs.items():
            mixture["languages"][name]["epochs"] = value
        (root / "mixture.json").write_text(json.dumps(mixture))
        for path in root.glob("data/*/validation-*.parquet"):
            if path.parent.name not in validated:
                path.unlink()
        return root

    return make


ADVERSARY = {f"objectives.{LANGUAGE}.weight": 1}
NEEDS = "objectives.language_adversary needs two languages to tell apart, and zho_Hans alone is shown with a weight"
MISTAKES: list[tuple[dict[str, float], tuple[str, ...], dict[str, Any], str]] = [
    ({"eng_Latn": 0, "rus_Cyrl": 0}, ("eng_Latn", "rus_Cyrl"), ADVERSARY, NEEDS),
    ({}, (), ADVERSARY | {"language_weights": "eng_Latn=0,rus_Cyrl=0"}, NEEDS),
    ({}, (), ADVERSARY | {"language_weights": "eng_Latn=0:0;9:0,rus_Cyrl=0"}, NEEDS),
    ({}, ("eng_Latn",), {"probe": True}, "probe is true, but fewer than two languages have validation documents"),
    ({}, (), {f"objectives.{LANGUAGE}.reversal": -1}, "reversal = '-1': it should be greater than or equal to 0"),
    ({}, (), {f"objectives.{LANGUAGE}.ratio": 0}, "ratio = '0': it should be greater than or equal to 1"),
    ({}, (), {f"objectives.{LANGUAGE}.pooling": "max"}, "pooling = 'max': it should be 'mean' or 'cls'"),
    ({}, (), {f"objectives.{TEACHER}.weight": 1}, "objectives.teacher_adversary has no teacher: give --teachers"),
]


@pytest.mark.parametrize(("epochs", "validated", "settings", "said"), MISTAKES)
def test_mistakes_are_one_line_and_status_2(
    corpus, poor, tmp_path: Path, monkeypatch, capsys, epochs, validated, settings: dict[str, Any], said: str
) -> None:
    shards = poor(epochs, validated)
    monkeypatch.setattr("sys.argv", ["pretrain.py", *corpus.flags(tmp_path / "run", shards=shards, **settings)])
    assert main() == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert not (tmp_path / "run" / "metrics.jsonl").exists()
    monkeypatch.setattr("sys.argv", [*sys.argv, "--dry-run"])
    assert main() == 2
    assert capsys.readouterr().err == error


def test_a_resumed_run_needs_two_languages_too(corpus, tmp_path: Path, stopped, monkeypatch, capsys) -> None:
    stopped(corpus.flags(tmp_path, **ADVERSARY), 4)
    weights = {"language_weights": "eng_Latn=0,rus_Cyrl=0"}
    monkeypatch.setattr("sys.argv", ["pretrain.py", *corpus.flags(tmp_path, **ADVERSARY, **weights)])
    assert main() == 2
    error = capsys.readouterr().err
    assert NEEDS in error and error.count("\n") == 1


def test_a_language_without_validation_leaves_the_probe_out(corpus, poor, tmp_path: Path) -> None:
    """An adversary needs none; a probe of one language says nothing."""
    shards = poor({}, ("eng_Latn",))
    pretrain(corpus.flags(tmp_path / "run", shards=shards, steps=1, **ADVERSARY))
    assert "probe" not in log(tmp_path / "run", "validation")[0]
