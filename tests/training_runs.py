"""Whole runs of the trainer in this process, and what they leave."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from train.config.load import load_config
from train.pretrain import train as run_training

TIMING = {"tokens_per_second", "data_wait", "seconds"}


def pretrain(flags: list[str]) -> None:
    run_training(load_config(flags))


def log(output: Path, split: str = "train") -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{k: v for k, v in line.items() if k not in TIMING} for line in lines if line["split"] == split]


def weights(output: Path, step: int) -> dict[str, torch.Tensor]:
    return load_file(output / "checkpoints" / f"step-{step:08d}" / "model.safetensors")


def assert_same_run(one: Path, other: Path, step: int) -> None:
    """Bit for bit: weights, moments, counters and every figure of the log."""
    left, right = weights(one, step), weights(other, step)
    assert left.keys() == right.keys()
    assert all(torch.equal(left[name], right[name]) for name in left)
    moments = [load_file(run / "checkpoints" / f"step-{step:08d}" / "optimizer.safetensors") for run in (one, other)]
    assert moments[0].keys() == moments[1].keys()
    assert all(torch.equal(value, moments[1][name]) for name, value in moments[0].items())
    for split in ("train", "validation"):
        assert log(one, split) == log(other, split)


def assert_near(one: Path, other: Path) -> None:
    for split in ("train", "validation"):
        left, right = log(one, split), log(other, split)
        assert [line["step"] for line in left] == [line["step"] for line in right]
        for mine, theirs in zip(left, right, strict=True):
            assert mine["loss"] == pytest.approx(theirs["loss"], abs=1e-5)
            assert mine["masked"] == theirs["masked"] and mine.get("tokens") == theirs.get("tokens")
            if split == "train":
                assert mine["grad_norm"] == pytest.approx(theirs["grad_norm"], rel=1e-4)
