"""Whom learnt scores fall on: documents before and after each rule that reads one, by groups that a model may wrong.

Rules that read what models have learnt are asked last (`pipeline.quality.rules.chosen`), so verdicts alone say both
numbers: before such a rule are the documents that it, or one behind it, drops, and those that are kept.
"""

import heapq
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.quality.host_genres import GENRES, genres_of
from pipeline.quality.rules import Learnt
from pipeline.store.examples import example_order
from schemas.distributions import Threshold
from schemas.scores import LearntRule, NearThreshold, Share

READ = ("n_words", "url", "top_langs")
KINDS = ("language", "script", "length", "genre", "dialect")
LENGTHS = (0, 50, 100, 200, 500, 1000, 2000, 5000)  # words from which a group begins
LENGTH_NAMES = (
    *(f"{a:,} to {b - 1:,} words" for a, b in pairwise(LENGTHS)),
    "5,000 words and more",
)
SHOWN_A_SIDE = 4  # of a threshold
MOST_SHARES = 300  # of a kind: the groups with most documents
# Two labels of `top_langs`, the second with a tenth of the vote: what the text leans to beside its language.
_LEANS = r'^\{"(?P<first>[a-z]{3}_[A-Za-z]{4})": ?[0-9.e-]+, ?"(?P<second>[a-z]{3}_[A-Za-z]{4})": ?(?:1|0\.[1-9])'

Key = tuple[str, str, int]  # kind, group, place of the rule that dropped the document, or that of none
Side = tuple[int, bool]  # place of a rule, and whether these documents are kept by it


class Near(NamedTuple):
    """A document near a threshold, in the order in which they are shown. file: name of its file in the table."""

    distance: float
    order: tuple[int, str]  # hash and id
    label: str
    file: str
    kept: bool
    score: float
    threshold: float


Parts = tuple[Counter[Key], dict[Side, list[Near]]]


