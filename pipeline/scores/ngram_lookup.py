"""Probabilities of n-grams with backoff (Katz 1987), looked up in KenLM's tables of hashes as they lie in the file.

KenLM follows one word's n-grams from the shortest to the longest. Here all words of a text are taken at once, order by
order: then lookups do not wait for each other, and memory answers several at a time. The n-grams found are the same,
and so is the score but for its rounding: KenLM adds float32, this float64.
"""

import numpy as np

from pipeline.kernels.compiling import inlined, kernel, uncounted

_BY_HISTORY, _BY_WORD = np.uint64(8978948897894561157), np.uint64(17894857484156487943)  # lm/search_hashed.hh
_MIX, _SHIFT = np.uint64(0xC6A4A7935BD1E995), np.uint64(47)
SIGN = np.uint32(0x80000000)
UNKNOWN = 0  # KenLM's id of <unk>


@uncounted
def murmur(data, start, end):
    """MurmurHash64A (Appleby 2008, public domain) with seed 0 of data[start:end], uint8."""
    length = end - start
    h = np.uint64(length) * _MIX
    at = start
    while end - at >= 8:
        k = np.uint64(0)
        for byte in range(8):
            k |= np.uint64(data[at + byte]) << np.uint64(8 * byte)
        k *= _MIX
        k ^= k >> _SHIFT
        k *= _MIX
        h = (h ^ k) * _MIX
        at += 8
    if at < end:
        for byte in range(end - at):
            h ^= np.uint64(data[at + byte]) << np.uint64(8 * byte)
        h *= _MIX
    h ^= h >> _SHIFT
    h *= _MIX
    return h ^ (h >> _SHIFT)


@uncounted
def word_id(hashed, hashes, ids):
    """The id of a word by its hash, UNKNOWN without one."""
    low, high = 0, len(hashes)
    while low < high:
        middle = (low + high) // 2
        if hashes[middle] < hashed:
            low = middle + 1
        else:
            high = middle
    return np.int64(ids[low]) if low < len(hashes) and hashes[low] == hashed else np.int64(UNKNOWN)


@kernel
def _ids_of(data, offsets, hashes, ids, found):
    for i in range(len(found)):
        found[i] = word_id(murmur(data, offsets[i], offsets[i + 1]), hashes, ids)


@inlined
def longer(key, word):
    """The key of an n-gram with a word more before it. Keys run from the last word backwards."""
    return (key * _BY_HISTORY) ^ (np.uint64(np.uint32(word + np.uint32(1))) * _BY_WORD)


@inlined
def find(file, begin, buckets, width, key):
    """Where the entry of a key begins, or -1."""
    ideal = np.int64(key % np.uint64(buckets))
    slot = ideal
    while True:
        at = begin + slot * width
        there = np.uint64(file[at]) | np.uint64(file[at + 1]) << np.uint64(32)
        if there == key:
            return at
        if there == np.uint64(0):
            return np.int64(-1)
        slot += 1
        if slot == buckets:
            slot = np.int64(0)
        if slot == ideal:  # no bucket is free: the file is damaged
            return np.int64(-1)


@kernel
def score_probing(file, unigrams, unigram_width, tables, words, offsets, begin, end, scores):
    """Writes log10 p(words, end | begin) of each text, float64 (n,); text i's ids are
    words[offsets[i]:offsets[i+1]]."""
    order = len(tables) + 1
    longest = np.int64(0)
    for text in range(len(scores)):
        longest = max(longest, offsets[text + 1] - offsets[text])
    line = np.empty(longest + 2, np.uint32)
    keys = np.empty(longest + 2, np.uint64)
    alive = np.empty(longest + 2, np.int32)
    found = np.empty(longest + 2, np.int32)  # the length of the longest n-gram that ends here
    probability = np.empty(longest + 2, np.float32)
    backoff = np.empty((order, longest + 2), np.float32)
    for text in range(len(scores)):
        first = offsets[text]
        n = offsets[text + 1] - first + 2
        line[0], line[n - 1] = begin, end
        for i in range(1, n - 1):
            line[i] = words[first + i - 1]
        left = 0
        for i in range(n):
            at = unigrams + np.int64(line[i]) * unigram_width
            bits = file[at]
            probability[i] = np.uint32(bits | SIGN).view(np.float32)
            backoff[1, i] = np.uint32(file[at + 1]).view(np.float32)
            found[i] = 1
            keys[i] = line[i]
            alive[left] = i
            left += np.int64(bits & SIGN == 0 and i > 0)  # with the sign bit no longer n-gram ends so
        for n_gram in range(2, order + 1):
            table_begin, buckets, width = tables[n_gram - 2, 0], tables[n_gram - 2, 1], tables[n_gram - 2, 2]
            if n_gram < order:
                for i in range(n):
                    backoff[n_gram, i] = 0
            kept = 0
            for j in range(left):
                i = alive[j]
                key = longer(keys[i], line[i - n_gram + 1])
                at = find(file, table_begin, buckets, width, key)
                if at >= 0:
                    bits = file[at + 2]
                    probability[i] = np.uint32(bits | SIGN).view(np.float32)
                    found[i] = n_gram
                    keys[i] = key
                    if n_gram < order:
                        backoff[n_gram, i] = np.uint32(file[at + 3]).view(np.float32)
                        alive[kept] = i
                        kept += np.int64(bits & SIGN == 0 and i >= n_gram)
            left = kept
        total = 0.0
        for i in range(1, n):
            total += np.float64(probability[i])
            for n_gram in range(found[i], order):
                total += np.float64(backoff[n_gram, i - 1])
        scores[text] = total


def id_of(words: list[bytes], hashes: np.ndarray, ids: np.ndarray) -> np.ndarray:
    offsets = np.zeros(len(words) + 1, np.int64)
    np.cumsum([len(word) for word in words], out=offsets[1:])
    found = np.zeros(len(words), np.int32)
    _ids_of(np.frombuffer(b"".join(words) or b"\0", np.uint8), offsets, hashes, ids, found)
    return found
