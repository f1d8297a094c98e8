"""What learnt models say of a document in clean's table, and what became of documents by it."""

from typing import TypedDict

import pyarrow as pa

SCORES = "_scores.json"  # of clean's generation
PREFIX = "score_"  # and a classifier's name: its column, 0 to 1, a quantile of the document's language
THRESHOLD = f"min_{PREFIX}"  # and a classifier's name: below it a document goes
PERPLEXITY: tuple[tuple[str, pa.DataType, str], ...] = (
    ("perplexity", pa.float64(), "of the language's n-gram model, as cc_net counts it; null without one"),
    ("perplexity_bucket", pa.string(), "head, middle or tail by the quantiles of the language; null without them"),
)


def score_fields(classifiers: tuple[str, ...], perplexity: bool) -> tuple[tuple[str, pa.DataType, str], ...]:
    """Name, type and meaning of the columns that these models give, in the order of the table."""
    scores = tuple(
        (f"{PREFIX}{name}", pa.float64(), f"learnt score {name}: its quantile in the language, 0 to 1")
        for name in classifiers
    )
    return (*scores, *(PERPLEXITY if perplexity else ()))


class Share(TypedDict):
    """Documents of a group before and after a rule: those that no rule before it dropped, those that it leaves."""

    kind: str  # language, script, length, genre, dialect
    value: str
    before: int
    after: int


class NearThreshold(TypedDict):
    """A document close to the threshold, on either side."""

    id: str
    url: str
    language: str
    reason: str | None  # null: kept
    text: str  # the first characters; empty where the verdict was taken again and no text read
    score: float
    threshold: float


class LearntRule(TypedDict):
    """The file is a list of them: the rules that ask a learnt score, in the order in which they are asked."""

    rule: str
    columns: list[str]  # that it reads and a model gave
    before: int
    after: int
    shares: list[Share]
    examples: list[NearThreshold]
