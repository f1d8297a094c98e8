"""Named entities in tagged sentences: spans by conlleval's rules, and their precision, recall and F1."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

OUTSIDE = "O"
Span = tuple[str, int, int]
Tags = Sequence[Sequence[str]]


class EntityScores(NamedTuple):
    """Shares, 0 where nothing is divided."""

    precision: float
    recall: float
    f1: float


def spans_of(tags: Sequence[str]) -> list[Span]:
    """(kind, first tag, behind the last tag), in order, as conlleval (CoNLL-2000) and seqeval's default read them.

    B-X begins a span; I-X goes on with one of kind X, and begins one behind O or another kind; E-X ends one with
    itself, S-X is one of its own (IOBES). A tag without any of these and not O is read as I-: neighbours of the same
    kind are one span.
    """
    found: list[Span] = []
    kind, first, is_open = "", 0, False
    for place, tag in enumerate(tags):
        mark, own = _parts(tag)
        goes_on = is_open and own == kind and mark in ("I", "E")
        if is_open and not goes_on:
            found.append((kind, first, place))
            is_open = False
        if mark and not goes_on:
            kind, first, is_open = own, place, True
        if mark in ("E", "S"):
            found.append((kind, first, place + 1))
            is_open = False
    if is_open:
        found.append((kind, first, len(tags)))
    return found


def entity_counts(right: Tags, given: Tags) -> NDArray[np.int64]:
    """int64 [sentences, 3]: spans that are right and given, given, right; a sum over any sentences is theirs, and what
    `intervals.bootstrap` draws from. ValueError where sentences or their tags are not as many on both sides."""
    if len(right) != len(given):
        raise ValueError(f"{len(right)} sentences with right tags and {len(given)} with given ones")
    rows = []
    for number, (one, other) in enumerate(zip(right, given, strict=True)):
        if len(one) != len(other):
            raise ValueError(f"sentence {number} has {len(one)} right tags and {len(other)} given ones")
        truth, found = set(spans_of(one)), set(spans_of(other))
        rows.append((len(truth & found), len(found), len(truth)))
    return np.array(rows, np.int64).reshape(-1, 3)


def entity_scores(counts: NDArray[np.int64]) -> EntityScores:
    """Of `entity_counts`, summed: micro average over all kinds. 0 where there is no span, as conlleval has it."""
    both, given, right = (int(one) for one in counts.sum(0))
    return EntityScores(_share(both, given), _share(both, right), _share(2 * both, given + right))


def _parts(tag: str) -> tuple[str, str]:
    """(B, I, E, S, or "" outside; kind)."""
    mark, dash, kind = tag.partition("-")
    if dash and mark in ("B", "I", "E", "S"):
        return mark, kind
    return ("", "") if tag == OUTSIDE else ("I", tag)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
