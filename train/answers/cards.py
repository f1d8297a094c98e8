"""An answer as people are shown it, whatever shows it: lines of text with marked spans, and bars."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

from train.answers.answer import Answered
from train.answers.classify import Classified
from train.answers.fill_mask import Filled
from train.answers.follows import Follows
from train.answers.nearest import Neighbours
from train.answers.tag import Tagged
from train.answers.texts import Text

MASK, ANSWER = "mask", "answer"  # kinds of marks of our own


@dataclass(frozen=True)
class Mark:
    """Characters begin to end (behind the last) of a line. kind: which look alike. note: what is written beside it."""

    begin: int
    end: int
    kind: str
    note: str = ""


@dataclass(frozen=True)
class Line:
    """role: what it is, as "question"; "" where that is plain. marks: by place; they do not overlap."""

    text: str
    role: str = ""
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Bar:
    """share: 0 to 1, how much of it is full; None: no bar. figure: the number, written. note: as a language."""

    label: str
    share: float | None
    figure: str
    note: str = ""


@dataclass(frozen=True)
class Bars:
    heading: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Card:
    """place: as `news.txt:3`, "" of arguments. language: "" where it is not known."""

    place: str
    language: str
    lines: tuple[Line, ...]
    bars: tuple[Bars, ...]


def card(text: Text, language: str | None, answer: Any, top_k: int) -> Card:
    """top_k: so many classes at most."""
    lines, bars = _shown(answer, top_k)
    return Card(text.place if text.file else "", language or "", lines, bars)


@singledispatch
def _shown(answer: Any, top_k: int) -> tuple[tuple[Line, ...], tuple[Bars, ...]]:
    raise TypeError(type(answer))


@_shown.register
def _(answer: Filled, top_k: int) -> tuple[tuple[Line, ...], tuple[Bars, ...]]:
    marks = tuple(
        Mark(begin, begin + len(answer.mask_token), MASK) for begin in _places(answer.text, answer.mask_token)
    )
    several = len(answer.masks) > 1
    bars = tuple(
        Bars(
            f"mask {number}" if several else "",
            tuple(Bar(word.word, word.probability, percent(word.probability)) for word in words),
        )
        for number, words in enumerate(answer.masks, 1)
    )
    return (Line(answer.text, marks=marks),), bars


@_shown.register
def _(answer: Classified, top_k: int) -> tuple[tuple[Line, ...], tuple[Bars, ...]]:
    lines = (
        (Line(answer.text),) if answer.second is None else (Line(answer.text, "first"), Line(answer.second, "second"))
    )
    if answer.is_score:
        return lines, (Bars("", tuple(Bar(name, None, f"{x:.3f}") for name, x in answer.probabilities.items())),)
    best = sorted(answer.probabilities.items(), key=lambda one: -one[1])[:top_k]
    return lines, (Bars("", tuple(Bar(name, share, percent(share)) for name, share in best)),)


@_shown.register
def _(answer: Follows, top_k: int) -> tuple[tuple[Line, ...], tuple[Bars, ...]]:
    what = "in this order" if answer.is_order else "follows"
    bar = Bar(what, answer.probability, percent(answer.probability))
    return (Line(answer.first, "first"), Line(answer.second, "second")), (Bars("", (bar,)),)


@_shown.register
def _(answer: Tagged, top_k: int) -> tuple[tuple[Line, ...], tuple[Bars, ...]]:
    marks = [Mark(one.begin, one.end, one.kind, f"{one.kind} {percent(one.probability)}") for one in answer.entities]
    return (Line(answer.text, marks=tuple(marks)),), ()


@_shown.register
def _(answer: Answered, top_k: int) -> tuple[tuple[Line, ...], tuple[Bars, ...]]:
    found = answer.answer
    marks = (Mark(found.begin, found.end, ANSWER),) if found.text else ()
    bar = Bar(found.text or "no answer", found.probability, percent(found.probability))
    return (Line(answer.question, "question"), Line(answer.context, "context", marks)), (Bars("", (bar,)),)


@_shown.register
def _(answer: Neighbours, top_k: int) -> tuple[tuple[Line, ...], tuple[Bars, ...]]:
    bars = []
    for one in answer.neighbours:
        found = one.candidate
        place = f"{found.file}:{found.row}" if found.file else f"row {found.row}"
        label = place if found.text is None else found.text
        bars.append(Bar(label, max(0.0, min(1.0, one.similarity)), f"{one.similarity:.3f}", found.language or ""))
    return (Line(answer.text),), (Bars("", tuple(bars)),)


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _places(text: str, part: str) -> Iterator[int]:
    place = text.find(part)
    while place >= 0:
        yield place
        place = text.find(part, place + len(part))
