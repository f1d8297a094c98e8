"""How a stage's numbers lie, counted when it ends so that a page draws them without reading a table.

Counts over fixed edges add up in any order, so they are the same for any partitioning.
"""

from typing import TypedDict

DISTRIBUTIONS = "_distributions.json"  # of clean's generation
CLUSTERS = "_clusters.json"  # of dedup's generation
LARGEST_LANGUAGES = 40  # that have distributions of their own
LARGEST_CLUSTERS = 20
MEMBERS_SHOWN = 6


class Histogram(TypedDict):
    """kept, dropped: documents in [edges[i], edges[i + 1]), the first and the last bin open to their side; as many as
    edges less one. Empty bins at both ends are left out."""

    edges: list[float]
    kept: list[int]
    dropped: list[int]


class Threshold(TypedDict):
    """A bound that a rule puts on a signal in one language."""

    rule: str  # the reason that drop_reason would have
    operator: str  # < or >, <=, >=: the document goes where `signal operator value`
    value: float


class Distribution(TypedDict):
    """The file is a list of them: of all documents, then of the largest languages by documents, signals in the order of
    the table. Of every row that clean wrote, those that were taken down later too; signals that none has are not there.
    """

    signal: str
    language: str  # `eng_Latn`; "" for all documents together
    histogram: Histogram
    thresholds: list[Threshold]  # of "": those that are the same in all languages


class Member(TypedDict):
    id: str
    url: str
    language: str
    similarity: float | None  # to the kept copy; None for kept ones and exact copies, and where nothing was verified
    reason: str | None  # null: kept
    kept_id: str  # of the kept copy that it is like, which need not be shown; its own where it is kept
    text: str  # the first EXAMPLE_CHARACTERS characters


class LargeCluster(TypedDict):
    """The file is a list of them, the largest first, ties by cluster_id."""

    cluster_id: str
    size: int  # documents of earlier crawls too, of which none is shown
    members: list[Member]  # kept ones first, then the most unlike; at most MEMBERS_SHOWN
