"""A language model of n-grams in a file, and what it says of texts."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.scores.ngrams import arpa
from pipeline.scores.ngrams.ngram_file import (
    PROBING,
    is_binary,
    layout,
    probing_words,
    read_header,
    units,
)
from pipeline.scores.ngrams.ngram_lookup import id_of, room, score_probing
from pipeline.scores.ngrams.ngram_trie import Trie, open_trie, score_trie
from schemas.errors import UserError


class Words(NamedTuple):
    """A vocabulary: `hashes` of words, uint64 ascending, with their `ids`, int32; `begin` and `end` of a sentence."""

    hashes: np.ndarray
    ids: np.ndarray
    begin: int
    end: int


class NGrams:
    """A model in a file: KenLM's binary one, mapped, or ARPA text, read. UserError where it is neither or damaged."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._trie: Trie | None = None
        if not is_binary(path):
            self._file, header = arpa.read(path)
            self._where = layout(header)
            hashes, ids = probing_words(self._file, self._where)
        elif (header := read_header(path)).kind == PROBING:
            self._where = layout(header)
            self._file = units(path, 4 * self._where.end)
            hashes, ids = probing_words(self._file, self._where)
        else:
            self._trie, hashes, ids = open_trie(path, header)
        self.order = header.order
        if len(ids) and (ids.max() > header.counts[0] or ids.min() < 1):
            raise UserError(f"{path} has words beyond its count: it is damaged; copy it again")
        markers = id_of([b"<s>", b"</s>"], hashes, ids)
        if not markers.all():
            raise UserError(f"{path} has no <s> or no </s>, which a perplexity needs; learn it with lmplz of KenLM")
        self.words = Words(hashes, ids, int(markers[0]), int(markers[1]))

    def ids(self, words: list[bytes]) -> np.ndarray:
        """int32 (n,): the id of each word, UNKNOWN where it has none."""
        return id_of(words, self.words.hashes, self.words.ids)

    def score(self, words: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """log10 of the probability of each text, from the beginning of a sentence to its end, float64 (n,); text i's
        ids are words[offsets[i]:offsets[i + 1]], int32."""
        scores = np.zeros(len(offsets) - 1)
        begin, end = self.words.begin, self.words.end
        space = room(int(np.diff(offsets).max(initial=0)) + 2, self.order)
        if self._trie is not None:
            score_trie(self._trie, words, offsets, begin, end, space, scores)
        else:
            at = self._where
            score_probing(self._file, at.unigrams, at.tables, words, offsets, begin, end, space, scores)
        return scores
