"""Vectors of texts, with what makes them comparable: pooling, layer, and how the model reads a known sentence."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from train.encoders.opened import OpenedModel
from train.encoders.vectors import Reading, Vectors
from train.encoders.vectors import embed as vectors_of

PROBE = "Water, 水, ماء, вода, पानी: 1, 2, 3."
"""A text whose vector says which model made a file of vectors, whatever folder it lay in."""
SAME = 0.999  # cosine of two probes of one model: of bfloat16 beside float32 it is 0.9999, of two checkpoints less


@dataclass(frozen=True)
class Embedded:
    """vector: float32 [width]."""

    text: str
    vector: Vectors


def embed(model: OpenedModel, texts: Sequence[str], reading: Reading | None = None) -> list[Embedded]:
    """One a text, in order; a text that is longer than the model takes is cut, and counted in the reading."""
    rows = vectors_of(model, texts, reading or Reading())
    return [Embedded(text, row) for text, row in zip(texts, rows, strict=True)]


def probe(model: OpenedModel, reading: Reading) -> list[float]:
    vector: list[float] = vectors_of(model, [PROBE], Reading(reading.pooling, reading.layer))[0].tolist()
    return vector


def cosine(first: Sequence[float] | Vectors, second: Sequence[float] | Vectors) -> float:
    """0 where one of them is zero."""
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / lengths if lengths else 0.0
