"""How signals lie, all documents together and by language, with the bounds that rules put on them."""

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.quality.signals import SIGNALS
from pipeline.report.pictures.histograms import Picture, histogram
from pipeline.report.words import tag
from schemas.clean import ANNOTATIONS
from schemas.distributions import Distribution
from schemas.scores import PERPLEXITY, PREFIX

MOST_LANGUAGES_DRAWN = 30

MEANINGS = {name: meaning for name, _, meaning in (*ANNOTATIONS, *SIGNALS, *PERPLEXITY)}
LEARNT = "learnt score: its quantile in the language"


class LanguageSignals(NamedTuple):
    """rows: documents of the language that have the signal that most have."""

    label: str
    tag: str
    rows: int
    pictures: list[Picture]


class Signals(NamedTuple):
    """bounded: of all documents, those signals that some rule bounds in any language; free: the others.
    left_out: languages with fewer documents that are not drawn."""

    bounded: list[Picture]
    free: list[Picture]
    languages: list[LanguageSignals]
    left_out: int


def signals(distributions: Sequence[Distribution]) -> Signals:
    """In the order of the signals' schema; the language with most documents first, its bounded signals alone."""
    given = {one["signal"] for one in distributions}
    meanings = MEANINGS | {name: LEARNT for name in sorted(given) if name.startswith(PREFIX)}
    order = {name: number for number, name in enumerate(meanings)}
    ranked = sorted(distributions, key=lambda one: (order.get(one["signal"], len(order)), one["signal"]))
    bounded = {one["signal"] for one in ranked if one["thresholds"]}
    every = [one for one in ranked if not one["language"] and _rows(one)]
    by_language: dict[str, list[Distribution]] = {}
    for one in ranked:
        if one["language"] and _rows(one):
            by_language.setdefault(one["language"], []).append(one)
    sizes = {label: max(map(_rows, ones)) for label, ones in by_language.items()}
    labels = sorted(sizes, key=lambda label: (-sizes[label], label))
    languages = [
        LanguageSignals(
            label,
            tag(label),
            sizes[label],
            [histogram(one, meanings) for one in by_language[label] if one["thresholds"]],
        )
        for label in labels[:MOST_LANGUAGES_DRAWN]
    ]
    return Signals(
        [histogram(one, meanings) for one in every if one["signal"] in bounded],
        [histogram(one, meanings) for one in every if one["signal"] not in bounded],
        languages,
        len(labels) - len(languages),
    )


def _rows(one: Distribution) -> int:
    return sum(one["histogram"]["kept"]) + sum(one["histogram"]["dropped"])
