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
    similarity: float | None  # to the kept copy; None for kept ones and exact copies
    reason: str | None  # null: kept
    text: str  # the first characters


class LargeCluster(TypedDict):
    cluster_id: str
    size: int
    members: list[Member]  # kept ones first, then the most unlike; at most MEMBERS_SHOWN
