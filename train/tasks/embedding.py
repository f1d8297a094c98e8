"""Texts that mean the same, or more and less so: the cosine of their vectors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from schemas.errors import UserError
from train.benchmarks.examples import SimilarExample
from train.encoders.batches import Encoded
from train.encoders.opened import OpenedModel
from train.encoders.place import BATCH_TOKENS
from train.encoders.vectors import Pooling, Reading, embed
from train.tasks.running import Progress, in_parts, limit

KIND = "AutoModel"


@dataclass(frozen=True)
class Features:
    """The same rows on both sides. scores: empty where the examples have none."""

    first: Encoded
    second: Encoded
    scores: list[float]


def features(tokenizer: Any, examples: Sequence[SimilarExample], max_tokens: int) -> Features:
    """UserError where some of the examples have a score and others have none."""
    scored = bool(examples) and examples[0].score is not None
    scores = []
    for example in examples:
        if (example.score is not None) != scored:
            lacks = "no score, and the ones before have" if scored else "a score, and the ones before have none"
            raise UserError(f"{example.origin} has {lacks}: give all of them one, or none")
        if example.score is not None:
            scores.append(float(example.score))
    first = tokenizer([example.first for example in examples], truncation=True, max_length=max_tokens)
    second = tokenizer([example.second for example in examples], truncation=True, max_length=max_tokens)
    return Features(dict(first), dict(second), scores)


def predict(
    model: OpenedModel,
    examples: Sequence[SimilarExample],
    *,
    pooling: Pooling = "mean",
    max_tokens: int = 0,
    batch_tokens: int = BATCH_TOKENS,
    progress: Progress | None = None,
) -> list[float]:
    """Cosines, from -1 to 1, in the order of the examples."""
    reading = Reading(pooling, max_tokens=limit(model, max_tokens), batch_tokens=batch_tokens)
    answers: list[float] = []
    for part in in_parts(examples, progress):
        first = embed(model, [example.first for example in part], reading)
        second = embed(model, [example.second for example in part], reading)
        lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
        answers += ((first * second).sum(1) / np.maximum(lengths, 1e-12)).tolist()
    return answers
