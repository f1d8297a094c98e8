"""Whom learnt scores fall on, and what lies at their thresholds. The small file of clean in, rows of text out."""

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.report.words import number, shown, tag
from pipeline.report.words import share as percent
from schemas.scores import LearntRule, NearThreshold, Share

TITLES = {
    "language": "Languages",
    "script": "Scripts",
    "length": "Lengths",
    "genre": "Kinds of sites, by their addresses",
    "dialect": "Leanings to another language or dialect, a tenth of the vote or more",
}
LITTLE = 0.5  # of the share that is kept of all: what keeps less is marked


class Group(NamedTuple):
    """width: percent, of a bar. little: less than half of what is kept of all."""

    value: str
    tag: str
    before: int
    after: int
    kept: float
    kept_text: str
    width: float
    little: bool


class Kind(NamedTuple):
    name: str
    title: str
    groups: list[Group]


class Example(NamedTuple):
    url: str
    label: str
    tag: str
    score: str
    threshold: str
    kept: bool
    text: str


class Rule(NamedTuple):
    """examples: the nearest below the threshold and the nearest above it, the nearest first."""

    rule: str
    columns: list[str]
    before: int
    after: int
    kept_text: str
    kinds: list[Kind]
    examples: list[Example]


def learnt(rules: Sequence[LearntRule]) -> list[Rule]:
    found = []
    for rule in rules:
        whole = rule["after"] / rule["before"] if rule["before"] else 1.0
        kinds = [
            Kind(kind, title, groups)
            for kind, title in TITLES.items()
            if (groups := [_group(one, whole) for one in rule["shares"] if one["kind"] == kind])
        ]
        examples = [_example(one) for one in rule["examples"]]
        found.append(
            Rule(rule["rule"], rule["columns"], rule["before"], rule["after"], percent(whole), kinds, examples)
        )
    return found


def _group(one: Share, whole: float) -> Group:
    kept = one["after"] / one["before"] if one["before"] else 1.0
    label = tag(one["value"]) if one["kind"] == "language" else ""
    little = kept < LITTLE * whole
    return Group(one["value"], label, one["before"], one["after"], kept, percent(kept), 100 * kept, little)


def _example(one: NearThreshold) -> Example:
    return Example(
        shown(one["url"]),
        one["language"],
        tag(one["language"]),
        number(one["score"]),
        number(one["threshold"]),
        one["reason"] is None,
        shown(one["text"]),
    )