class KeptShares:
    """Counts of a table or a part of it; parts add up in any order. bounds: of a label, the thresholds by column."""

    def __init__(self, rules: Sequence[Learnt], bounds: Callable[[str], Mapping[str, list[Threshold]]]) -> None:
        self.rules = tuple(rules)
        self._bounds = bounds
        self.counts: Counter[Key] = Counter()
        self._limits: dict[tuple[str, str], float | None] = {}  # by label and rule
        self.near: dict[Side, list[Near]] = {}

    def add(self, rows: pa.RecordBatch, labels: Sequence[str], verdicts: pa.Array, file: str) -> None:
        """rows: with id, the columns of READ, and those that the rules read. Only what earlier rules keep counts."""
        if not self.rules:
            return
        place = {rule.rule: number for number, rule in enumerate(self.rules)}
        kept = len(self.rules)
        reasons = verdicts.to_pylist()
        fate = np.array([kept if reason is None else place.get(reason, -1) for reason in reasons], np.int64)
        chosen = np.flatnonzero(fate >= 0)
        if not len(chosen):
            return
        here = rows.take(pa.array(chosen))
        fates, names = fate[chosen], [labels[row] for row in chosen.tolist()]
        for kind, groups in zip(KINDS, _groups(here, names), strict=True):
            pairs = Counter(zip(groups, fates.tolist(), strict=True))
            self.counts.update({(kind, group, to): n for (group, to), n in pairs.items() if group})
        self._note_near(here, names, fates, file)

    def _note_near(self, rows: pa.RecordBatch, labels: Sequence[str], fates: np.ndarray, file: str) -> None:
        for number, rule in enumerate(self.rules):
            if rule.score not in rows.schema.names:
                continue
            limits = {label: self._limit(label, rule) for label in set(labels)}
            bounds = np.array([np.nan if (limit := limits[label]) is None else limit for label in labels])
            scores = pc.cast(rows.column(rule.score), pa.float64()).to_numpy(zero_copy_only=False)
            distance = np.abs(scores - bounds)
            for kept in (False, True):
                side = np.flatnonzero((fates > number if kept else fates == number) & ~np.isnan(distance))
                if len(side) > SHOWN_A_SIDE:
                    bar = np.partition(distance[side], SHOWN_A_SIDE - 1)[SHOWN_A_SIDE - 1]
                    side = side[distance[side] <= bar]
                ids = rows.column("id").take(pa.array(side, pa.int64())).to_pylist()
                self._keep(
                    (number, kept),
                    (
                        Near(
                            float(distance[row]), example_order(name), labels[row], file, kept, float(scores[row]),
                            float(bounds[row]),
                        )
                        for row, name in zip(side.tolist(), ids, strict=True)
                    ),
                )  # fmt: skip

    def _limit(self, label: str, rule: Learnt) -> float | None:
        if (label, rule.rule) not in self._limits:
            asked = [one["value"] for one in self._bounds(label).get(rule.score, []) if one["rule"] == rule.rule]
            self._limits[label, rule.rule] = asked[0] if asked else None
        return self._limits[label, rule.rule]

    def _keep(self, side: Side, found: Iterable[Near]) -> None:
        self.near[side] = heapq.nsmallest(SHOWN_A_SIDE, [*self.near.get(side, []), *found])

    def parts(self) -> Parts:
        """What a task answers with."""
        return self.counts, self.near

    def take(self, parts: Parts) -> None:
        counts, near = parts
        self.counts.update(counts)
        for side, found in near.items():
            self._keep(side, found)

    def shares(self, number: int, kinds: Collection[str] = KINDS) -> list[Share]:
        """Before and after a rule, the groups of a kind with most documents first."""
        found = []
        for kind in kinds:
            before, after = Counter[str](), Counter[str]()
            for (what, group, to), n in self.counts.items():
                if what == kind and to >= number:
                    before[group] += n
                    after[group] += n if to > number else 0
            largest = heapq.nsmallest(MOST_SHARES, before, key=lambda group: (-before[group], group))
            found += [Share(kind=kind, value=group, before=before[group], after=after[group]) for group in largest]
        return found

    def told(self, shown: Mapping[str, Mapping[str, str]]) -> list[LearntRule]:
        """What the generation's file says. shown: by id, url, language and text of the documents in `near`."""
        found = []
        for number, rule in enumerate(self.rules):
            shares = self.shares(number)
            examples = [
                NearThreshold(
                    id=one.order[1],
                    url=shown[one.order[1]]["url"],
                    language=one.label,
                    reason=None if kept else rule.rule,
                    text=shown[one.order[1]]["text"],
                    score=round(one.score, 6),
                    threshold=one.threshold,
                )
                for kept in (False, True)
                for one in self.near.get((number, kept), [])
                if one.order[1] in shown
            ]
            whole = [share for share in shares if share["kind"] == "script"]
            found.append(
                LearntRule(
                    rule=rule.rule,
                    columns=list(rule.columns),
                    before=sum(share["before"] for share in whole),
                    after=sum(share["after"] for share in whole),
                    shares=shares,
                    examples=examples,
                )
            )
        return found


def too_little(told: Sequence[LearntRule], least: float) -> list[tuple[str, str, int, int]]:
    """Rule, language, documents before and after, where less than the share `least` of a language is left; those with
    most documents first."""
    return [
        (rule["rule"], share["value"], share["before"], share["after"])
        for rule in told
        for share in rule["shares"]
        if share["kind"] == "language" and share["after"] < least * share["before"]
    ]


def _groups(rows: pa.RecordBatch, labels: Sequence[str]) -> Iterable[list[str]]:
    """Of each of KINDS the group of each row, "" for none."""
    yield list(labels)
    yield [label.rpartition("_")[2] for label in labels]
    words = pc.fill_null(_column(rows, "n_words", pa.int32()), 0).to_numpy(zero_copy_only=False)
    yield [LENGTH_NAMES[place] for place in np.searchsorted(LENGTHS, words, side="right") - 1]
    yield [GENRES[place] if place >= 0 else "" for place in genres_of(_column(rows, "url", pa.string())).tolist()]
    yield _leanings(_column(rows, "top_langs", pa.string()), labels)


def _leanings(top_langs: pa.Array, labels: Sequence[str]) -> list[str]:
    """`arb_Arab, some arz_Arab`: a second label with a tenth of the vote or more."""
    found = pc.extract_regex(top_langs, _LEANS)
    pairs = zip(labels, *(found.field(part).to_pylist() for part in (0, 1)), found.is_valid().to_pylist(), strict=True)
    leanings = []
    for label, first, second, some in pairs:
        other = (second if first == label else first) if some else ""
        leanings.append(f"{label}, some {other}" if other and not re.match("und", label) else "")
    return leanings


def _column(rows: pa.RecordBatch, name: str, kind: pa.DataType) -> pa.Array:
    return rows.column(name) if name in rows.schema.names else pa.nulls(len(rows), kind)
