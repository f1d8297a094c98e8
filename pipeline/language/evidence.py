"""What a text's commonest words say about its language, beside what a model says.

A list has the words that make up most of a language's running text, each with a weight: the logarithm of how much more
frequent it is there than a word that is on no list (`FLOOR`). The evidence for a language is the sum of the weights of
a text's words, over how many words it has: a naive Bayes classifier of unlisted languages' floors, and so 0 where not
one word is on the list. In unspaced scripts a character is a word; only words such as the text's main script has
count, for a few Thai lines have more than an English page. `usual` is the median of texts known to be in the language
that were not used for its list.

`calibration.json` holds lists of the shipped model's languages, and so for many more than lid.176 knows: it is by them
that it does not call Hausa English. jobs/fit_language.py makes it. It has words, not their hashes, and so holds for any
WORDS_VERSION.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from pipeline.kernels.compiling import kernel
from pipeline.kernels.hash_table import HashTable, find, hash_table
from pipeline.words.characters import UNSPACED_SCRIPTS
from pipeline.words.scripts import NAMES, UNDETERMINED
from pipeline.words.words import HAS_LETTER, IS_SINGLE, Words, word_hashes

SHIPPED = Path(__file__).with_name("calibration.json")
MAX_WORDS = 512  # of a longer text every second, third, … word counts, so that no more do

LIST_SIZE, MIN_SHARE, MIN_COUNT, MIN_TOKENS = 60, 1e-3, 3, 300
FLOOR = 2e-4

_UNSPACED = np.array([name in UNSPACED_SCRIPTS for name in (*NAMES, UNDETERMINED)])


@dataclass(frozen=True, slots=True)
class Profile:
    """Of a language: `words` with their weights, `usual` evidence, `min_score` that a model must give it where its
    evidence is weak."""

    words: Mapping[str, float]
    usual: float
    min_score: float


class Evidence:
    """Lists of many languages as one hash table. `languages`: ISO 639-3 codes, in the order of all arrays here;
    `usual` and `min_score`: float64 of shape (n_languages,)."""

    def __init__(self, profiles: Mapping[str, Profile]) -> None:
        self.languages = tuple(sorted(profiles))
        self.usual = np.array([profiles[code].usual for code in self.languages])
        self.min_score = np.array([profiles[code].min_score for code in self.languages])
        spelled = sorted({word for profile in profiles.values() for word in profile.words})
        hash_of = dict(zip(spelled, word_hashes(spelled).tolist(), strict=True))
        entries = sorted(
            (hash_of[word], number, weight)
            for number, code in enumerate(self.languages)
            for word, weight in profiles[code].words.items()
        )
        self._languages = np.array([number for _, number, _ in entries], np.int32)
        self._weights = np.array([weight for _, _, weight in entries], np.float32)
        hashes = np.array([word_hash for word_hash, _, _ in entries], np.uint64)
        keys, begins = np.unique(hashes, return_index=True)
        self._begins = np.append(begins, len(entries)).astype(np.int64)
        self._table = hash_table(keys, np.arange(len(keys)))

    def of(self, words: Words, scripts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Evidence for each language, float32 of shape (n_texts, n_languages), and on how many words with a letter it
        rests, int64 of shape (n_texts,). `scripts`: of most letters of each text, as `Scripts.main` has it."""
        n_texts = len(words.offsets) - 1
        evidence, counts = np.zeros((n_texts, len(self.languages)), np.float32), np.zeros(n_texts, np.int64)
        _sum(
            words.offsets, words.hashes, words.flags, _UNSPACED[scripts], self._table, self._begins, self._languages,
            self._weights, evidence, counts,
        )  # fmt: skip
        return evidence, counts


@cache
def shipped() -> Evidence:
    """The project's own lists, read once a process."""
    return Evidence(load(SHIPPED))


def load(path: Path) -> dict[str, Profile]:
    """Profiles by ISO 639-3 code."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    return {code: Profile(profile["words"], profile["usual"], profile["min_score"]) for code, profile in stored.items()}


def save(profiles: Mapping[str, Profile], path: Path) -> None:
    """A line a language."""
    lines = [
        f"{json.dumps(code)}: " + json.dumps(
            {"usual": profile.usual, "min_score": profile.min_score, "words": dict(profile.words)}, ensure_ascii=False
        )
        for code, profile in sorted(profiles.items())
    ]  # fmt: skip
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def word_list(sources: Mapping[str, Iterable[str]]) -> dict[str, float]:
    """The list of a language from running words, case-folded, by source; empty from fewer than MIN_TOKENS of them.

    A word's share of the text is the mean over sources of MIN_TOKENS words or more (else over all as one); where there
    are several, it must occur in two, for names and topics do not. At most LIST_SIZE words with a share of MIN_SHARE or
    more that occur MIN_COUNT times. Level words by code.
    """
    counted = {name: Counter(word for word in words if _has_letter(word)) for name, words in sources.items()}
    whole = sum(counted.values(), Counter())
    if whole.total() < MIN_TOKENS:
        return {}
    large = [counts for counts in counted.values() if counts.total() >= MIN_TOKENS] or [whole]
    shares = {word: sum(counts[word] / counts.total() for counts in large) / len(large) for word in whole}
    spread = {word for word in whole if sum(word in counts for counts in counted.values()) >= min(2, len(large))}
    common = sorted(spread, key=lambda word: (-shares[word], word))[:LIST_SIZE]
    return {
        word: round(math.log(shares[word] / FLOOR), 2)
        for word in common
        if whole[word] >= MIN_COUNT and shares[word] >= MIN_SHARE
    }


def _has_letter(word: str) -> bool:
    return any(character.isalpha() for character in word)


@kernel
def _sum(
    offsets: np.ndarray, hashes: np.ndarray, flags: np.ndarray, unspaced: np.ndarray, table: HashTable,
    begins: np.ndarray, languages: np.ndarray, weights: np.ndarray, evidence: np.ndarray, counts: np.ndarray,
) -> None:  # fmt: skip
    for text in range(len(offsets) - 1):
        begin, end = offsets[text], offsets[text + 1]
        step = max(1, (end - begin + MAX_WORDS - 1) // MAX_WORDS)
        seen = 0
        for place in range(begin, end, step):
            if not flags[place] & HAS_LETTER or (flags[place] & IS_SINGLE != 0) != unspaced[text]:
                continue
            seen += 1
            key = find(hashes[place], table)
            if key >= 0:
                for entry in range(begins[key], begins[key + 1]):
                    evidence[text, languages[entry]] += weights[entry]
        counts[text] = seen
        if seen:
            for language in range(evidence.shape[1]):
                evidence[text, language] /= seen
