"""The word lists of `pipeline.language.evidence` from labelled texts: words, what is usual, and least scores."""

from collections import defaultdict

import numpy as np

from pipeline.kernels.arrow_text import from_strings
from pipeline.language.evidence import Evidence, Profile, word_list
from pipeline.language.fitting.labelled_rows import Rows
from pipeline.language.labels import NO_LANGUAGE
from pipeline.words.scripts import scripts_of
from pipeline.words.words import words, words_of

MIN_WORDS = 10  # of a text from which the usual is taken
CHUNK = 300  # characters of a text that the usual is measured on
MOST_CHARACTERS = 30_000  # of a label, spread over its sources


def fit(rows: Rows, least_score: float) -> dict[str, Profile]:
    """Profiles by ISO 639-3 code, of languages with enough text for a list. A language's scripts are one list: no two
    share a word. `least_score`: what a model must give a language where its words say little."""
    halves = _halves(rows)
    # What is usual is measured on texts that the list was not made from.
    own: dict[str, list[float]] = defaultdict(list)
    for mine, other in ((0, 1), (1, 0)):
        lists = {code: _list(half[mine]) for code, half in halves.items()}
        evidence = Evidence({code: Profile(one, 1.0, 0.0) for code, one in lists.items() if one})
        for number, code in enumerate(evidence.languages):
            held = from_strings(chunk for chunks in halves[code][other].values() for chunk in chunks)
            values, n_words = evidence.of(words_of(held), scripts_of(held).main)
            own[code] += values[n_words >= MIN_WORDS, number].tolist()
    found = {}
    for code, (first, second) in halves.items():
        both = {key: first.get(key, []) + second.get(key, []) for key in sorted({*first, *second})}
        one = _list(both)
        if one and own[code] and (usual := round(float(np.median(own[code])), 3)) > 0:
            found[code] = Profile(one, usual, least_score)
    return found


Chunks = dict[tuple[str, str], list[str]]  # by script and source


def _halves(rows: Rows) -> dict[str, tuple[Chunks, Chunks]]:
    by_key: dict[str, dict[tuple[str, str], list[str]]] = defaultdict(lambda: defaultdict(list))
    for text, label, source in zip(rows.texts, rows.labels, rows.sources, strict=True):
        code, _, script = label.partition("_")
        if code != NO_LANGUAGE:
            by_key[code][script, source].append(text)
    found = {}
    for code, keys in sorted(by_key.items()):
        halves: tuple[Chunks, Chunks] = ({}, {})
        for key, texts in sorted(keys.items()):
            chunks, room = [], MOST_CHARACTERS // len(keys)
            for text in sorted(texts, key=len):
                chunks += [text[at : at + CHUNK] for at in range(0, min(len(text), max(room, 0)), CHUNK)]
                room -= len(text)
            for number in (0, 1):
                halves[number][key] = chunks[number::2]
        found[code] = halves
    return found


def _list(chunks: Chunks) -> dict[str, float]:
    scripts: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for (script, source), texts in chunks.items():
        scripts[script][source] = [word for text in texts for word in words(text)]
    return {word: weight for sources in scripts.values() for word, weight in word_list(sources).items()}
