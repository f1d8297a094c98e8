"""How good a model is at a task, by language."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from schemas.errors import UserError
from train.benchmarks.examples import Example, Task
from train.encoders.opened import OpenedModel
from train.encoders.vectors import Pooling, Reading, embed
from train.metrics import correlation, neighbours
from train.tasks import embedding, scored, sequence, span
from train.tasks.scored import How

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
        scored.check_enough(examples)


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
    if task == "embedding":
        return _of_vectors(model, given, metric, max_tokens, pooling)
    asked: Any = (metric,)
    how = How(max_tokens, doc_stride=doc_stride, no_answer=no_answer, intervals=False)
    if task in ("sequence", "pair"):
        if metric == "f1":
            how = replace(how, positive=(positive_of(sequence.labels_of(model)),))
        figures = scored.of_texts(model, given, asked, how)
    elif task == "token":
        figures = scored.of_words(model, given, how, metrics=asked)
    else:
        figures = scored.of_questions(model, given, how)
    return figures[asked[0]]["value"]


def _of_vectors(model: OpenedModel, given: Sequence[Any], metric: str, max_tokens: int, pooling: Pooling) -> float:
    if metric == "retrieval":
        return _found_pairs(model, given, max_tokens, pooling)
    scored.check_enough(given)
    cosines = embedding.predict(model, given, pooling=pooling, max_tokens=max_tokens)
    right: Any = [one.score for one in given]
    return correlation.pearson(right, cosines) if metric == "pearson" else correlation.spearman(right, cosines)


def _found_pairs(model: OpenedModel, examples: Sequence[Any], max_tokens: int, pooling: Pooling) -> float:
    """The share of first texts whose second one is nearer than those of all others."""
    reading = Reading(pooling, max_tokens=max_tokens)
    first = embed(model, [one.first for one in examples], reading)
    second = embed(model, [one.second for one in examples], reading)
    return float(np.mean(neighbours.retrieval_accuracy(first, second)))
