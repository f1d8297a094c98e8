"""fastText text classifiers, run by our own code (Joulin et al. 2016, arXiv 1607.01759 and 1612.03651).

Reads what the fastText library writes: `.bin` (dense, memory-mapped, so that all workers of a machine share one copy)
and `.ftz` (product-quantised, with a pruned vocabulary or without), for the losses softmax, hierarchical softmax, one
against all and negative sampling. A text's vector is the mean of the rows of its words, their character n-grams and,
where the model has them, its word n-grams; n-grams find their row by FNV-1a over signed bytes, as in fastText.
Scores are the library's to 2e-4; it adds 1e-5 to every probability before it takes a logarithm, which we do not.

Words are parted by ASCII white space and NUL. A line feed is white space here, and `</s>` a
word, not the end of the text.
"""

import math
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np

from pipeline.kernels.compiling import kernel
from pipeline.kernels.elementary import exp
from pipeline.language.fasttext_format import Quantised, Reader, shape
from pipeline.language.fasttext_sums import END, LABEL_PREFIX, hash_table, sum_rows
from schemas.errors import UserError

MAGIC = 793712314
VERSIONS = (11, 12)
HIERARCHICAL, NEGATIVE_SAMPLING, SOFTMAX, ONE_VS_ALL = 1, 2, 3, 4
SUPERVISED = 3

# A quantised matrix that would take more than this as floats stays quantised, and its rows are built as they are added.
MAX_DEQUANTISED_BYTES = 256 << 20
MAX_DIM, MAX_NGRAM = 1 << 16, 1 << 10
SCORED_AT_ONCE = 8
LEAST_LOGIT = -20.0  # below the largest: a label of which softmax makes nothing
MAX_PRUNED_BUCKETS = 1 << 26
NO_WEIGHT = 10**15  # fastText's, of an inner node that is not there yet


