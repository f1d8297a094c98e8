"""fastText text classifiers, run by our own code (Joulin et al. 2016, arXiv 1607.01759 and 1612.03651).

Reads what the fastText library writes: `.bin` (dense, memory-mapped, so that all workers of a machine share one copy)
and `.ftz` (product-quantised, with a pruned vocabulary or without), for the losses softmax, hierarchical softmax, one
against all and negative sampling. A text's vector is the mean of the rows of its words, their character n-grams and,
where the model has them, its word n-grams; n-grams find their row by FNV-1a over signed bytes, as in fastText.
Scores are the library's to 2e-4; it adds 1e-5 to every probability before it takes a logarithm, which we do not.

Words are parted by ASCII white space and NUL. A line feed is white space here, not the end of the text.
"""

import functools
import math
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np

from pipeline.kernels.compiling import kernel
from pipeline.language.fasttext_format import Quantised, Reader, shape
from schemas.errors import UserError

MAGIC = 793712314
VERSIONS = (11, 12)
HIERARCHICAL, NEGATIVE_SAMPLING, SOFTMAX, ONE_VS_ALL = 1, 2, 3, 4
SUPERVISED = 3
LABEL_PREFIX = b"__label__"
END = b"</s>"

# A quantised matrix that would take more than this as floats stays quantised, and its rows are built as they are added.
MAX_DEQUANTISED_BYTES = 256 << 20
MAX_DIM, MAX_NGRAM = 1 << 16, 1 << 10
SCORED_AT_ONCE = 8
LEAST_LOGIT = -20.0  # below the largest: a label of which softmax makes nothing
KEPT_WORDS = 1 << 12  # whose sums are kept, so that a word that comes again costs one addition
MAX_PRUNED_BUCKETS = 1 << 26
NO_WEIGHT = 10**15  # fastText's, of an inner node that is not there yet

_FNV_START, _FNV_PRIME = np.uint64(2166136261), np.uint64(16777619)
_LOW_32, _SIGN = np.uint64(0xFFFFFFFF), np.uint64(0xFFFFFF00)
_WORD_PRIME = np.uint64(116049371)
_HIGH_32, _BIT_31 = np.uint64(0xFFFFFFFF00000000), np.uint64(0x80000000)
_OPEN, _CLOSE = np.uint64(ord("<")), np.uint64(ord(">"))
_BIT_7, _THREE, _SEVEN = np.uint64(0x80), np.uint64(3), np.uint64(7)
_PREFIX = tuple(LABEL_PREFIX)
_END_HASH = np.uint64(functools.reduce(lambda state, byte: (state ^ byte) * 16777619 & 0xFFFFFFFF, END, 2166136261))


