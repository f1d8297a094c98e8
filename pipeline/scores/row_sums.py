"""The sum of a model's rows over the tokens of texts, for several models that see the same tokens.

Tokens are looked up once, in the words of all models together; each model then adds what it has of them. N-grams of
words are fastText's: of hashes of 32 bits, over the line's end.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipeline.kernels.compiling import kernel
from pipeline.kernels.hash_table import HashTable, hash_table, may_have, slot_of
from pipeline.language.fasttext_model import FastText
from pipeline.language.fasttext_sums import END_HASH, WORD_PRIME, add_row, as_signed
from pipeline.scores.tokens import hashed_sequence, name_keys, span_keys, tokens_of
from pipeline.words.words import Words


class Vocabularies:
    """The words of several models, which are found in one look. ValueError for a model of parts of words."""

    def __init__(self, models: Sequence[FastText]) -> None:
        keys = []
        for model in models:
            if model.max_n > 0:
                raise ValueError("it is made of parts of words")
            keys.append(span_keys(*model.vocabulary))
        self._models = tuple(models)
        every = np.unique(np.concatenate(keys)) if keys else np.zeros(0, np.uint64)
        self._table = hash_table(every, np.arange(len(every)))
        self._rows = []  # of each model: the row of each word of the table, -1 where it has none
        self._shapes = []  # and of each shape token
        for own in keys:
            rows = np.full(len(every) + 1, -1, np.int32)  # the last for what no model knows
            rows[np.searchsorted(every, own)] = np.arange(len(own))
            self._rows.append(rows)
            self._shapes.append(rows[_entries(name_keys(), self._table)])

    def sums(self, texts: pa.Array, words: Words) -> list[tuple[np.ndarray, np.ndarray]]:
        """By model what `FastText.sums` gives of the texts' lines: float32 (n_texts, dim) and int64 (n_texts,)."""
        tokens = tokens_of(texts, words)
        entries = _entries(tokens.keys, self._table)
        sequence = None
        answers = []
        for model, rows, shapes in zip(self._models, self._rows, self._shapes, strict=True):
            totals = np.zeros((len(texts), model.dim), np.float32)
            counts = np.zeros(len(totals), np.int64)
            dense, codes, norms, centroids = model.matrix
            of_tokens = (*tokens[:5], entries, rows, shapes)
            if len(dense):
                _add_dense(*of_tokens, dense, totals, counts)
            else:
                _add_coded(*of_tokens, codes, norms, centroids, totals, counts)
            if model.word_ngrams > 1 and model.buckets > 0:
                sequence = sequence or hashed_sequence(texts, words, tokens)
                _add_ngrams(
                    *sequence, model.n_words, model.word_ngrams, model.buckets, model.ngram_rows[1], *model.matrix,
                    totals, counts,
                )  # fmt: skip
            answers.append((totals, counts))
        return answers


@kernel
def _entries(keys: np.ndarray, table: HashTable) -> np.ndarray:
    """The place of each key in the table, -1 where it is not there."""
    slots, values, seen = table
    entries = np.empty(len(keys), np.int32)
    for at in range(len(keys)):
        key = max(keys[at], np.uint64(1))
        entries[at] = -1
        if may_have(key, seen):
            slot = slot_of(key, slots)
            if slots[slot] != 0:
                entries[at] = values[slot]
    return entries


@kernel
def _add_dense(
    segment_offsets, of_texts, of_segments, first, last, entries, rows, shapes, dense, totals, counts
) -> None:
    """What a text's segments share is added once, as many times as there are segments."""
    dim = totals.shape[1]
    for text in range(len(segment_offsets) - 1):
        count = 0
        many = segment_offsets[text + 1] - segment_offsets[text]
        if many == 0:
            continue
        for column in range(of_texts.shape[1]):
            row = shapes[of_texts[text, column]]
            if row >= 0:
                for i in range(dim):
                    totals[text, i] += np.float32(many) * dense[row, i]
                count += many
        for segment in range(segment_offsets[text], segment_offsets[text + 1]):
            for column in range(of_segments.shape[1]):
                row = shapes[of_segments[segment, column]]
                if row >= 0:
                    for i in range(dim):
                        totals[text, i] += dense[row, i]
                    count += 1
            for word in range(first[segment], last[segment]):
                row = rows[entries[word]]
                if row >= 0:
                    for i in range(dim):
                        totals[text, i] += dense[row, i]
                    count += 1
        counts[text] = count


@kernel
def _add_coded(
    segment_offsets, of_texts, of_segments, first, last, entries, rows, shapes, codes, norms, centroids, totals, counts
) -> None:
    """`_add_dense` of a matrix that is too large for floats; here the sum is taken token by token."""
    dense = np.zeros((0, 1), np.float32)
    for text in range(len(segment_offsets) - 1):
        total, count = totals[text], 0
        for segment in range(segment_offsets[text], segment_offsets[text + 1]):
            for names in (of_segments[segment], of_texts[text]):
                for name in names:
                    if shapes[name] >= 0:
                        add_row(shapes[name], dense, codes, norms, centroids, total)
                        count += 1
            for word in range(first[segment], last[segment]):
                row = rows[entries[word]]
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
