"""What a training's examples cannot be, each in one line that names file and row."""

from dataclasses import replace
from typing import Any

import pytest
from toy_tasks import made, training

from schemas.errors import UserError
from train.finetuning.labels import check_known, labels_of
from train.finetuning.settings import FinetuneSettings


def settings(task: Any, **given: Any) -> FinetuneSettings:
    return FinetuneSettings(task=task, **given)


def test_labels_are_sorted_and_numbers_are_a_score() -> None:
    assert labels_of(settings("sequence"), training("sequence", 10)) == ("bad", "good")
    assert labels_of(settings("sequence"), training("number", 10)) == ("score",)
    assert labels_of(settings("token"), training("token", 10)) == ("B-LOC", "O")
    assert labels_of(settings("span"), training("span", 10)) == ()


@pytest.mark.parametrize(
    ("task", "examples", "told"),
    [
        ("sequence", [], "--train has no example"),
        ("sequence", made("sequence", 3, label="a")["eng_Latn"], "eng_Latn.tsv: all 3 examples are of one class, a"),
        ("sequence", [replace(one, label=2.0) for one in training("number", 2)], "all scores are 2.0"),  # type: ignore
        ("pair", [replace(one, label=None) for one in training("pair", 2)], "eng_Latn.tsv:1 has no label"),  # type: ignore
        ("token", [replace(one, tags=("O",) * 5) for one in training("token", 2)], "all words have one tag, O"),  # type: ignore
        ("embedding", made("pairs", 1)["eng_Latn"], "give two or more"),
    ],
)
def test_what_teaches_nothing_is_one_line(task: str, examples: list[Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        labels_of(settings(task), examples)


@pytest.mark.parametrize(
    ("task", "labels", "examples", "told"),
    [
        ("sequence", ("bad", "good"), {}, "--validation has no example: give files with some"),
        ("sequence", ("bad", "good"), {"deu": [], **made("sequence", 2)}, "--validation has no example of deu"),
        (
            "sequence",
            ("bad", "fine"),
            made("sequence", 9),
            r"eng_Latn.tsv:\d: label 'good' is not among .* \(bad, fine\)",
        ),
        ("sequence", ("score",), made("sequence", 9), "eng_Latn.tsv:1: label '.*' is no number"),
        ("token", ("B-PER", "O"), made("token", 2), "eng_Latn.tsv:1: tag 'B-LOC' is not among those of training"),
    ],
)
def test_what_training_has_not_is_one_line(task: str, labels: tuple[str, ...], examples: Any, told: str) -> None:
    with pytest.raises(UserError, match=told):
        check_known(settings(task), labels, examples, "--validation")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"trained": "top:0"}, "--trained top:0: take all, head, top:N"),
        ({"task": "embedding", "trained": "head"}, "--task embedding has no head"),
        ({"seeds": ()}, "--seed: take one or more"),
        ({"seeds": (1 << 63,)}, "--seed: take one or more"),
        ({"learning_rate": float("inf")}, "--learning-rate inf: take a number above 0"),
        ({"batch_size": 0}, "--batch-size 0: take 1 or more"),
        ({"warmup_ratio": 1.5}, "--warmup-ratio 1.5: take a number from 0 up to 1"),
    ],
)
def test_settings_that_cannot_be(given: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        settings(**{"task": "sequence", **given}).check()
