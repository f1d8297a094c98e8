"""What a model is asked and what is right, whatever file it comes from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Task = Literal["sequence", "pair", "token", "span", "embedding"]
TASKS = ("sequence", "pair", "token", "span", "embedding")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an example stands, for messages. row: from 1, a line of a text file, a record of another."""

    file: Path
    row: int

    def __str__(self) -> str:
        return f"{self.file}:{self.row}"


@dataclass(frozen=True, slots=True)
class TextExample:
    """Of `sequence` and `pair`. label: a class, a number for regression (STS-B); None where it is not known.
    second: None in `sequence`. language: "" where nothing says it."""

    text: str
    second: str | None
    label: str | float | None
    language: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class TokenExample:
    """words and their tags, BIO or any others, one each; tags empty where they are not known."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    language: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class SpanExample:
    """answers: (text, its first character in context), none where `impossible` or not known."""

    id: str
    question: str
    context: str
    answers: tuple[tuple[str, int], ...]
    impossible: bool
    language: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class SimilarExample:
    """Of `embedding`: two texts that mean the same, or with a score how much so."""

    first: str
    second: str
    score: float | None
    language: str
    origin: Origin


Example = TextExample | TokenExample | SpanExample | SimilarExample


@dataclass(frozen=True, slots=True)
class ClassAnswer:
    """probabilities: by label, in the model's order; of a regression {"score": value}, which is no probability."""

    label: str
    probabilities: dict[str, float]


@dataclass(frozen=True, slots=True)
class Entity:
    """A stretch of one kind: characters begin to end (behind the last) of the text; probability: its tokens' mean."""

    kind: str
    begin: int
    end: int
    text: str
    probability: float


@dataclass(frozen=True, slots=True)
class SpanAnswer:
    """text is context[begin:end]; "" at 0, 0: no answer. probability: of this span among all that were weighed."""

    text: str
    begin: int
    end: int
    probability: float
