"""Labels: a model's own, and in what is said of one that it does not know."""

from collections.abc import Collection
from typing import Any

SHOWN = 8


def names_of(config: Any) -> list[str]:
    """Of a model's config, in the order of their numbers."""
    return [str(config.id2label[number]) for number in range(config.num_labels)]


def listed(labels: Collection[str]) -> str:
    """The first of them, for a message."""
    return ", ".join(list(labels)[:SHOWN]) + (", …" if len(labels) > SHOWN else "")


def unknown(what: str, labels: Collection[str]) -> str:
    """what: as in "label 'x'"."""
    return f"{what} is not among those of training ({listed(labels)})"