class FastText:
    """A supervised fastText model. `labels` are the file's, without `__label__`; `dim` is the length of a vector."""

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
        needed = self._n_words + (int(self._bucket_rows.max(initial=-1)) + 1 if self._pruned >= 0 else 0)
        if self._pruned < 0 and (self.max_n > 0 or self.word_ngrams > 1):
            needed += self.buckets
        if rows < needed:
            raise ValueError("its matrices do not fit")
        empty = Quantised(np.zeros((0, 1), np.uint8), np.zeros(0, np.float32), np.zeros((1, 1, 1), np.float32))
        dense = np.zeros((0, 1), np.float32) if isinstance(self._rows, Quantised) else self._rows
        coded = self._rows if isinstance(self._rows, Quantised) else empty
        self._matrix = (dense, coded.codes, coded.norms, coded.centroids)
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
        self._n_words = n_words
        self._end = words.index(END) if END in words else -1
        self._bytes, self._offsets, self._hashes, self._slots = _hash_table(words)
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

    def sums(self, text: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sum of the rows of each span of `text` (UTF-8, uint8), float32 of shape (n_spans, dim), and how many rows
        each is the sum of, int64 of shape (n_spans,). `starts` and `ends` are int64 offsets into `text`."""
        total = np.zeros((len(starts), self.dim), np.float32)
        counts = np.zeros(len(starts), np.int64)
        _sum(
            text, np.asarray(starts, np.int64), np.asarray(ends, np.int64),
            self._bytes, self._offsets, self._hashes, self._slots,
            self.min_n, self.max_n, self.word_ngrams, self.buckets, self._end,
            self._present, self._bucket_rows, *self._matrix, total, counts,
        )  # fmt: skip
        return total, counts

    def end(self) -> np.ndarray:
        """The row that fastText adds at a line's end, float32 of shape (dim,); zeros where the model has none."""
        if self._end < 0:
            return np.zeros(self.dim, np.float32)
        if isinstance(self._rows, Quantised):
            line_end = slice(self._end, self._end + 1)
            rows = self._rows
            return Quantised(rows.codes[line_end], rows.norms[line_end], rows.centroids).dense(self.dim)[0]
        return np.array(self._rows[self._end], np.float32)

    def scores(self, sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Probability of each label, float32 of shape (n, n_labels), from `sums` (n, dim) of `counts` (n,) rows, to
        which the row of a line's end is added. Zeros where there is no row at all. One against all: each on its own."""
        total = sums + self.end()
        counts = np.asarray(counts, np.int64) + (self._end >= 0)
        probabilities = np.zeros((len(total), len(self.labels)), np.float32)
        _score(total, counts, self._weights, self.loss, self._left, self._right, probabilities)
        probabilities[counts == 0] = 0
        return probabilities

    def predict(self, text: str, k: int = 1) -> tuple[tuple[str, ...], tuple[float, ...]]:
        """The `k` likeliest labels of a text and their scores, as fastText's own; level scores in the file's order."""
        data = np.frombuffer(text.encode("utf-8", "ignore"), np.uint8)
        sums, counts = self.sums(data, np.array([0]), np.array([len(data)]))
        if counts[0] + (self._end >= 0) == 0:
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


def _hash_table(words: list[bytes]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Words by FNV hash with open addressing: their bytes, offsets (n + 1), hashes, and slots (word or -1). Not one of
    `kernels.hash_table`: fastText's hashes have 32 bits, in which words collide, so their bytes must be compared."""
    data = np.frombuffer(b"".join(words), np.uint8)
    offsets = np.zeros(len(words) + 1, np.int64)
    np.cumsum([len(word) for word in words], out=offsets[1:])
    slots = np.full(1 << max(4, (2 * len(words)).bit_length()), -1, np.int32)
    hashes = np.zeros(len(words), np.uint32)
    _fill(data, offsets, hashes, slots)
    return data, offsets, hashes, slots


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
def _step(state: np.uint64, byte: np.uint64) -> np.uint64:
    """One byte of FNV-1a, which fastText feeds signed."""
    if byte >= np.uint64(128):
        byte = byte | _SIGN
    return ((state ^ byte) * _FNV_PRIME) & _LOW_32


@kernel
def _fill(data, offsets, hashes, slots) -> None:
    mask = np.uint64(len(slots) - 1)
    for word in range(len(hashes)):
        state = _FNV_START
        for at in range(offsets[word], offsets[word + 1]):
            state = _step(state, np.uint64(data[at]))
        hashes[word] = state
        slot = state & mask
        while slots[slot] >= 0:
            slot = (slot + np.uint64(1)) & mask
        slots[slot] = word


@kernel
def _find(text, start, end, state, data, offsets, hashes, slots) -> int:
    """Index of a word, or -1."""
    mask = np.uint64(len(slots) - 1)
    slot = state & mask
    while slots[slot] >= 0:
        word = slots[slot]
        if np.uint64(hashes[word]) == state and offsets[word + 1] - offsets[word] == end - start:
            same = True
            for i in range(end - start):
                if data[offsets[word] + i] != text[start + i]:
                    same = False
                    break
            if same:
                return word
        slot = (slot + np.uint64(1)) & mask
    return -1


@kernel
def _add(row, dense, codes, norms, centroids, total) -> None:
    """Adds a row of the matrix, dense or quantised, to `total`."""
    if len(dense):
        for i in range(len(total)):
            total[i] += dense[row, i]
        return
    width = centroids.shape[2]
    for i in range(len(total)):
        part = i // width
        total[i] += norms[row] * centroids[part, codes[row, part], i - part * width]


@kernel
def _bucket_row(state, buckets, inverse, shift, present, bucket_rows) -> np.int64:
    """Row of the bucket that a hash of 32 bits falls into, counted after the words, or -1 where it was pruned."""
    # state % buckets by a multiplication, which may be one too few: this is the most frequent step of all.
    bucket = state - ((state * inverse) >> shift) * buckets
    if bucket >= buckets:
        bucket -= buckets
    if len(present) == 0:
        return np.int64(bucket)
    # Few n-grams are left in a pruned model, and the bits that say which fit a processor's cache.
    if not (present[bucket >> _THREE] >> np.uint8(bucket & _SEVEN)) & 1:
        return np.int64(-1)
    return np.int64(bucket_rows[bucket])


@kernel
def _is_label(text, start, end) -> bool:
    """fastText passes over words that begin as its labels do."""
    if end - start < len(_PREFIX):
        return False
    for i in range(len(_PREFIX)):  # noqa: SIM110 (numba has no all())
        if text[start + i] != _PREFIX[i]:
            return False
    return True


@kernel
def _sum(
    text, starts, ends, data, offsets, hashes, slots, min_n, max_n, word_ngrams, buckets, end_word,
    present, bucket_rows, dense, codes, norms, centroids, totals, counts,
) -> None:  # fmt: skip
    """Single arrays, not tuples of them: numba would count references to each in the inner loop."""
    n_words = len(hashes)
    many = np.uint64(max(1, buckets))
    shift = np.uint64(30)
    while many >> (shift - np.uint64(30)):
        shift += np.uint64(1)
    inverse = (np.uint64(1) << shift) // many  # less than 2 ** 31
    running = np.zeros(max(1, word_ngrams - 1), np.uint64)
    longest = 0
    for span in range(len(starts)):
        longest = max(longest, ends[span] - starts[span])
    hashed, closes = np.empty(longest + 2, np.uint64), np.empty(longest + 2, np.bool_)
    # Sums of words that came before, by hash: where each began, how long it was, its sum and how many rows that has.
    kept_at, kept_size = np.zeros(KEPT_WORDS, np.int64), np.full(KEPT_WORDS, -1, np.int64)
    kept_sums, kept_rows = np.zeros((KEPT_WORDS, totals.shape[1]), np.float32), np.zeros(KEPT_WORDS, np.int64)
    for span in range(len(starts)):
        at, end = starts[span], ends[span]
        text_total = totals[span]
        rows, n_running = 0, 0
        last = False
        while not last:
            while at < end and (text[at] == 32 or text[at] == 0 or 9 <= text[at] <= 13):
                at += 1
            begin = at
            state = _FNV_START
            while at < end and not (text[at] == 32 or text[at] == 0 or 9 <= text[at] <= 13):
                state = _step(state, np.uint64(text[at]))
                at += 1
            if at == begin:  # word n-grams reach over the line's end
                last = True
                state = _END_HASH
            elif _is_label(text, begin, at):
                continue
            else:
                slot = state & np.uint64(KEPT_WORDS - 1)
                size = at - begin
                same = kept_size[slot] == size
                if same:
                    for i in range(size):
                        if text[kept_at[slot] + i] != text[begin + i]:
                            same = False
                            break
                total = kept_sums[slot]
                if not same:
                    before = rows
                    total[:] = 0
                    word = _find(text, begin, at, state, data, offsets, hashes, slots)
                    if word >= 0:
                        _add(word, dense, codes, norms, centroids, total)
                        rows += 1
                    if max_n > 0 and buckets > 0 and (word < 0 or word != end_word):
                        # Character n-grams of <word>; bytes as they are hashed, and whether a character ends with each.
                        closed = at - begin + 2
                        hashed[0], closes[0] = _OPEN, True
                        for i in range(begin, at):
                            byte = np.uint64(text[i])
                            hashed[i - begin + 1] = byte | _SIGN if byte >= _BIT_7 else byte
                            closes[i - begin + 1] = i + 1 == at or text[i + 1] & 0xC0 != 0x80
                        hashed[closed - 1], closes[closed - 1] = _CLOSE, True
                        for first in range(closed):
                            if first and not closes[first - 1]:
                                continue
                            part, length = _FNV_START, 0
                            for i in range(first, closed):
                                part = ((part ^ hashed[i]) * _FNV_PRIME) & _LOW_32
                                if not closes[i]:
                                    continue
                                length += 1
                                if length >= min_n and not (length == 1 and (first == 0 or i == closed - 1)):
                                    row = _bucket_row(part, many, inverse, shift, present, bucket_rows)
                                    if row >= 0:
                                        _add(n_words + row, dense, codes, norms, centroids, total)
                                        rows += 1
                                if length == max_n:
                                    break
                    kept_at[slot], kept_size[slot], kept_rows[slot] = begin, size, rows - before
                    rows = before
                for i in range(len(text_total)):
                    text_total[i] += total[i]
                rows += kept_rows[slot]
            if word_ngrams > 1 and buckets > 0:
                # `running` holds the hashes of the n-grams that began in the words before, the latest first.
                signed = state | _HIGH_32 if state & _BIT_31 else state
                for k in range(n_running):
                    running[k] = running[k] * _WORD_PRIME + signed
                    row = np.int64(running[k] % many)
                    if len(present):
                        row = np.int64(bucket_rows[row])
                    if row >= 0:
                        _add(n_words + row, dense, codes, norms, centroids, text_total)
                        rows += 1
                for k in range(len(running) - 1, 0, -1):
                    running[k] = running[k - 1]
                running[0] = signed
                n_running = min(n_running + 1, word_ngrams - 1)
        counts[span] = rows


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
                yes = 1 / (1 + math.exp(-np.float64(logits[node])))
                weight_of[left[node]] = weight_of[n_labels + node] * (1 - yes)
                weight_of[right[node]] = weight_of[n_labels + node] * yes
            for label in range(n_labels):
                probabilities[row, label] = weight_of[label]
        elif loss == SOFTMAX:
            top, whole = logits.max(), 0.0
            for label in range(n_labels):
                # Most labels are nowhere near: their 1e-9 is none.
                near = logits[label] - top > LEAST_LOGIT
                weight_of[label] = math.exp(np.float64(logits[label] - top)) if near else 0.0
                whole += weight_of[label]
            for label in range(n_labels):
                probabilities[row, label] = weight_of[label] / whole
        else:
            # fastText looks the sigmoid up in a table of 512 steps between -8 and 8.
            for label in range(n_labels):
                logit = min(8.0, max(-8.0, np.float64(logits[label])))
                if abs(logit) < 8:
                    logit = math.floor((logit + 8) * 32) / 32 - 8
                    probabilities[row, label] = 1 / (1 + math.exp(-logit))
                else:
                    probabilities[row, label] = 1.0 if logit > 0 else 0.0
