"""Stretches of a text of one kind, as names, by a model that was fine-tuned for tags."""

from collections.abc import Sequence
from dataclasses import dataclass

from train.benchmarks.examples import Entity
from train.encoders.opened import OpenedModel
from train.encoders.place import BATCH_TOKENS
from train.tasks import token


@dataclass(frozen=True)
class Tagged:
    """entities: by place; they do not overlap."""

    text: str
    entities: tuple[Entity, ...]


def tag(model: OpenedModel, texts: Sequence[str], batch_tokens: int = BATCH_TOKENS) -> list[Tagged]:
    """Long texts are read in parts. UserError where the model has no head for tags."""
    found = token.entities(model, texts, batch_tokens=batch_tokens)
    return [Tagged(text, tuple(entities)) for text, entities in zip(texts, found, strict=True)]
