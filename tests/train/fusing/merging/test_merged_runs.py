"""Runs that branch from a run, merged, and gone on with: what `pretrain` writes is what `merge` reads, and back."""

import json
from pathlib import Path

import pytest
import torch
from related_models import tensors
from training_runs import log, pretrain

from train.fuse import main
from train.model_folders.ancestry import digest_of_folder


def test_branches_of_a_run_are_merged_and_gone_on_with(
    finished: Path, corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One branch from the export and one from the checkpoint, which are the same weights."""
    begins = {"one": finished / "export", "two": finished / "checkpoints" / "step-00000006"}
    for name, init in begins.items():
        pretrain(corpus.flags(tmp_path / name, init=init, steps=2, seed=len(init.name), eval_every=2, save_every=2))
        lineage = json.loads((tmp_path / name / "export" / "lineage.json").read_text(encoding="utf-8"))
        assert lineage["parent"]["weights"] == digest_of_folder(begins["one"]) == digest_of_folder(begins["two"])
    pair = [part for name in begins for part in ("--parent", str(tmp_path / name))]
    texts = ["--shards", str(corpus.shards)]
    merged = tmp_path / "merged"
    assert main(["merge", *pair, "--rule", "ties", *texts, "--output", str(merged), "--device", "cpu"]) == 0
    told = json.loads((merged / "lineage.json").read_text(encoding="utf-8"))
    assert told["merge"]["ancestor"]["known_by"] == "weights"
    losses = told["merge"]["losses"]
    assert set(losses) == {"merged", "one", "two"} and set(losses["merged"]) == {"eng_Latn", "rus_Cyrl"}
    pretrain(corpus.flags(tmp_path / "after", init=merged, steps=1, learning_rate=1e-9))
    after = json.loads((tmp_path / "after" / "export" / "lineage.json").read_text(encoding="utf-8"))
    assert after["parent"]["weights"] == told["weights"] == digest_of_folder(merged)
    assert len(log(tmp_path / "after")) == 1
    capsys.readouterr()
    early, late = (finished / "checkpoints" / f"step-0000000{step}" for step in (3, 6))
    flags = ["--parent", str(early), "--parent", str(late), "--rule", "task-arithmetic", "--scale", "1"]
    assert main(["merge", *flags, "--output", str(tmp_path / "steps")]) == 0
    assert "known by the run that made it and its step" in capsys.readouterr().out
    found, expected = tensors(tmp_path / "steps"), tensors(late)
    for name, value in found.items():  # the early one has learnt nothing since itself
        torch.testing.assert_close(value[1:], expected[name][1 : len(value)], atol=1e-6, rtol=0)
