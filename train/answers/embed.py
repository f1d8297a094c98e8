"""Vectors of texts, with what makes them comparable: pooling, layer, and how the model reads a known sentence."""

import json
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from schemas.errors import UserError
from train.answers.language import Models
from train.answers.texts import Text, batches
from train.answers.vector_files import Making, StoredVectors
from train.encoders.opened import OpenedModel
from train.encoders.vectors import Reading, Vectors
from train.encoders.vectors import embed as vectors_of

PROBE = "Water, 水, ماء, вода, पानी: 1, 2, 3."
"""A text whose vector says which model made a file of vectors, whatever folder it lay in."""
SAME = 0.999  # cosine of two probes; of `tiny` in bfloat16 and float32 0.999999, at steps 1,000 and 1,500 0.87


@dataclass(frozen=True)
class Embedded:
    """vector: float32 [width]."""

    text: str
    vector: Vectors


def embed(model: OpenedModel, texts: Sequence[str], reading: Reading | None = None) -> list[Embedded]:
    """One a text, in order; a text that is longer than the model takes is cut, and counted in the reading."""
    rows = vectors_of(model, texts, reading or Reading())
    return [Embedded(text, row) for text, row in zip(texts, rows, strict=True)]


def embedded(
    models: Models, texts: Iterable[Text], name: Callable[[Sequence[Text]], Sequence[str | None]], reading: Reading
) -> Iterator[tuple[list[Text], Sequence[str | None], Vectors]]:
    """(texts, their languages, float32 [texts, width]), some thousands at a time; memory does not grow with them.

    name: the languages of texts (`train.answers.language.namer`).
    """
    for part in batches(texts):
        languages = name(part)
        rows = models.ask(
            part, languages, lambda model, some: list(vectors_of(model, [text.parts[0] for text in some], reading))
        )
        yield part, languages, np.stack(rows)


def stream(model: OpenedModel, reading: Reading, asked: BinaryIO, told: BinaryIO) -> None:
    """For programs: first a line of JSON, {"probe": the vector of PROBE}; then for each line asked, a JSON list of
    texts, two uint32, rows and width, and the rows, float32; all little-endian."""
    told.write(json.dumps({"probe": probe(model, reading)}).encode() + b"\n")
    told.flush()
    for line in asked:
        rows = vectors_of(model, json.loads(line), reading)
        told.write(struct.pack("<2I", *rows.shape) + rows.astype("<f4").tobytes())
        told.flush()


def making(model: OpenedModel, untold: OpenedModel, reading: Reading) -> Making:
    """What a file of vectors says of itself. untold: the model that no language is told, or
    with a map the model in the pivot's."""
    return Making(model.name, reading.pooling, reading.layer, probe(untold, reading), untold.map_digest)


def check_stored(
    stored: StoredVectors, untold: OpenedModel, reading: Reading, pooling: str | None = None, layer: int | None = None
) -> None:
    """Gives the reading the pooling and the layer that the vectors were made with, where they say it.

    pooling, layer: those that the user asked for. UserError where they are others, and where the vectors are not this
    model's, or brought through another map.
    """
    if not stored.rows:
        raise UserError(f"--vectors {stored.path} has no vector in it: embed its texts again")
    made = stored.making
    if made is not None and made.map != untold.map_digest:
        how = "another --map" if made.map and untold.map_digest else "a --map" if made.map else "no --map"
        raise UserError(
            f"--vectors {stored.path} was made with {how}: search it as it was made, or embed the texts again"
        )
    width = untold.config.hidden_size
    if stored.width != width:
        raise UserError(
            f"--vectors {stored.path} has vectors of {stored.width} numbers, and --model {untold.given} makes {width}: "
            "take the model that made them, or embed the texts again"
        )
    if made is None:
        return
    for flag, asked, was in (("--pooling", pooling, made.pooling), ("--layer", layer, made.layer)):
        if asked is not None and asked != was:
            raise UserError(f"--vectors {stored.path} was made with {flag} {was}: leave {flag} out, or embed again")
    reading.pooling, reading.layer = made.pooling, made.layer  # type: ignore[assignment]
    if cosine(probe(untold, reading), made.probe) < SAME:
        raise UserError(
            f"--vectors {stored.path} was made by another model, {made.model}, than --model {untold.given}: take that "
            "one, or embed the texts again"
        )


def probe(model: OpenedModel, reading: Reading) -> list[float]:
    vector: list[float] = vectors_of(model, [PROBE], Reading(reading.pooling, reading.layer))[0].tolist()
    return vector


def cosine(first: Sequence[float] | Vectors, second: Sequence[float] | Vectors) -> float:
    """0 where one of them is zero."""
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / lengths if lengths else 0.0
