"""The sum of a model's rows over the tokens of texts, for several models that see the same tokens.

Tokens are looked up once, in the words of all models together; each model then adds what it has of them. N-grams of
words are fastText's: of hashes of 32 bits, over the line's end.
"""

from collections.abc import Sequence

import numpy as np

from pipeline.kernels.compiling import kernel
from pipeline.kernels.hash_table import HashTable, find, hash_table, may_have
from pipeline.language.fasttext_model import FastText
from pipeline.language.fasttext_sums import END_HASH, WORD_PRIME, add_row, as_signed
from pipeline.scores.tokens import Tokens, hash_spans


class Vocabularies:
    """The words of several models, which are found in one look. ValueError for a model of parts of words."""

    def __init__(self, models: Sequence[FastText]) -> None:
        keys = []
        for model in models:
            if model.max_n > 0:
                raise ValueError("it is made of parts of words")
            keys.append(hash_spans(*model.vocabulary)[1])
        self._models = tuple(models)
        every = np.unique(np.concatenate(keys)) if keys else np.zeros(0, np.uint64)
        self._table = hash_table(every, np.arange(len(every)))
        self._rows = []  # of each model: the row of each word of the table, -1 where it has none
        for own in keys:
            rows = np.full(len(every) + 1, -1, np.int32)  # the last for what no model knows
            rows[np.searchsorted(every, own)] = np.arange(len(own))
            self._rows.append(rows)

    def sums(self, tokens: Tokens) -> list[tuple[np.ndarray, np.ndarray]]:
        """By model what `FastText.sums` gives of the line: float32 (n_texts, dim) and int64 (n_texts,)."""
        entries = _entries(tokens.keys, self._table)
        answers = []
        for model, rows in zip(self._models, self._rows, strict=True):
            totals = np.zeros((len(tokens.offsets) - 1, model.dim), np.float32)
            counts = np.zeros(len(totals), np.int64)
            _add(tokens.offsets, entries, rows, *model.matrix, totals, counts)
            if model.word_ngrams > 1 and model.buckets > 0:
                _add_ngrams(
                    tokens.offsets, tokens.fnv, model.n_words, model.word_ngrams, model.buckets,
                    model.ngram_rows[1], *model.matrix, totals, counts,
                )  # fmt: skip
            answers.append((totals, counts))
        return answers


@kernel
def _entries(keys: np.ndarray, table: HashTable) -> np.ndarray:
    """The place of each key in the table, -1 where it is not there."""
    entries = np.empty(len(keys), np.int32)
    for at in range(len(keys)):
        entries[at] = find(keys[at], table) if may_have(keys[at], table.seen) else -1
    return entries


@kernel
def _add(offsets, entries, rows, dense, codes, norms, centroids, totals, counts) -> None:
    for text in range(len(offsets) - 1):
        total, count = totals[text], 0
        for at in range(offsets[text], offsets[text + 1]):
            row = rows[entries[at]]
            if row >= 0:
                add_row(row, dense, codes, norms, centroids, total)
                count += 1
        counts[text] = count


@kernel
def _add_ngrams(
    offsets, fnv, n_words, longest, buckets, bucket_rows, dense, codes, norms, centroids, totals, counts
) -> None:
    """N-grams of two to `longest` tokens, the line's end among them."""
    many = np.uint64(buckets)
    running = np.zeros(longest - 1, np.uint64)  # hashes of those that began in the tokens before, the latest first
    for text in range(len(offsets) - 1):
        total, count, n_running = totals[text], 0, 0
        for at in range(offsets[text], offsets[text + 1] + 1):
            signed = as_signed(np.uint64(fnv[at]) if at < offsets[text + 1] else END_HASH)
            for k in range(n_running):
                running[k] = running[k] * WORD_PRIME + signed
                row = np.int64(running[k] % many)
                if len(bucket_rows):
                    row = np.int64(bucket_rows[row])
                if row >= 0:
                    add_row(n_words + row, dense, codes, norms, centroids, total)
                    count += 1
            for k in range(len(running) - 1, 0, -1):
                running[k] = running[k - 1]
            running[0] = signed
            n_running = min(n_running + 1, longest - 1)
        counts[text] += count
