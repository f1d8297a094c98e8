"""Words of a text, their character n-grams and word n-grams as fastText finds them, and the sum of their rows.

N-grams find their row by FNV-1a over signed bytes, as in fastText.
"""

import functools

import numpy as np

from pipeline.kernels.compiling import inlined, kernel

LABEL_PREFIX = b"__label__"
END = b"</s>"
KEPT_WORDS = 1 << 12  # whose sums are kept, so that a word that comes again costs one addition

FNV_START, _FNV_PRIME = np.uint64(2166136261), np.uint64(16777619)
_LOW_32, _SIGN = np.uint64(0xFFFFFFFF), np.uint64(0xFFFFFF00)
WORD_PRIME = np.uint64(116049371)
_HIGH_32, _BIT_31 = np.uint64(0xFFFFFFFF00000000), np.uint64(0x80000000)
_OPEN, _CLOSE = np.uint64(ord("<")), np.uint64(ord(">"))
_BIT_7, _THREE, _SEVEN = np.uint64(0x80), np.uint64(3), np.uint64(7)
_PREFIX = tuple(LABEL_PREFIX)
END_HASH = np.uint64(functools.reduce(lambda state, byte: (state ^ byte) * 16777619 & 0xFFFFFFFF, END, 2166136261))


def hash_table(words: list[bytes]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Words by FNV hash with open addressing: their bytes, offsets (n + 1), hashes, and slots (word or -1). Not one of
    `kernels.hash_table`: fastText's hashes have 32 bits, in which words collide, so their bytes must be compared."""
    data = np.frombuffer(b"".join(words), np.uint8)
    offsets = np.zeros(len(words) + 1, np.int64)
    np.cumsum([len(word) for word in words], out=offsets[1:])
    slots = np.full(1 << max(4, (2 * len(words)).bit_length()), -1, np.int32)
    hashes = np.zeros(len(words), np.uint32)
    _fill(data, offsets, hashes, slots)
    return data, offsets, hashes, slots


@kernel
def step(state: np.uint64, byte: np.uint64) -> np.uint64:
    """One byte of FNV-1a, which fastText feeds signed."""
    if byte >= np.uint64(128):
        byte = byte | _SIGN
    return ((state ^ byte) * _FNV_PRIME) & _LOW_32


@inlined
def as_signed(state):
    """A hash of 32 bits as fastText's n-grams of words take it: with its sign."""
    return state | _HIGH_32 if state & _BIT_31 else state


@kernel
def _fill(data, offsets, hashes, slots) -> None:
    mask = np.uint64(len(slots) - 1)
    for word in range(len(hashes)):
        state = FNV_START
        for at in range(offsets[word], offsets[word + 1]):
            state = step(state, np.uint64(data[at]))
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
def add_row(row, dense, codes, norms, centroids, total) -> None:
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
def bucket_row(state, buckets, inverse, shift, present, bucket_rows) -> np.int64:
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
def sum_rows(
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
            state = FNV_START
            while at < end and not (text[at] == 32 or text[at] == 0 or 9 <= text[at] <= 13):
                state = step(state, np.uint64(text[at]))
                at += 1
            if at == begin:  # word n-grams reach over the line's end
                last = True
                state = END_HASH
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
                        add_row(word, dense, codes, norms, centroids, total)
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
                            part, length = FNV_START, 0
                            for i in range(first, closed):
                                part = ((part ^ hashed[i]) * _FNV_PRIME) & _LOW_32
                                if not closes[i]:
                                    continue
                                length += 1
                                if length >= min_n and not (length == 1 and (first == 0 or i == closed - 1)):
                                    row = bucket_row(part, many, inverse, shift, present, bucket_rows)
                                    if row >= 0:
                                        add_row(n_words + row, dense, codes, norms, centroids, total)
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
                signed = as_signed(state)
                for k in range(n_running):
                    running[k] = running[k] * WORD_PRIME + signed
                    row = np.int64(running[k] % many)
                    if len(present):
                        row = np.int64(bucket_rows[row])
                    if row >= 0:
                        add_row(n_words + row, dense, codes, norms, centroids, text_total)
                        rows += 1
                for k in range(len(running) - 1, 0, -1):
                    running[k] = running[k - 1]
                running[0] = signed
                n_running = min(n_running + 1, word_ngrams - 1)
        counts[span] = rows
