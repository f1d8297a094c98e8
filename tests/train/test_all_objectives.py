"""All objectives at once, with a language embedding, Muon and averaged weights: one run, however it is broken off or
divided."""

from pathlib import Path
from typing import Any

import pytest
import torch
from everything import every_objective
from safetensors.torch import load_file
from training_runs import assert_near, assert_same_run, log, pretrain

from train.config.objectives import OBJECTIVES


@pytest.fixture(scope="module")
def settings(corpus_of_sentences, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    return every_objective(corpus_of_sentences, tmp_path_factory.mktemp("every"))


@pytest.fixture(scope="module")
def whole(corpus_of_sentences, settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run of 6 steps."""
    torch.set_num_threads(1)
    output = tmp_path_factory.mktemp("runs") / "whole"
    pretrain(corpus_of_sentences.flags(output, **settings))
    return output


def test_each_has_losses_of_each_language(whole: Path) -> None:
    for line in log(whole):
        assert set(line["objectives"]) == set(OBJECTIVES)
        assert all(figures["units"] > 0 and figures["loss"] is not None for figures in line["objectives"].values())
        for language in line["languages"].values():
            assert set(language["objectives"]) <= set(OBJECTIVES)
    assert {"probe", "retrieval", "told_language"} <= set(log(whole, "validation")[-1])


def test_stopped_and_resumed_is_the_same_run(corpus_of_sentences, settings, stopped, whole: Path, tmp_path) -> None:
    flags = corpus_of_sentences.flags(tmp_path, **settings)
    stopped(flags, 3)
    pretrain(flags)
    assert_same_run(tmp_path, whole, 6)


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_two_processes_and_then_one(
    corpus_of_sentences, settings, program, whole: Path, tmp_path: Path, parallel: str
) -> None:
    """Of each objective the losses, units and weights, and what validation says, are those of one process all along."""
    changed = settings | {"parallel": parallel, "watchdog_seconds": 60}
    run = program(corpus_of_sentences.flags(tmp_path, **changed), 2)
    said = run.communicate(timeout=240)
    assert run.returncode == 0, said
    assert_alike(tmp_path, whole)
    exports = [load_file(folder / "export" / "model.safetensors") for folder in (tmp_path, whole)]
    assert exports[0].keys() == exports[1].keys()
    assert all((value - exports[1][name]).abs().max() < 1e-4 for name, value in exports[0].items())
    (tmp_path / "checkpoints" / "latest").write_text("step-00000003\n")
    pretrain(corpus_of_sentences.flags(tmp_path, **changed))
    assert_alike(tmp_path, whole)


def assert_alike(one: Path, other: Path) -> None:
    assert_near(one, other)
    for mine, theirs in zip(log(one), log(other), strict=True):
        assert (mine["pairs"], mine["singles"]) == (theirs["pairs"], theirs["singles"])
        assert_figures(mine["objectives"], theirs["objectives"])
    for mine, theirs in zip(log(one, "validation"), log(other, "validation"), strict=True):
        assert_figures(mine["objectives"], theirs["objectives"])
        assert mine["probe"] == pytest.approx(theirs["probe"], abs=1e-3)
        assert mine["retrieval"]["accuracy"] == pytest.approx(theirs["retrieval"]["accuracy"], abs=1e-3)
        assert mine["told_language"]["loss"] == pytest.approx(theirs["told_language"]["loss"], abs=1e-5)


def assert_figures(ones: dict[str, Any], others: dict[str, Any]) -> None:
    assert ones.keys() == others.keys()
    for name, figures in ones.items():
        assert figures["units"] == others[name]["units"]
        assert figures["loss"] == pytest.approx(others[name]["loss"], abs=1e-5)
