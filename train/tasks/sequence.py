"""Single texts and pairs: a class, or a number."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from schemas.errors import UserError
from train.benchmarks.examples import ClassAnswer, TextExample
from train.encoders.batches import Encoded
from train.encoders.opened import OpenedModel
from train.encoders.place import BATCH_TOKENS
from train.tasks.labels import names_of, unknown
from train.tasks.running import Progress, in_parts, limit, outputs

KIND, NEEDS = "AutoModelForSequenceClassification", "classes of texts"
SCORE = "score"  # the only label of a regression


@dataclass(frozen=True)
class Features:
    """targets: numbers of classes, or numbers to come near to; empty without labels."""

    encoded: Encoded
    targets: list[int] | list[float]


def features(
    tokenizer: Any, examples: Sequence[TextExample], max_tokens: int, labels: Sequence[str] | None = None
) -> Features:
    """A text, or both of a pair, cut to `max_tokens` at the ends of the longer one.

    labels: the classes in the model's order, (SCORE,) for a regression, None where no targets are asked for. UserError
    for a label that is not among them, none, or no number.
    """
    seconds = [example.second for example in examples]
    pairs = None if not seconds or seconds[0] is None else [second or "" for second in seconds]
    found = tokenizer([example.text for example in examples], pairs, truncation=True, max_length=max_tokens)
    if labels is None:
        return Features(dict(found), [])
    if tuple(labels) == (SCORE,):
        return Features(dict(found), [_number(example) for example in examples])
    numbers = {label: number for number, label in enumerate(labels)}
    return Features(dict(found), [_class(example, numbers) for example in examples])


def predict(
    model: OpenedModel,
    examples: Sequence[TextExample],
    *,
    max_tokens: int = 0,
    batch_tokens: int = BATCH_TOKENS,
    progress: Progress | None = None,
) -> list[ClassAnswer]:
    """In the order of the examples. max_tokens: texts are cut there; 0: at the model's limit.

    Probabilities as transformers' pipeline has them: softmax over classes, a sigmoid each where several may be right or
    there is only one, a regression's number as it is. UserError where the model has no head for classes.
    """
    longest = limit(model, max_tokens)
    answers: list[ClassAnswer] = []
    for part in in_parts(examples, progress):
        found: dict[int, ClassAnswer] = {}
        encoded = features(model.tokenizer, part, longest).encoded
        for rows, output in outputs(model, KIND, NEEDS, encoded, batch_tokens):
            for row, values in zip(rows.tolist(), _probabilities(model.config, output.logits), strict=True):
                found[row] = answer(model, values)
        answers += [found[row] for row in range(len(part))]
    return answers


def answer(model: OpenedModel, probabilities: Sequence[float]) -> ClassAnswer:
    """By the model's labels; the likeliest is its label, the first of several."""
    names = labels_of(model)
    best = max(range(len(probabilities)), key=probabilities.__getitem__)
    return ClassAnswer(names[best], dict(zip(names, probabilities, strict=True)))


def labels_of(model: OpenedModel) -> list[str]:
    """In the order of the classes. A regression has SCORE."""
    if is_regression(model.config):
        return [SCORE]
    return names_of(model.config)


def is_regression(config: Any) -> bool:
    return config.num_labels == 1 and config.problem_type == "regression"


def _probabilities(config: Any, logits: torch.Tensor) -> list[list[float]]:
    logits = logits.float()
    if is_regression(config):
        values = logits
    elif config.num_labels == 1 or config.problem_type == "multi_label_classification":
        values = logits.sigmoid()
    else:
        values = logits.softmax(-1)
    return values.cpu().tolist()


def _class(example: TextExample, numbers: dict[str, int]) -> int:
    if example.label is None:
        raise UserError(f"{example.origin} has no label: fill it in, or take the row out")
    number = numbers.get(str(example.label))
    if number is None:
        what = unknown(f"label {example.label!r}", numbers)
        raise UserError(f"{example.origin}: {what}: mend it, or take the row out")
    return number


def _number(example: TextExample) -> float:
    if not isinstance(example.label, float | int):
        raise UserError(f"{example.origin}: label {example.label!r} is no number as those of training are: mend it")
    return float(example.label)
