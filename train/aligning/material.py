"""Everything that methods learn from and are judged by, as vectors."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from train.aligning.sources import Sources
from train.aligning.splits import Dictionary, Entries, Lines, Split
from train.aligning.words import words
from train.alignment.normalising import Normalised, less_mean, normalised
from train.alignment.word_pairs import known_pairs
from train.encoders.vectors import Vectors
from train.telemetry.progress import Progress

Pairs = NDArray[np.int64]


@dataclass(frozen=True)
class Side:
    """One language. lines: float32 [lines, d], None where there are none. words, word_vectors: the most frequent first,
    float32 [words, d], both empty where no method asks for words. learnt: numbers of the lines that are learnt from."""

    lines: Vectors | None
    words: list[str]
    word_vectors: Vectors
    learnt: NDArray[np.int64]
    width: int

    @cached_property
    def normal_lines(self) -> Normalised:
        """The lines learnt from."""
        assert self.lines is not None
        return normalised(self.lines[self.learnt])

    @cached_property
    def normal_words(self) -> Normalised:
        return normalised(self.word_vectors)

    @property
    def mean(self) -> NDArray[np.float32]:
        """Of what the map will be applied to: of lines, where there are lines. A map that words taught is applied to
        sentences less the mean of sentences."""
        return (self.normal_words if self.lines is None else self.normal_lines).mean

    def lines_as(self, numbers: NDArray[np.int64]) -> Vectors:
        """Other lines, normalised by the mean of those learnt from."""
        assert self.lines is not None
        return less_mean(self.lines[numbers], self.mean)


@dataclass(frozen=True)
class Questions:
    """Words of one side that have a vector, as an answer has, numbers, int64 [n], and the right answers of each on the
    other."""

    words: NDArray[np.int64]
    right: list[list[int]]


@dataclass(frozen=True)
class KnownDictionary:
    """Of one language with the pivot: learnt, development: int64 [pairs, 2], numbers of words of the language and of
    the pivot. tests: words held out, "to" the pivot and "from" it; choosing: the same of the development part.
    unknown: pairs that are left out, since a word of them has no vector; pairs: how many there are in all."""

    learnt: Pairs
    development: Pairs
    tests: Mapping[str, Questions]
    choosing: Mapping[str, Questions]
    unknown: int
    pairs: int


@dataclass(frozen=True)
class Material:
    """pivot: by which the others are asked, and languages, without it. sides: of all of them. split: of lines, None
    where there are none. dictionaries: by language. layer: that vectors are of."""

    pivot: str
    languages: tuple[str, ...]
    sides: Mapping[str, Side]
    split: Split | None
    dictionaries: Mapping[str, KnownDictionary] = field(default_factory=dict)
    layer: int = -1

    def has_development(self, language: str) -> bool:
        """Whether there are lines, or known pairs of its dictionary, to choose settings by."""
        return self.split is not None or len(self.dictionaries[language].development) > 0

    @property
    def centre(self) -> Side:
        return self.sides[self.pivot]


def materials(
    sources: Sources,
    pivot: str,
    languages: Sequence[str],
    lines: Lines | None,
    vocabularies: Mapping[str, list[str]],
    dictionaries: Mapping[str, Dictionary],
) -> list[Material]:
    """One for each layer that is asked for. vocabularies: words by language, of any that has a vector here."""
    every = (pivot, *languages)
    texts = {one: lines.texts[one] if lines else [] for one in every}
    total = sum(len(texts[one]) + len(vocabularies.get(one, ())) for one in every)
    sides = dict[str, list[Side]]()
    layers = sources.layers(every)
    with Progress("vectors", "texts", total) as progress:
        for language in every:
            source = sources.of(language)
            vocabulary = vocabularies.get(language, [])
            known = source.known(vocabulary) if vocabulary else np.zeros(0, np.bool_)
            found = [word for word, there in zip(vocabulary, known.tolist(), strict=True) if there]
            nothing = np.empty((len(source.layers), 0, source.width), np.float32)
            of_words = source.of(found, progress.add) if found else nothing
            of_lines = source.of(texts[language], progress.add) if lines else None
            learnt = lines.split.learnt if lines else np.empty(0, np.int64)
            sides[language] = [
                Side(of_lines[at] if of_lines is not None else None, found, of_words[at], learnt, source.width)
                for at in range(len(source.layers))
            ]
    known_dictionaries = {
        language: numbered(dictionary, sides[language][0].words, sides[pivot][0].words)
        for language, dictionary in dictionaries.items()
    }
    return [
        Material(
            pivot,
            tuple(languages),
            {language: each[at] for language, each in sides.items()},
            lines.split if lines else None,
            known_dictionaries,
            layer,
        )
        for at, layer in enumerate(layers)
    ]


def numbered(dictionary: Dictionary, of_language: Sequence[str], of_pivot: Sequence[str]) -> KnownDictionary:
    """Words as the dictionary writes them, or in lower case. A word of the language that was learnt is not asked, since
    its translation was an answer already."""

    def pairs(entries: Entries) -> tuple[set[tuple[int, int]], int]:
        """(numbers of words of the language and of the pivot, how many pairs have no vectors)."""
        listed = [(word, sorted(others)) for word, others in entries.items()]
        try:
            found, unknown = known_pairs(listed, of_pivot, of_language)
        except ValueError:  # none is known
            return set(), sum(len(others) for _, others in listed)
        return {(first, second) for second, first in found.tolist()}, unknown

    (every, unknown), (learnt, _), (development, _) = map(
        pairs, (dictionary.everything, dictionary.learnt, dictionary.development)
    )

    def questions(entries: Entries, taken: set[tuple[int, int]]) -> dict[str, Questions]:
        asked, _ = pairs(entries)
        to = sorted({first for first, _ in asked} - {first for first, _ in taken})
        back = sorted({second for _, second in asked} - {second for _, second in taken})
        return {
            "to": Questions(np.array(to, np.int64), _answers(every, to, 0)),
            "from": Questions(np.array(back, np.int64), _answers(every, back, 1)),
        }

    return KnownDictionary(
        _array(learnt),
        _array(development),
        questions(dictionary.held_out, learnt | development),
        questions(dictionary.development, learnt),
        unknown,
        len(every) + unknown,
    )


def frequent_words(texts: Iterable[str], most: int) -> list[str]:
    """Of texts, the most frequent first, equal ones by the alphabet."""
    counts = Counter[str]()
    for text in texts:
        counts.update(words(text))
    return sorted(counts, key=lambda word: (-counts[word], word))[:most]


def _answers(pairs: set[tuple[int, int]], asked: Sequence[int], side: int) -> list[list[int]]:
    found = dict[int, list[int]]()
    for pair in sorted(pairs):
        found.setdefault(pair[side], []).append(pair[1 - side])
    return [found[one] for one in asked]


def _array(pairs: set[tuple[int, int]]) -> Pairs:
    return np.array(sorted(pairs), np.int64).reshape(-1, 2)
