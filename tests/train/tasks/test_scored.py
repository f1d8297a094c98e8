"""Figures of one mechanism, with intervals or without, and labels that differ but for their case."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_encoders import save_encoder
from toy_tasks import made

from train.encoders.opened import open_model
from train.tasks import scored, sequence, token
from train.tasks.scored import How


def test_labels_of_one_name_but_for_case_stay_apart(tmp_path: Path) -> None:
    """By their names as they are where the model has them; else whatever their case."""
    labels = {0: "us", 1: "US"}
    model = open_model(save_encoder("bert", tmp_path / "m", head=sequence.KIND, id2label=labels), device="cpu")
    examples: list[Any] = made("sequence", 20)["eng_Latn"]
    own = [replace(one, label="US" if one.label == "good" else "us") for one in examples]
    told = [one.label for one in sequence.predict(model, own)]
    right = np.mean([one.label == label for one, label in zip(own, told, strict=True)])
    assert scored.of_texts(model, own, ["accuracy"], How())["accuracy"]["value"] == pytest.approx(right)
    assert scored.matched(model, own) == {"us": "us", "US": "US"}
    assert list(scored.matched(model, [replace(one, label="Us") for one in own]).values()) == ["Us"]


def test_without_intervals_figures_are_the_same(tmp_path: Path) -> None:
    labels = {0: "B-LOC", 1: "O"}
    model = open_model(save_encoder("bert", tmp_path / "m", head=token.KIND, id2label=labels), device="cpu")
    examples: list[Any] = made("token", 20)["eng_Latn"]
    found = scored.of_words(model, examples, How(), metrics=("f1", "accuracy"))
    plain = scored.of_words(model, examples, How(intervals=False), metrics=("f1", "accuracy"))
    told = token.predict_tags(model, examples)
    pairs = [pair for one, tags in zip(examples, told, strict=True) for pair in zip(one.tags, tags, strict=True)]
    assert found["accuracy"]["value"] == pytest.approx(np.mean([right == given for right, given in pairs]))
    for name, figure in found.items():
        low, high = figure["low"], figure["high"]
        assert low is not None and high is not None and low <= figure["value"] <= high
        assert plain[name] == {"value": figure["value"], "low": None, "high": None, "count": figure["count"]}  # type: ignore[index]
