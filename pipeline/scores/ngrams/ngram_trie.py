"""KenLM's trie: n-grams as bit-packed records sorted by word, each with the range of the longer ones that end with it.

Values are floats of 31 and 32 bits, or the numbers of bins (`build_binary -q -b`); ranges are whole, or their high bits
lie in an array of their own (`-a`). Sources: KenLM's lm/trie.cc, lm/search_trie.hh, lm/quantize.hh and lm/bhiksha.hh.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.kernels.compiling import inlined, uncounted
from pipeline.scores.ngrams.ngram_file import (
    ARRAY_TRIE,
    QUANTISED_ARRAY_TRIE,
    QUANTISED_TRIE,
    REBUILD,
    Header,
)
from pipeline.scores.ngrams.ngram_lookup import SIGN, sum_of_line
from schemas.errors import UserError

QUANTISED, ARRAYS = (QUANTISED_TRIE, QUANTISED_ARRAY_TRIE), (ARRAY_TRIE, QUANTISED_ARRAY_TRIE)
QUANTISATION, ARRAY_VERSION = 2, 0  # versions that the file says
_BASE, _WORD_BITS, _VALUE_BITS, _NEXT_BITS, _ARRAY, _ARRAY_SIZE, _PROBABILITIES, _BACKOFFS, _COUNT = range(9)


class Trie(NamedTuple):
    """`data` uint8, the file; `unigrams` where its 1-grams begin in it; `orders` int64 (order - 1, 9), from 2-grams
    on: where the records begin, bits of a word, of values and of a range's begin, where an array of high bits begins
    and its size, and where the bins of probabilities and backoffs begin in `bins`, float32, and how many records there
    are. `quantised` bits of both, or 0."""

    data: np.ndarray
    unigrams: int
    orders: np.ndarray
    bins: np.ndarray
    probability_bits: int
    backoff_bits: int


def required_bits(number: int) -> int:
    return number.bit_length()


def chopped(n_records: int, most: int, bits: int) -> int:
    """How many high bits of numbers up to `most` lie in an array, where that takes least (bhiksha.cc, ChopBits)."""
    required = required_bits(most)
    costs = [(most >> (required - chop)) * 64 - n_records * chop for chop in range(min(required, bits) + 1)]
    return costs.index(min(costs))


def open_trie(path: Path, header: Header) -> tuple[Trie, np.ndarray, np.ndarray]:
    """The trie in a file, mapped, with the hashes of its words, uint64 ascending, and their ids, int32. UserError where
    the file is shorter than its header says, or of another version."""
    size = path.stat().st_size
    counts, order = header.counts, header.order
    at = header.size + 8 + 8 * counts[0]
    if size < at + 8:
        raise _cut(path, size, at + 8)
    data = np.memmap(path, np.uint8, "r").view(np.ndarray)
    probability_bits = backoff_bits = 0
    bins = np.zeros(1, np.float32)
    if header.kind in QUANTISED:
        version, probability_bits, backoff_bits = data[at : at + 3].tolist()
        if version != QUANTISATION or not 0 < probability_bits <= 25 or not 0 < backoff_bits <= 25:
            raise UserError(f"{path} is quantised in a way that is not known here; {REBUILD}")
        n_bins = (order - 2) * (1 << backoff_bits) + (order - 1) * (1 << probability_bits)
        if size < at + 8 + 4 * n_bins:
            raise _cut(path, size, at + 8 + 4 * n_bins)
        bins = np.frombuffer(data[at + 8 : at + 8 + 4 * n_bins].tobytes(), "<f4")
        at += 8 + 4 * n_bins
    unigrams = at
    at += 16 * (counts[0] + 2)
    word_bits = required_bits(counts[0])
    bits = 0
    if header.kind in ARRAYS and order > 2:
        if size < at + 2:
            raise _cut(path, size, at + 2)
        version, bits = data[at : at + 2].tolist()
        if version != ARRAY_VERSION:
            raise UserError(f"{path} has pointers packed in a way that is not known here; {REBUILD}")
    orders = np.zeros((order - 1, 9), np.int64)
    bin_at = 0
    for n in range(2, order + 1):
        last = n == order
        row = orders[n - 2]
        row[_WORD_BITS], row[_PROBABILITIES], row[_COUNT] = word_bits, bin_at, counts[n - 1]
        bin_at += 1 << probability_bits
        row[_BACKOFFS] = bin_at
        bin_at += 0 if last else 1 << backoff_bits
        if header.kind in QUANTISED:
            row[_VALUE_BITS] = probability_bits + (0 if last else backoff_bits)
        else:
            row[_VALUE_BITS] = 31 if last else 63
        if not last:
            row[_NEXT_BITS] = required_bits(counts[n])
            if header.kind in ARRAYS:
                chop = chopped(counts[n - 1] + 1, counts[n], bits)
                row[_NEXT_BITS] -= chop
                row[_ARRAY] = -(-at // 8) * 8 + 8
                row[_ARRAY_SIZE] = (counts[n] >> int(row[_NEXT_BITS])) + 1
                at += 8 * (1 + int(row[_ARRAY_SIZE])) + 7
        row[_BASE] = at
        total = int(row[_WORD_BITS] + row[_VALUE_BITS] + row[_NEXT_BITS])
        at += ((1 + counts[n - 1]) * total + 7) // 8 + 8
    if size < at:
        raise _cut(path, size, at)
    n_words = int.from_bytes(data[header.size : header.size + 8].tobytes(), "little")
    if n_words > counts[0]:
        raise UserError(f"{path} has words beyond its count: it is damaged; copy it again")
    hashes = np.frombuffer(data[header.size + 8 : header.size + 8 + 8 * n_words].tobytes(), "<u8")
    trie = Trie(data, unigrams, orders, bins, probability_bits, backoff_bits)
    return trie, hashes, np.arange(1, n_words + 1, dtype=np.int32)


def _cut(path: Path, size: int, needed: int) -> UserError:
    return UserError(f"{path} has {size} bytes where its header says {needed} or more: it was cut; copy it again")


@inlined
def _bits(data, at, n):
    """n bits, at most 57, from bit `at` on, least first."""
    byte = at >> 3
    word = np.uint64(0)
    for i in range(8):
        word |= np.uint64(data[byte + i]) << np.uint64(8 * i)
    return np.int64((word >> np.uint64(at & 7)) & ((np.uint64(1) << np.uint64(n)) - np.uint64(1)))


@inlined
def _number(data, byte):
    return _bits(data, byte * 8, 32) | _bits(data, byte * 8 + 32, 32) << 32


@inlined
def _float(data, at):
    return np.uint32(_bits(data, at, 32)).view(np.float32)


@uncounted
def _last_not_above(data, begin, size, number):
    """The last of `size` rising numbers of eight bytes at data[begin:] that is not above `number`; the first is 0."""
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        if _number(data, begin + 8 * middle) <= number:
            low = middle + 1
        else:
            high = middle
    return low - 1


@uncounted
def _range(data, of_order, record, at, total):
    """Begin and end of the longer n-grams of a record, whose begin lies at bit `at`, its end in the next record."""
    bits = of_order[_NEXT_BITS]
    begin = _bits(data, at, bits)
    end = _bits(data, at + total, bits)
    if of_order[_ARRAY]:
        begin |= _last_not_above(data, of_order[_ARRAY], of_order[_ARRAY_SIZE], record) << bits
        end |= _last_not_above(data, of_order[_ARRAY], of_order[_ARRAY_SIZE], record + 1) << bits
    return begin, end


@uncounted
def _word(trie, i, room):
    """What the n-grams that end with word i of a line say: probability, length, backoffs."""
    data, orders = trie.data, trie.orders
    order = len(orders) + 1
    at = trie.unigrams + 16 * np.int64(room.line[i])
    room.probability[i] = _float(data, at * 8)
    room.backoff[1, i] = _float(data, at * 8 + 32)
    room.found[i] = 1
    begin, end = _number(data, at + 8), _number(data, at + 24)
    for n in range(2, order):
        room.backoff[n, i] = 0
    for n in range(2, min(order, i + 1) + 1):
        of_order = orders[n - 2]
        total = of_order[_WORD_BITS] + of_order[_VALUE_BITS] + of_order[_NEXT_BITS]
        begin, end = max(begin, 0), min(end, of_order[_COUNT])  # of a damaged file they may be anything
        base, stop = of_order[_BASE] * 8, end
        wanted = np.int64(room.line[i - n + 1])
        while begin < end:
            middle = (begin + end) // 2
            if _bits(data, base + middle * total, of_order[_WORD_BITS]) < wanted:
                begin = middle + 1
            else:
                end = middle
        if begin >= stop or _bits(data, base + begin * total, of_order[_WORD_BITS]) != wanted:
            break
        at = base + begin * total + of_order[_WORD_BITS]
        if trie.probability_bits:
            if n < order:
                number = _bits(data, at, trie.backoff_bits)
                room.backoff[n, i] = trie.bins[of_order[_BACKOFFS] + number]
                number = _bits(data, at + trie.backoff_bits, trie.probability_bits)
            else:
                number = _bits(data, at, trie.probability_bits)
            room.probability[i] = trie.bins[of_order[_PROBABILITIES] + number]
        else:
            room.probability[i] = np.uint32(np.uint32(_bits(data, at, 31)) | SIGN).view(np.float32)
            if n < order:
                room.backoff[n, i] = _float(data, at + 31)
        room.found[i] = n
        if n < order:
            begin, end = _range(data, of_order, begin, at + of_order[_VALUE_BITS], total)


@uncounted
def score_trie(trie, words, offsets, begin, end, room, scores):
    """As `ngram_lookup.score_probing`, in a trie."""
    order = len(trie.orders) + 1
    for text in range(len(scores)):
        first = offsets[text]
        n = offsets[text + 1] - first + 2
        room.line[0], room.line[n - 1] = begin, end
        for i in range(1, n - 1):
            room.line[i] = words[first + i - 1]
        for i in range(n):
            _word(trie, i, room)
        scores[text] = sum_of_line(n, order, room)
