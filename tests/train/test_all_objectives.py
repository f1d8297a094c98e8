"""All objectives at once, with a language embedding, Muon and averaged weights: one run, however it is broken off or
divided."""

from pathlib import Path

import pytest
import torch
from everything import every_objective
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
def test_two_processes_are_near(corpus_of_sentences, settings, program, whole: Path, tmp_path, parallel: str) -> None:
    run = program(corpus_of_sentences.flags(tmp_path, **settings, parallel=parallel), 2)
    said = run.communicate(timeout=120)
    assert run.returncode == 0, said
    assert_near(tmp_path, whole)
