"""The story of a page as data: what each stage made of it. Lines, JSON and HTML are drawn from it, and add nothing."""

from dataclasses import dataclass, field
from typing import Literal

Stage = Literal["extract", "clean", "dedup", "sample"]


@dataclass(frozen=True, slots=True)
class Extracted:
    """A document, or why there is none. offset: byte of the record in the archive as stored. said: what the page says
    of itself, by column of schemas.extract.DOCUMENTS."""

    archive: str
    offset: int
    date: str = ""
    engine: str = ""
    characters: int = 0
    said: dict[str, str] = field(default_factory=dict)
    reason: str = ""  # of schemas.extract.REASONS; empty: a document
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """score: 0 to 1, that it is main text."""

    text: str
    tag: str
    words: int
    score: float
    chosen: bool


@dataclass(frozen=True, slots=True)
class Blocks:
    """Of the page as it lies in its archive. least: score from which on a block is chosen. untold: why there are none
    to show. note: what to know of them."""

    blocks: tuple[Block, ...] = ()
    least: float = 0.0
    untold: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """Of a text's sample: what the model takes it for, and whether it is sure enough to vote."""

    text: str
    language: str
    probability: float
    letters: int
    votes: bool


@dataclass(frozen=True, slots=True)
class Votes:
    """What is weighed when the language is identified. model: probability by language, of the sample as a whole. words:
    evidence of the commonest words by language, 1: as much as is usual for it. found: `language_Script` by model and
    words together, now."""

    model: dict[str, float]
    words: dict[str, float]
    n_words: int
    pieces: tuple[Piece, ...]
    found: str
    score: float


@dataclass(frozen=True, slots=True)
class Language:
    """As stored. top: the model's mean probability by label over the pieces. untold: why there are no votes."""

    label: str
    score: float | None
    script_share: float | None
    share: float | None
    top: dict[str, float]
    own_thresholds: bool
    votes: Votes | None = None
    untold: str = ""


@dataclass(frozen=True, slots=True)
class Limit:
    """source: as of pipeline.quality.rules.Limit, with the file of a profile."""

    name: str
    value: float
    source: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule in force: what it reads of the page, and the thresholds in effect for it. A null never fires."""

    reason: str
    expression: str
    fired: bool
    signals: dict[str, float | str | None]
    limits: tuple[Limit, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """clean. reason: None, kept. rules: in the order in which they are asked. others: signals that no rule reads.
    lists: what the page is on, kind to name. notes: what to know of the rules."""

    reason: str | None
    meaning: str
    language: Language | None
    rules: tuple[Rule, ...] = ()
    others: dict[str, float] = field(default_factory=dict)
    lists: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Copy:
    """A page of the cluster. crawl: fingerprint of the earlier dedup run that it is of, None: this one. url: empty
    where nobody knows."""

    id: str
    url: str
    reason: str | None
    similarity: float | None
    kept_id: str
    crawl: str | None


@dataclass(frozen=True, slots=True)
class Copies:
    """dedup. size: pages of the cluster; 0: no copy was found. kept: the copy that it is like, None where that is the
    page itself. best: the cluster's preferred page. members: the cluster's first pages."""

    reason: str | None
    meaning: str = ""
    size: int = 0
    similarity: float | None = None
    kept: Copy | None = None
    best_id: str = ""
    members: tuple[Copy, ...] = ()


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A page that has a paragraph, too. url: empty where nobody knows."""

    id: str
    url: str


@dataclass(frozen=True, slots=True)
class RepeatedParagraph:
    """Of a page, one that is often enough to be cut, as it stood there. The numbers are those of
    schemas.repeats.PARAGRAPHS. elsewhere: some of the other pages."""

    text: str
    pages: int
    hosts: int
    occurrences: int
    cut_documents: int
    kept_documents: int
    elsewhere: tuple[Elsewhere, ...]


@dataclass(frozen=True, slots=True)
class RepeatedParagraphs:
    """dedup with scope paragraph. are_cut: else they stay, for they are most of the page. share: of the page's
    letters."""

    are_cut: bool
    share: float
    paragraphs: tuple[RepeatedParagraph, ...] = ()


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of the text that other pages have byte for byte. start, end: bytes of the text that dedup read. pages:
    that have it, this one of them. fate: `kept` here, where the page is the one that is preferred; `cut`; or `noted`
    where another page is preferred and passages were not cut. other: the most preferred other page, url empty where
    nobody knows."""

    text: str
    start: int
    end: int
    pages: int
    fate: str
    other_id: str
    other_url: str


@dataclass(frozen=True, slots=True)
class Passages:
    """By place. n: how many there are, of which the first are told. shared, cut: bytes of the text. emptied: cutting
    left nothing."""

    passages: tuple[Passage, ...]
    n: int
    shared: int
    cut: int
    emptied: bool


@dataclass(frozen=True, slots=True)
class Place:
    """A row of a shard. row: from 0. times: how often a run sees it, epochs times weight; 0 where it is held out."""

    shard: str
    row: int
    split: str
    epochs: float
    weight: float
    times: float


@dataclass(frozen=True, slots=True)
class Sampled:
    """places: none where it is in no shard; then reasons: for which documents of its language are left out."""

    places: tuple[Place, ...]
    reasons: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Story:
    """A record. What a stage left untold, because it has not run or came too early, is None."""

    id: str
    url: str
    extracted: Extracted | None
    judged: Judged | None = None
    copies: Copies | None = None
    passages: Passages | None = None
    sampled: Sampled | None = None
    blocks: Blocks | None = None
    repeated: RepeatedParagraphs | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """An answer. asked: as it was written. stages: of those that say nothing, why. notes: what to know of it."""

    root: str
    asked: str
    stories: tuple[Story, ...]
    stages: dict[str, str]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HostPage:
    """fate: `stage: what it did`."""

    url: str
    id: str
    language: str
    fate: str


@dataclass(frozen=True, slots=True)
class HostTold:
    """All pages of a host and of the hosts below it. fates: pages by stage and reason, `kept` where it let them
    pass. pages: the first by address."""

    root: str
    asked: str
    n_pages: int
    fates: dict[str, dict[str, int]]
    languages: dict[str, int]
    shards: dict[str, int]
    pages: tuple[HostPage, ...]
    stages: dict[str, str]
    notes: tuple[str, ...] = ()
