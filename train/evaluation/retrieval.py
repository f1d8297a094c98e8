"""Sentence retrieval: is a sentence's translation nearer to it than all other sentences of that language?

Tatoeba's layout has pairs of each language with English of its own (Artetxe & Schwenk 2019, arXiv 1812.10464); of
aligned files all are held against one pivot, and xsim's error is told too, that of the ratio margin with 4 neighbours.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.errors import UserError
from schemas.evaluation import Rows, Table
from train.benchmarks.aligned import read_aligned, read_tatoeba
from train.benchmarks.languages import same_language
from train.encoders.opened import OpenedModel
from train.encoders.vectors import Vectors
from train.evaluation.measures import Measure, table
from train.evaluation.sentences import Embedding
from train.evaluation.settings import EVERY, Settings
from train.metrics.figures import mean_of, number, share
from train.metrics.neighbours import Method, retrieval_accuracy

Pairs = Mapping[str, tuple[Sequence[str], Sequence[str]]]
"""By language: its sentences, and the pivot's, line by line."""
Sides = tuple[Vectors, Vectors]


class Kind(NamedTuple):
    """How the nearest is found. centred: less the mean of its language, on both sides (Libovický et al. 2020)."""

    name: str
    title: str
    method: Method
    centred: bool = False
    error: bool = False


KINDS = (
    Kind("cosine", "cosine", "cosine"),
    Kind("csls", "CSLS", "csls"),
    Kind("centred_cosine", "cosine, languages centred", "cosine", centred=True),
    Kind("centred_csls", "CSLS, languages centred", "csls", centred=True),
)
XSIM = (Kind("xsim", "xsim error, ratio margin", "margin", error=True),)
BOTH_WAYS = KINDS[0]  # by which layers are compared
ENGLISH = "eng"


def tatoeba(settings: Settings) -> Measure | None:
    if settings.tatoeba is None:
        return None
    there = read_tatoeba(settings.tatoeba)
    pairs = {language: _cut(there[language], settings) for language in settings.wanted(there)}
    return _measure("tatoeba", "Tatoeba", ENGLISH, pairs, KINDS, frozenset(there))


def bitext(settings: Settings) -> Measure | None:
    """UserError where no file is the pivot's."""
    if settings.aligned is None:
        return None
    there = read_aligned(settings.aligned)
    pivots = [one for one in there if same_language(one, settings.pivot)]
    if not pivots:
        raise UserError(
            f"--pivot {settings.pivot}: {settings.aligned} has no such file; there are {', '.join(sorted(there))}"
        )
    pivot = there[pivots[0]][: settings.sentences]
    wanted = [one for one in settings.wanted(there) if one != pivots[0]]
    pairs = {language: (there[language][: settings.sentences], pivot) for language in wanted}
    return _measure("aligned", "aligned files", pivots[0], pairs, (*KINDS, *XSIM), frozenset(there) - {pivots[0]})


def _measure(
    name: str, title: str, pivot: str, pairs: Pairs, kinds: Sequence[Kind], languages: frozenset[str]
) -> Measure:
    def run(model: OpenedModel, settings: Settings) -> list[Table]:
        tables = _Tables(name, title, "English" if name == "tatoeba" else pivot, kinds, model.name)
        unique = {id(one): len(one) for pair in pairs.values() for one in pair}
        with Embedding(model, settings, name, sum(unique.values())) as embedding:
            known = {language: pairs[language] for language in embedding.known(pairs, [pivot])}
            for language, sides in _embedded(known, pivot, embedding):
                tables.add(language, sides, settings.layer == EVERY)
            return tables.finished(embedding.told())

    def chance(settings: Settings) -> list[Table]:
        rows = {language: 1 / len(first) for language, (first, _) in pairs.items()}
        found = []
        for kind in kinds:
            figures = {
                one: number(1 - value if kind.error else value, len(pairs[one][0])) for one, value in rows.items()
            }
            found += [
                table(f"{name}_{kind.name}_{way}", "", "", baselines={"chance": figures}) for way in ("to", "from")
            ]
        return found

    return Measure(name, run, languages, chance)


def _embedded(pairs: Pairs, pivot: str, embedding: Embedding) -> Iterator[tuple[str, Sides]]:
    """A pivot that all languages share is embedded once."""
    shared: Sequence[str] | None = None
    of_shared: Vectors | None = None
    for language, (first, second) in pairs.items():
        if of_shared is None or second is not shared:
            shared, of_shared = second, embedding.layers(second, pivot)
        yield language, (embedding.layers(first, language), of_shared)


class _Tables:
    """Figures of one model, language after language, so that no vectors are kept."""

    def __init__(self, name: str, title: str, pivot: str, kinds: Sequence[Kind], model: str) -> None:
        self.name, self.title, self.model = name, title, model
        self.ways = {"to": f"to {pivot}", "from": f"from {pivot}"}
        self.kinds = kinds
        self.rows: dict[tuple[str, str], Rows] = {}
        self.by_layer: list[Rows] = []

    def add(self, language: str, sides: Sides, every: bool) -> None:
        """Where each layer is asked for, both ways together are the figure of a layer."""
        if every:
            for layer, (first, second) in enumerate(zip(*sides, strict=True)):
                if layer == len(self.by_layer):
                    self.by_layer.append({})
                both = [_hits(first, second, BOTH_WAYS, way) for way in self.ways]
                self.by_layer[layer][language] = share(np.concatenate(both))
            return
        for kind in self.kinds:
            for way in self.ways:
                hits = _hits(sides[0][0], sides[1][0], kind, way)
                self.rows.setdefault((kind.name, way), {})[language] = share(~hits if kind.error else hits)

    def finished(self, told: Mapping[str, object]) -> list[Table]:
        return self._layers(told) if self.by_layer else self._kinds(told)

    def _kinds(self, told: Mapping[str, object]) -> list[Table]:
        return [
            table(
                f"{self.name}_{kind.name}_{way}",
                f"{self.title}, {words}: {kind.title}",
                "share wrong" if kind.error else "share found",
                "lower" if kind.error else "higher",
                figures={self.model: self.rows[kind.name, way]},
                settings=told,
            )
            for kind in self.kinds
            for way, words in self.ways.items()
        ]

    def _layers(self, told: Mapping[str, object]) -> list[Table]:
        """That of the best layer by the mean over languages first, then all."""
        values = [mean_of(rows)["value"] for rows in self.by_layer]
        best = int(np.argmax(values))
        names = [f"{self.name}_best_layer", *(f"{self.name}_layer_{one}" for one in range(len(values)))]
        titles = ["the best layer for these texts", *(f"layer {one}" for one in range(len(values)))]
        layers: list[object] = [{self.model: best}, *range(len(values))]
        return [
            table(
                name,
                f"{self.title}, both ways: {BOTH_WAYS.title}, {title}",
                "share found",
                figures={self.model: rows},
                settings={**told, "layer": layer},
            )
            for name, title, layer, rows in zip(
                names, titles, layers, [self.by_layer[best], *self.by_layer], strict=True
            )
        ]


def _hits(first: Vectors, second: Vectors, kind: Kind, way: str) -> NDArray[np.bool_]:
    if kind.centred:
        first, second = first - first.mean(0), second - second.mean(0)
    return retrieval_accuracy(*((first, second) if way == "to" else (second, first)), kind.method)


def _cut(pair: tuple[Sequence[str], Sequence[str]], settings: Settings) -> tuple[Sequence[str], Sequence[str]]:
    return pair[0][: settings.sentences], pair[1][: settings.sentences]
