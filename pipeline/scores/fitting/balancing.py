"""Good and bad texts of a language in pairs of one length, so that a model cannot go by length or language.

Of each language as many good texts as bad ones are taken, of both the k-th longest together, and both are cut to the
same number of words, at most the shorter's: a little less, so that both end in the midst. Of the class that has fewer
texts each is taken up to `most_times`.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.kernels.arrow_text import from_strings
from pipeline.scores.fitting.documents import Documents, word_counts
from pipeline.words.words import words_of

LEAST_WORDS = 20  # of a text: a shorter one says nothing
MOST_TIMES = 4
CUT = 0.7  # at least this share of the shorter text of a pair stays


class Pairs(NamedTuple):
    """Rows of both Documents, and how many words of both are taken; int64 of shape (n,)."""

    good: np.ndarray
    bad: np.ndarray
    words: np.ndarray


def pairs(good: Documents, bad: Documents, seed: int, most_times: int = MOST_TIMES) -> Pairs:
    """Of all languages that both have, in the order of their names."""
    sizes = [word_counts(documents.texts) for documents in (good, bad)]
    labels = [documents.labels() for documents in (good, bad)]
    parts = [np.zeros((3, 0), np.int64)]
    for number, label in enumerate(sorted({*labels[0]} & {*labels[1]})):
        rng = np.random.default_rng((seed, number))
        rows = [np.flatnonzero((own == label) & (size >= LEAST_WORDS)) for own, size in zip(labels, sizes, strict=True)]
        few, many = sorted(map(len, rows))
        if few == 0:
            continue
        count = min(many, most_times * few)
        chosen = []
        for own, size in zip(rows, sizes, strict=True):
            order = np.concatenate([rng.permutation(own) for _ in range(-(-count // len(own)))])[:count]
            chosen.append(order[np.lexsort((order, size[order]))])
        shorter = np.minimum(sizes[0][chosen[0]], sizes[1][chosen[1]])
        taken = np.maximum(LEAST_WORDS, (shorter * rng.uniform(CUT, 1, count)).astype(np.int64))
        parts.append(np.stack([*chosen, taken]))
    return Pairs(*np.concatenate(parts, axis=1))


def first_words(texts: pa.Array, words: np.ndarray) -> list[str]:
    """Of each text its first so many words, and what stands between them."""
    found = words_of(texts)
    answer = []
    for text, first, last, count in zip(
        texts.to_pylist(), found.offsets[:-1].tolist(), found.offsets[1:].tolist(), words.tolist(), strict=True
    ):
        end = None if last - first <= count else int(found.ends[first + count - 1])
        answer.append(text.encode("utf-8", "surrogatepass")[:end].decode("utf-8", "surrogatepass"))
    return answer


def cut(documents: Documents, rows: np.ndarray, words: np.ndarray) -> list[str]:
    """The texts of some rows, cut to so many words each."""
    answer: list[str] = []
    for at in range(0, len(rows), 1000):
        part = from_strings(documents.texts[row] for row in rows[at : at + 1000].tolist())
        answer += first_words(part, words[at : at + 1000])
    return answer
