"""Figures of maps on what they have not learnt from, and the score by which one of them is chosen."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.evaluation import Figure, Rows, Table
from train.aligning.material import Material, Questions
from train.alignment.criterion import criterion
from train.encoders.vectors import Vectors
from train.evaluation.measures import MEASURE, means, table
from train.maps.map_folder import VectorMap
from train.metrics.figures import number, share
from train.metrics.neighbours import Method, retrieval_accuracy

KINDS: tuple[tuple[Method, str], ...] = (("cosine", "cosine"), ("csls", "CSLS"))
WAYS = ("to", "from")
LINES, WORDS, FIT, LAYERS = MEASURES = "held-out lines", "held-out words", "criterion", "layers"
BY_LINES, BY_WORDS = "share of development lines found", "share of development words found"
BY_FIT = "mean cosine of nearest words by CSLS"
AROUND = 10_000  # the most frequent words, among which CSLS looks for the neighbours of an answer
By = Mapping[str, VectorMap]
Key = tuple[str, Method, str]
"""Measure, kind, way."""


def figures(material: Material, maps: By, baselines: Sequence[str]) -> list[Table]:
    """The share found of held-out lines and of held-out words, to the pivot and from it, by cosine and by CSLS; where
    there is neither, MUSE's criterion. maps: by method; those that are baselines stand as such."""
    found: dict[Key, dict[str, Rows]] = {}
    for name, one in maps.items():
        for language in _mapped(material, one):
            for key, figure in _of_language(material, one, language).items():
                found.setdefault(key, {}).setdefault(name, {})[language] = figure
    return [_table(material, key, found[key], baselines) for key in sorted(found, key=_order)]


def by_layer(each: Sequence[tuple[Material, By]], baselines: Sequence[str]) -> list[Table]:
    """Held-out lines, both ways by cosine, a table a layer."""
    tables = []
    for material, maps in each:
        assert material.split is not None
        rows: dict[str, Rows] = {}
        for name, one in maps.items():
            for language in _mapped(material, one):
                hits = _both_ways(*_sides(material, one, language, material.split.held_out))
                rows.setdefault(name, {})[language] = share(hits)
        title = f"held-out lines, both ways, layer {material.layer}: cosine"
        tables.append(_finished(f"layer_{material.layer}", title, "share found", rows, baselines, material, LAYERS))
    return tables


def together(tables: Sequence[Table]) -> list[Table]:
    """Those of one name as one, in the order of their measures."""
    found: dict[str, Table] = {}
    for one in tables:
        there = found.setdefault(one["name"], {**one, "figures": {}, "baselines": {}})
        there["figures"] |= one["figures"]
        there["baselines"] |= one["baselines"]
    for there in found.values():
        there["means"] = means(there)
    return sorted(found.values(), key=lambda one: MEASURES.index(str(one["settings"][MEASURE])))


def score(material: Material, found: VectorMap) -> float | None:
    """The mean over languages of what `scored_by` says. None where a language has no map."""
    if set(found.languages) < {material.pivot, *material.languages}:
        return None
    by = scored_by(material)
    values = list[float]()
    for language in material.languages:
        if by == BY_LINES:
            assert material.split is not None
            values.append(float(_both_ways(*_sides(material, found, language, material.split.development)).mean()))
            continue
        first, second = _words(material, found, language)
        if by == BY_WORDS:
            asked = material.dictionaries[language].choosing
            hits = [_answered(first, second, asked[way], way, "cosine") for way in WAYS]
            values.append(float(np.concatenate(hits).mean()))
        else:
            values.append(criterion(first, second))
    return float(np.mean(values))


def scored_by(material: Material) -> str:
    """Of what was neither learnt from nor is reported: lines, or words of dictionaries, found both ways by cosine; or
    MUSE's criterion, which knows no truth."""
    if material.split is not None:
        return BY_LINES
    choosing = [material.dictionaries[one].choosing for one in material.languages if one in material.dictionaries]
    enough = all(any(len(one[way].words) for way in WAYS) for one in choosing)
    return BY_WORDS if enough and len(choosing) == len(material.languages) else BY_FIT


def _mapped(material: Material, one: VectorMap) -> list[str]:
    return [language for language in material.languages if language in one.languages]


def _of_language(material: Material, one: VectorMap, language: str) -> dict[Key, Figure]:
    found: dict[Key, Figure] = {}
    if material.split is not None:
        first, second = _sides(material, one, language, material.split.held_out)
        for kind, _ in KINDS:
            for way, (queries, keys) in zip(WAYS, ((first, second), (second, first)), strict=True):
                found[LINES, kind, way] = share(retrieval_accuracy(queries, keys, kind))
    if language in material.dictionaries:
        first, second = _words(material, one, language)
        for kind, _ in KINDS:
            for way in WAYS:
                asked = material.dictionaries[language].tests[way]
                hits = _answered(first, second, asked, way, kind)
                if len(hits):
                    found[WORDS, kind, way] = share(hits)
    if not found:
        first, second = _words(material, one, language)
        found[FIT, "csls", "to"] = number(criterion(first, second), len(first))
    return found


def _sides(material: Material, one: VectorMap, language: str, numbers: NDArray[np.int64]) -> tuple[Vectors, Vectors]:
    first, second = material.sides[language].lines, material.centre.lines
    assert first is not None and second is not None
    return one.apply(language, first[numbers]), one.apply(material.pivot, second[numbers])


def _words(material: Material, one: VectorMap, language: str) -> tuple[Vectors, Vectors]:
    sides = material.sides[language], material.centre
    return one.apply(language, sides[0].word_vectors), one.apply(material.pivot, sides[1].word_vectors)


def _both_ways(first: Vectors, second: Vectors) -> NDArray[np.bool_]:
    return np.concatenate([retrieval_accuracy(first, second), retrieval_accuracy(second, first)])


def _answered(first: Vectors, second: Vectors, asked: Questions, way: str, kind: Method) -> NDArray[np.bool_]:
    queries, keys = (first, second) if way == "to" else (second, first)
    if not len(asked.words):
        return np.empty(0, np.bool_)
    return retrieval_accuracy(queries[asked.words], keys, kind, asked.right, around=queries[:AROUND])


def _order(key: Key) -> tuple[int, int, int]:
    measure, kind, way = key
    return MEASURES.index(measure), [one for one, _ in KINDS].index(kind), WAYS.index(way)


def _table(material: Material, key: Key, rows: Mapping[str, Rows], baselines: Sequence[str]) -> Table:
    measure, kind, way = key
    if measure == FIT:
        title, unit = f"fit to {material.pivot}: mean cosine of nearest words by CSLS", "cosine"
    else:
        title, unit = f"{measure}, {way} {material.pivot}: {dict(KINDS)[kind]}", "share found"
    name = f"{measure.replace('-', '_').replace(' ', '_')}_{kind}_{way}"
    return _finished(name, title, unit, rows, baselines, material, measure)


def _finished(
    name: str,
    title: str,
    unit: str,
    rows: Mapping[str, Rows],
    baselines: Sequence[str],
    material: Material,
    measure: str,
) -> Table:
    found = table(
        name,
        title,
        unit,
        figures={one: each for one, each in rows.items() if one not in baselines},
        baselines={one: each for one, each in rows.items() if one in baselines},
        settings={MEASURE: measure, "layer": material.layer},
    )
    found["means"] = means(found)
    return found
