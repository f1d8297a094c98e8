"""How good a model is at a task, by language."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from schemas.errors import UserError
from train.benchmarks.examples import Example, SimilarExample, Task
from train.encoders.opened import OpenedModel
from train.encoders.vectors import Pooling, Reading, embed
from train.metrics import classification, correlation, entities, neighbours, spans
from train.tasks import embedding, sequence, span, token

CLASSES = ("accuracy", "macro_f1", "f1", "matthews")
NUMBERS = ("pearson", "spearman")
NEGATIONS = ("not_", "not ", "non_", "non-", "no_")
METRICS = {
    "sequence": (*CLASSES, *NUMBERS),
    "pair": (*CLASSES, *NUMBERS),
    "token": ("f1", "accuracy"),
    "span": ("f1", "exact_match"),
    "embedding": ("spearman", "pearson", "retrieval"),
}


def metric_for(task: Task, examples: Sequence[Example], metric: str = "") -> str:
    """metric, or the first that suits: accuracy or Pearson of texts, F1 of entities and of answers, Spearman of scored
    pairs, how many pairs find each other of others. UserError for one that does not suit the examples."""
    if metric and metric not in METRICS[task]:
        raise UserError(f"--metric {metric}: --task {task} has {', '.join(METRICS[task])}")
    first: Any = examples[0]
    suited: Sequence[str] = METRICS[task]
    if task in ("sequence", "pair"):
        suited = CLASSES if isinstance(first.label, str) else NUMBERS
    elif task == "embedding":
        suited = ("retrieval",) if first.score is None else NUMBERS[::-1]
    if metric and metric not in suited:
        raise UserError(f"--metric {metric}: for these labels there are {', '.join(suited)}")
    return metric or suited[0]


def check_metric(
    task: Task, metric: str, labels: Sequence[str], examples_by_language: Mapping[str, Sequence[Example]]
) -> None:
    """UserError, before any training, where `score` could not say the metric. labels: the classes of texts."""
    if task in ("sequence", "pair") and metric == "f1":
        positive_of(labels)
    for examples in examples_by_language.values() if metric in NUMBERS else ():
        _check_enough(examples)


def positive_of(labels: Sequence[str]) -> str:
    """The class of two that F1 is of, as GLUE has it: the last by name, as 1 of 0 and 1, but of a class and its
    negation, as `equivalent` and `not_equivalent`, the class. UserError where they are not two."""
    if len(labels) != 2:
        raise UserError(f"--metric f1 is of two classes, and there are {len(labels)}: take macro_f1")
    first, last = sorted(labels)
    return first if last.casefold() in {f"{word}{first.casefold()}" for word in NEGATIONS} else last


def score(
    task: Task,
    model: OpenedModel,
    examples_by_language: Mapping[str, Sequence[Example]],
    metric: str = "",
    *,
    max_tokens: int = 0,
    doc_stride: int = span.STRIDE,
    pooling: Pooling = "mean",
    no_answer: bool | None = None,
) -> dict[str, float]:
    """language -> the metric, from 0 (correlations: -1) to 1. UserError where the model has no head for the task.

    no_answer: whether a question may have none; None: where the model's lineage says so.
    """
    found = {}
    for language, examples in examples_by_language.items():
        name = metric_for(task, examples, metric)
        found[language] = _score(task, model, examples, name, max_tokens, doc_stride, pooling, no_answer)
    return found


def _score(
    task: Task,
    model: OpenedModel,
    given: Sequence[Any],
    metric: str,
    max_tokens: int,
    doc_stride: int,
    pooling: Pooling,
    no_answer: bool | None,
) -> float:
    if task in ("sequence", "pair"):
        answers = sequence.predict(model, given, max_tokens=max_tokens)
        if metric in NUMBERS:
            return _correlation(metric, given, [next(iter(one.probabilities.values())) for one in answers])
        return _of_classes(metric, model, [str(one.label) for one in given], [one.label for one in answers])
    if task == "token":
        right, tags = [one.tags for one in given], token.predict_tags(model, given, max_tokens=max_tokens)
        if metric == "f1":
            return entities.entity_f1(right, tags).f1
        return classification.accuracy([tag for one in right for tag in one], [tag for one in tags for tag in one])
    if task == "span":
        numbered = [replace(one, id=str(number)) for number, one in enumerate(given)]
        told = span.predict(model, numbered, max_tokens=max_tokens, doc_stride=doc_stride, no_answer=no_answer)
        texts = {example.id: one.text for example, one in zip(numbered, told, strict=True)}
        scores = spans.score_spans(texts, numbered)
        return (scores["f1"] if metric == "f1" else scores["exact_match"]) / 100
    if metric == "retrieval":
        return _found_pairs(model, given, max_tokens, pooling)
    cosines = embedding.predict(model, given, pooling=pooling, max_tokens=max_tokens)
    return _correlation(metric, given, cosines)


def _of_classes(metric: str, model: OpenedModel, right: Sequence[str], given: Sequence[str]) -> float:
    if metric == "f1":
        return classification.f1(right, given, positive_of(sequence.labels_of(model)))
    of: Any = {"macro_f1": classification.macro_f1, "matthews": classification.matthews}
    return float(of.get(metric, classification.accuracy)(right, given))


def _correlation(metric: str, examples: Sequence[Any], given: Sequence[float]) -> float:
    _check_enough(examples)
    right: Any = [one.score if isinstance(one, SimilarExample) else one.label for one in examples]
    return correlation.pearson(right, given) if metric == "pearson" else correlation.spearman(right, given)


def _check_enough(examples: Sequence[Any]) -> None:
    if len(examples) < 2:
        raise UserError(f"{examples[0].origin}: a correlation of one example says nothing: give more of that language")


def _found_pairs(model: OpenedModel, examples: Sequence[Any], max_tokens: int, pooling: Pooling) -> float:
    """The share of first texts whose second one is nearer than those of all others."""
    reading = Reading(pooling, max_tokens=max_tokens)
    first = embed(model, [one.first for one in examples], reading)
    second = embed(model, [one.second for one in examples], reading)
    return float(np.mean(neighbours.retrieval_accuracy(first, second)))
