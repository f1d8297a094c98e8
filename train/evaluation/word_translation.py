"""Word translation: is a right word nearer than all other words of its language in a dictionary?

Precision at 1 of MUSE (Conneau et al. 2018, arXiv 1710.04087): several translations may be right. A word's vector is
what the encoder makes of the word alone, or the mean of its tokens' rows in the table of embeddings. Words that are
written the same on both sides, as names are, are found without translating, so figures without them stand beside.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.errors import UserError
from schemas.evaluation import Rows, Table
from train.benchmarks.dictionaries import read_dictionary, sides_of
from train.encoders.opened import OpenedModel
from train.encoders.token_means import token_means
from train.encoders.vectors import Vectors
from train.evaluation.measures import Measure, table
from train.evaluation.sentences import Embedding
from train.evaluation.settings import Settings
from train.maps.mapped import MappedModel
from train.metrics.figures import number, share
from train.metrics.neighbours import Method, retrieval_accuracy

METHODS: tuple[tuple[Method, str], ...] = (("csls", "CSLS"), ("cosine", "nearest neighbour"))
KINDS = (("encoder", "by the encoder"), ("embeddings", "by their tokens' embeddings"))
ENGLISH = ("en", "eng", "eng_Latn")


class Words(NamedTuple):
    """right: of each source its translations, as numbers of targets. same: sources whose translation is themselves."""

    sources: list[str]
    targets: list[str]
    right: list[list[int]]
    same: NDArray[np.bool_]


Dictionaries = dict[str, dict[str, Words]]
"""By way, then language."""
WAYS = {"from": "from English", "to": "to English", "between": "of two other languages"}


def word_translation(settings: Settings) -> Measure | None:
    if not settings.dictionaries:
        return None
    found: Dictionaries = {}
    for path in dictionary_files(settings.dictionaries):
        way, language = row_of(path)
        rows = found.setdefault(way, {})
        if language in rows:
            raise UserError(f"{path}: --dictionaries names another of {language} too: leave one of the two out")
        rows[language] = words_of(read_dictionary(path), settings.sentences)
    languages = frozenset(language for rows in found.values() for language in rows)
    asked = {way: {one: rows[one] for one in settings.wanted(rows)} for way, rows in found.items()}
    asked = {way: rows for way, rows in asked.items() if rows}
    return Measure("word translation", partial(_run, asked), languages, partial(_baselines, asked))


def row_of(path: Path) -> tuple[str, str]:
    """(way, row) of `en_fr.tsv`, `en-fr.txt`, `fr-en.5000-6500.txt`: a row is the language that is not English; of two
    others both, way "between". UserError where the name does not tell."""
    source, target = sides_of(path)
    if target in ENGLISH:
        return "to", source
    return ("from", target) if source in ENGLISH else ("between", f"{source}-{target}")


def words_of(dictionary: Sequence[tuple[str, set[str]]], most: int) -> Words:
    """The first `most` sources, and all targets of the dictionary, each once."""
    targets = {word: place for place, word in enumerate(sorted(set().union(*(words for _, words in dictionary))))}
    first = dictionary[:most]
    return Words(
        [source for source, _ in first],
        list(targets),
        [sorted(targets[word] for word in words) for _, words in first],
        np.array([source in words for source, words in first], np.bool_),
    )


def _run(wanted: Dictionaries, model: OpenedModel, settings: Settings) -> list[Table]:
    rows: dict[tuple[str, Method, bool, str], Rows] = {}
    covered: dict[str, dict[str, Rows]] = {}
    total = sum(len(one.sources) + len(one.targets) for there in wanted.values() for one in there.values())
    with Embedding(model, settings, "word translation", total) as embedding:
        known = embedding.known(
            sorted({side for way, there in wanted.items() for one in there for side in _sides(way, one)})
        )
        for way, there in wanted.items():
            for language, words in there.items():
                codes = _sides(way, language)
                if not set(codes) <= set(known):
                    continue
                for kind in _kinds(model):
                    first, second = (
                        _vectors(kind, embedding, texts, code)
                        for texts, code in zip((words.sources, words.targets), codes, strict=True)
                    )
                    has = np.concatenate([first.any(1), second.any(1)])
                    if not has.all():
                        covered.setdefault(kind, {}).setdefault(way, {})[language] = share(has)
                    for method, _ in METHODS:
                        hits = _found(first, second, words, method)
                        rows.setdefault((kind, method, True, way), {})[language] = share(hits)
                        if not words.same.all():
                            figure = share(hits[~words.same])
                            rows.setdefault((kind, method, False, way), {})[language] = figure
    if not rows:
        raise UserError(f"the map of {model.name} has both languages of no dictionary: it lacks {embedding.unknown[0]}")
    tables = [_table(name, {model.name: rows[name]}, {}, embedding.told()) for name in _names(wanted) if name in rows]
    return tables + [
        _coverage(kind, way, {model.name: found}, embedding.told())
        for kind, ways in covered.items()
        for way, found in ways.items()
    ]


def _sides(way: str, row: str) -> tuple[str, str]:
    """Languages of the sources and of the targets."""
    if way == "between":
        source, _, target = row.partition("-")
        return source, target
    return (ENGLISH[1], row) if way == "from" else (row, ENGLISH[1])


def _kinds(model: OpenedModel) -> Sequence[str]:
    """A map is of one kind of vectors."""
    if isinstance(model, MappedModel):
        return ["embeddings" if model.found.space == "embeddings" else "encoder"]
    return [kind for kind, _ in KINDS]


def _vectors(kind: str, embedding: Embedding, words: Sequence[str], language: str) -> Vectors:
    if kind == "encoder" or isinstance(embedding.model, MappedModel):
        return embedding.one(words, language)
    return token_means(embedding.model, words)


def _found(first: Vectors, second: Vectors, words: Words, method: Method) -> NDArray[np.bool_]:
    """A word without a vector, of zeros, is neither found nor finds."""
    there = np.flatnonzero(second.any(1))
    if not len(there):
        return np.zeros(len(first), np.bool_)
    place = dict(zip(there.tolist(), range(len(there)), strict=True))
    right = [[place[one] for one in of if one in place] for of in words.right]
    return retrieval_accuracy(first, second[there], method, right) & first.any(1)


def _coverage(kind: str, way: str, figures: Mapping[str, Rows], told: Mapping[str, object]) -> Table:
    return table(
        f"words_{kind}_covered_{way}",
        f"words {WAYS[way]} {dict(KINDS)[kind]}: words that have a vector",
        "share of words",
        figures=figures,
        settings=told,
    )


def _names(wanted: Dictionaries) -> list[tuple[str, Method, bool, str]]:
    return [
        (kind, method, all_words, way)
        for kind, _ in KINDS
        for method, _ in METHODS
        for all_words in (True, False)
        for way in wanted
    ]


def _table(
    name: tuple[str, Method, bool, str],
    figures: Mapping[str, Rows],
    baselines: Mapping[str, Rows],
    told: Mapping[str, object],
) -> Table:
    kind, method, all_words, way = name
    without = "" if all_words else ", without words written the same"
    return table(
        f"words_{kind}_{method}_{way}" + ("" if all_words else "_different"),
        f"words {WAYS[way]} {dict(KINDS)[kind]}: {dict(METHODS)[method]}{without}",
        "share found",
        figures=figures,
        baselines=baselines,
        settings=told,
    )


def _baselines(wanted: Dictionaries, settings: Settings) -> list[Table]:
    """chance: any target. written the same: what is found by looking for the word itself."""
    found = []
    for name in _names(wanted):
        rows: dict[str, Rows] = {"chance": {}}
        if name[2]:
            rows["written the same"] = {}
        for language, words in wanted[name[3]].items():
            chosen = np.ones(len(words.sources), np.bool_) if name[2] else ~words.same
            if not chosen.any():
                continue
            right = [len(one) for one, here in zip(words.right, chosen, strict=True) if here]
            rows["chance"][language] = number(float(np.mean(right)) / len(words.targets), len(right))
            if name[2]:
                rows["written the same"][language] = share(words.same)
        found.append(_table(name, {}, rows, {}))
    return found


def dictionary_files(given: Sequence[Path]) -> list[Path]:
    """Files, and of folders the files in them. UserError where there is none."""
    found = []
    for path in given:
        inside = sorted(one for one in path.iterdir() if one.suffix in (".tsv", ".txt")) if path.is_dir() else [path]
        if not inside:
            raise UserError(
                f"--dictionaries {path} holds no dictionary: name a folder with files as en_fr.tsv or en-fr.txt"
            )
        found += inside
    return found