class FastText:
    """A supervised fastText model. `labels` are the file's, without `__label__`; `dim` is the length of a vector.

    What kernels of others add rows by: `vocabulary` (bytes uint8, offsets int64 of shape (n_words + 1,)) of the words,
    which are the first rows; `matrix` and `ngram_rows`, as `add_row` and `bucket_row` take them after their first
    arguments; `end_row`, of the line's end or -1.
    """

    def __init__(self, file: BinaryIO, path: Path) -> None:
        reader = Reader(file, path)
        magic, version = reader.numbers("<2i")
        if magic != MAGIC or version not in VERSIONS:
            raise ValueError("it does not begin as one")
        self.dim, _, _, _, _, self.word_ngrams, self.loss, *more = reader.numbers("<12i")
        kind, self.buckets, self.min_n, self.max_n, _ = more
        reader.numbers("<d")
        if kind != SUPERVISED:
            raise ValueError("it holds word vectors, no classifier")
        if self.loss not in (HIERARCHICAL, NEGATIVE_SAMPLING, SOFTMAX, ONE_VS_ALL):
            raise ValueError(f"loss {self.loss} is unknown")
        longest = max(self.max_n, self.word_ngrams)
        if not (0 < self.dim <= MAX_DIM and self.buckets >= 0 and longest <= MAX_NGRAM):
            raise ValueError("its settings make no sense")
        if version == 11:
            self.max_n = 0  # such files were trained without character n-grams, whatever they say

        self._read_words(reader)
        quantised = reader.flag()
        if self._pruned >= 0 and not quantised:
            raise ValueError("its vocabulary is pruned, its matrix is not quantised")
        self._rows = reader.quantised() if quantised else reader.dense(mapped=True)
        rows, dim = shape(self._rows)
        if dim < self.dim if isinstance(self._rows, Quantised) else dim != self.dim:
            raise ValueError("its matrices do not fit")
        if isinstance(self._rows, Quantised) and rows * self.dim * 4 <= MAX_DEQUANTISED_BYTES:
            self._rows = self._rows.dense(self.dim)
        self.n_rows = rows
        both = reader.flag() and quantised
        output: Quantised | np.ndarray = reader.quantised() if both else reader.dense(mapped=False)
        weights = output.dense(self.dim) if isinstance(output, Quantised) else output
        # Hierarchical softmax leaves the last row unused.
        if weights.shape != (len(self.labels), self.dim):
            raise ValueError("its matrices do not fit")
        needed = self.n_words + (int(self._bucket_rows.max(initial=-1)) + 1 if self._pruned >= 0 else 0)
        if self._pruned < 0 and (self.max_n > 0 or self.word_ngrams > 1):
            needed += self.buckets
        if rows < needed:
            raise ValueError("its matrices do not fit")
        empty = Quantised(np.zeros((0, 1), np.uint8), np.zeros(0, np.float32), np.zeros((1, 1, 1), np.float32))
        dense = np.zeros((0, 1), np.float32) if isinstance(self._rows, Quantised) else self._rows
        coded = self._rows if isinstance(self._rows, Quantised) else empty
        self.matrix = (dense, coded.codes, coded.norms, coded.centroids)
        self._weights = np.ascontiguousarray(weights.T)  # so that the sum over labels is the inner, vector loop
        self._left: np.ndarray
        self._right: np.ndarray
        self._left, self._right = _tree(self._label_counts) if self.loss == HIERARCHICAL else (_NONE, _NONE)

    def _read_words(self, reader: Reader) -> None:
        size, n_words, n_labels = reader.numbers("<3i")
        _, self._pruned = reader.numbers("<2q")
        if not (n_words >= 0 and n_labels > 0 and size == n_words + n_labels) or self._pruned > size + self.buckets:
            raise ValueError("its settings make no sense")
        if self._pruned >= 0 and self.buckets > MAX_PRUNED_BUCKETS:
            raise ValueError(f"it has more than {MAX_PRUNED_BUCKETS} buckets")
        words, labels, counts = [], [], []
        for word, count, is_label in reader.entries(size):
            if is_label:
                labels.append(word.removeprefix(LABEL_PREFIX).decode("utf-8", "replace"))
                counts.append(count)
            elif labels:
                raise ValueError("its words come after its labels")
            else:
                words.append(word)
        if len(words) != n_words:
            raise ValueError("its words are not as many as it says")
        self.labels = tuple(labels)
        self._label_counts = counts
        self.n_words = n_words
        self.end_row = words.index(END) if END in words else -1
        self._bytes, self._offsets, self._hashes, self._slots = hash_table(words)
        # Row of each n-gram bucket after the words, -1 where it was pruned; empty where nothing was.
        self._bucket_rows = _NONE
        if self._pruned >= 0:
            self._bucket_rows = np.full(max(self.buckets, 1), -1, np.int32)
            pairs = reader.array("<i4", 2 * self._pruned).reshape(-1, 2)
            if len(pairs):
                if pairs.min() < 0 or pairs[:, 0].max() >= self.buckets:
                    raise ValueError("its settings make no sense")
                self._bucket_rows[pairs[:, 0]] = pairs[:, 1]
        self._present = np.packbits(self._bucket_rows >= 0, bitorder="little")

    @property
    def vocabulary(self) -> tuple[np.ndarray, np.ndarray]:
        return self._bytes, self._offsets

    @property
    def ngram_rows(self) -> tuple[np.ndarray, np.ndarray]:
        return self._present, self._bucket_rows

    def sums(self, text: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sum of the rows of each span of `text` (UTF-8, uint8), float32 of shape (n_spans, dim), and how many rows
        each is the sum of, int64 of shape (n_spans,). `starts` and `ends` are int64 offsets into `text`."""
        total = np.zeros((len(starts), self.dim), np.float32)
        counts = np.zeros(len(starts), np.int64)
        sum_rows(
            text, np.asarray(starts, np.int64), np.asarray(ends, np.int64),
            self._bytes, self._offsets, self._hashes, self._slots,
            self.min_n, self.max_n, self.word_ngrams, self.buckets, self.end_row,
            self._present, self._bucket_rows, *self.matrix, total, counts,
        )  # fmt: skip
        return total, counts

    def end(self) -> np.ndarray:
        """The row that fastText adds at a line's end, float32 of shape (dim,); zeros where the model has none."""
        if self.end_row < 0:
            return np.zeros(self.dim, np.float32)
        if isinstance(self._rows, Quantised):
            line_end = slice(self.end_row, self.end_row + 1)
            rows = self._rows
            return Quantised(rows.codes[line_end], rows.norms[line_end], rows.centroids).dense(self.dim)[0]
        return np.array(self._rows[self.end_row], np.float32)

    def scores(self, sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Probability of each label, float32 of shape (n, n_labels), from `sums` (n, dim) of `counts` (n,) rows, to
        which the row of a line's end is added. Zeros where there is no row at all. One against all: each on its own."""
        total = sums + self.end()
        counts = np.asarray(counts, np.int64) + (self.end_row >= 0)
        probabilities = np.zeros((len(total), len(self.labels)), np.float32)
        _score(total, counts, self._weights, self.loss, self._left, self._right, probabilities)
        probabilities[counts == 0] = 0
        return probabilities

    def predict(self, text: str, k: int = 1) -> tuple[tuple[str, ...], tuple[float, ...]]:
        """The `k` likeliest labels of a text and their scores, as fastText's own; level scores in the file's order."""
        data = np.frombuffer(text.encode("utf-8", "ignore"), np.uint8)
        sums, counts = self.sums(data, np.array([0]), np.array([len(data)]))
        if counts[0] + (self.end_row >= 0) == 0:
            return (), ()
        scores = self.scores(sums, counts)[0]
        best = np.argsort(-scores, kind="stable")[:k]
        return tuple(self.labels[i] for i in best), tuple(float(scores[i]) for i in best)


def load(path: str | Path) -> FastText:
    """The model in a file. ValueError, in one line, where there is none."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"there is no language model at {path}; name a fastText .bin or .ftz file")
    try:
        with path.open("rb") as file:
            return FastText(file, path)
    except (ValueError, struct.error, OverflowError, MemoryError) as error:
        raise UserError(f"{path} is no fastText model: {error or 'too large'}; name a .bin or .ftz file") from None


_NONE = np.zeros(0, np.int32)


def _tree(counts: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Children of each inner node of fastText's Huffman tree over labels, int32 of shape (n_labels - 1,); a child below
    n_labels is a label, n_labels + i inner node i. Labels come by falling count."""
    n = len(counts)
    weight = [*counts, *([NO_WEIGHT] * n)]
    left, right = np.zeros(n - 1, np.int32), np.zeros(n - 1, np.int32)
    leaf, node = n - 1, n
    for i in range(n - 1):
        least = []
        for _ in range(2):
            if leaf >= 0 and weight[leaf] < weight[node]:
                least.append(leaf)
                leaf -= 1
            else:
                least.append(node)
                node += 1
        if node > n + i:
            raise ValueError("its labels' counts make no sense")
        left[i], right[i] = least
        weight[n + i] = weight[least[0]] + weight[least[1]]
    return left, right


@kernel
def _score(totals, counts, weights, loss, left, right, probabilities) -> None:
    """Writes `probabilities`, of shape (n, n_labels); `weights` are (dim, n_labels)."""
    n_labels = probabilities.shape[1]
    weight_of = np.zeros(2 * n_labels, np.float64)
    for row in range(len(totals)):
        if row % SCORED_AT_ONCE == 0:  # so that the weights come from memory once for several rows
            logits_of = np.zeros((SCORED_AT_ONCE, n_labels), np.float32)
            for i in range(totals.shape[1]):
                for block_row in range(row, min(row + SCORED_AT_ONCE, len(totals))):
                    value = totals[block_row, i] / np.float32(max(1, counts[block_row]))
                    for label in range(n_labels):
                        logits_of[block_row - row, label] += value * weights[i, label]
        logits = logits_of[row % SCORED_AT_ONCE]
        if loss == HIERARCHICAL:
            weight_of[2 * n_labels - 2] = 1
            for node in range(n_labels - 2, -1, -1):
                yes = 1 / (1 + exp(-np.float64(logits[node])))
                weight_of[left[node]] = weight_of[n_labels + node] * (1 - yes)
                weight_of[right[node]] = weight_of[n_labels + node] * yes
            for label in range(n_labels):
                probabilities[row, label] = weight_of[label]
        elif loss == SOFTMAX:
            top, whole = logits.max(), 0.0
            for label in range(n_labels):
                # Most labels are nowhere near: their 1e-9 is none.
                near = logits[label] - top > LEAST_LOGIT
                weight_of[label] = exp(np.float64(logits[label] - top)) if near else 0.0
                whole += weight_of[label]
            for label in range(n_labels):
                probabilities[row, label] = weight_of[label] / whole
        else:
            # fastText looks the sigmoid up in a table of 512 steps between -8 and 8.
            for label in range(n_labels):
                logit = min(8.0, max(-8.0, np.float64(logits[label])))
                if abs(logit) < 8:
                    logit = math.floor((logit + 8) * 32) / 32 - 8
                    probabilities[row, label] = 1 / (1 + exp(-logit))
                else:
                    probabilities[row, label] = 1.0 if logit > 0 else 0.0
