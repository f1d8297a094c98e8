"""Probabilities of n-grams with backoff (Katz 1987), looked up in KenLM's tables of hashes as they lie in the file.

KenLM follows one word's n-grams from the shortest to the longest. Here all words of a text are taken at once, order by
order: then lookups do not wait for each other, and memory answers several at a time. The n-grams found are the same,
and so is the score but for its rounding: KenLM adds float32, this float64.
"""

from typing import NamedTuple

import numpy as np

from pipeline.kernels.compiling import inlined, uncounted, whole

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


@uncounted
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
    ideal = begin + np.int64(key % np.uint64(buckets)) * width
    at = ideal
    while True:
        there = _key(file, at)
        if there == key:
            return at
        if there == np.uint64(0):
            return np.int64(-1)
        at += width
        if at == begin + buckets * width:
            at = whole(begin)
        if at == ideal:  # no bucket is free: the file is damaged
            return np.int64(-1)


@inlined
def _key(file, at):
    return np.uint64(file[at]) | np.uint64(file[at + 1]) << np.uint64(32)


class Room(NamedTuple):
    """What is known of each word of a line: the key of the longest n-gram that ends with it and its length, which words
    may have longer ones, where to look; `backoff` float32 (order + 1, n) by length."""

    line: np.ndarray
    keys: np.ndarray
    found: np.ndarray
    alive: np.ndarray
    places: np.ndarray
    waiting: np.ndarray
    probability: np.ndarray
    backoff: np.ndarray


def room(words: int, order: int) -> Room:
    return Room(
        np.empty(words, np.uint32), np.empty(words, np.uint64), np.empty(words, np.int32), np.empty(words, np.int32),
        np.empty(words, np.int64), np.empty(words, np.int32), np.empty(words, np.float32),
        np.empty((order + 1, words), np.float32),
    )  # fmt: skip


@uncounted
def _one_words(file, unigrams, n, room):
    """The 1-grams of a line; how many words may have longer ones."""
    left = 0
    for i in range(n):
        at = unigrams + 2 * np.int64(room.line[i])
        bits = file[at]
        room.probability[i] = np.uint32(bits | SIGN).view(np.float32)
        room.backoff[1, i] = np.uint32(file[at + 1]).view(np.float32)
        room.found[i] = 1
        room.keys[i] = room.line[i]
        room.alive[left] = i
        left += whole(bits & SIGN == 0 and i > 0)  # with the sign no longer n-gram ends so
    return left


@uncounted
def _longer_ones(file, begin, buckets, width, n_gram, order, n, left, room):
    """The n-grams of a line, n > 1, that end with the words room.alive[:left]; how many may have longer ones."""
    line, keys, alive, places, backoff = room.line, room.keys, room.alive, room.places, room.backoff
    stop = begin + buckets * width
    touched = np.uint32(0)
    for j in range(left):  # nothing here waits for memory, so that many entries are asked for at once
        i = whole(alive[j])
        keys[i] = longer(keys[i], line[i - n_gram + 1])
        places[j] = begin + np.int64(keys[i] % np.uint64(buckets)) * width
        touched ^= file[places[j]]
    room.waiting[0] = touched
    if n_gram < order:
        for i in range(n):
            backoff[n_gram, i] = 0
    kept = 0
    for j in range(left):
        i, at = whole(alive[j]), whole(places[j])
        ideal, key = at, keys[i]
        there = _key(file, at)
        while there != key and there != np.uint64(0):
            at += width
            if at == stop:
                at = whole(begin)
            if at == ideal:  # no bucket is free: the file is damaged
                break
            there = _key(file, at)
        if there == key:
            bits = file[at + 2]
            room.probability[i] = np.uint32(bits | SIGN).view(np.float32)
            room.found[i] = n_gram
            if n_gram < order:
                backoff[n_gram, i] = np.uint32(file[at + 3]).view(np.float32)
                alive[kept] = i
                kept += whole((bits & SIGN == 0) & (i >= n_gram))
    return kept


@uncounted
def sum_of_line(n, order, room):
    """The logarithm of a line: what was found, and for each word the weights of backing off to it."""
    backoff = room.backoff
    for i in range(n):
        backoff[order, i] = 0
    for n_gram in range(order - 1, 0, -1):
        for i in range(n):
            backoff[n_gram, i] += backoff[n_gram + 1, i]
    total = 0.0
    for i in range(1, n):
        total += np.float64(room.probability[i]) + np.float64(backoff[room.found[i], i - 1])
    return total


@uncounted
def score_probing(file, unigrams, tables, words, offsets, begin, end, room, scores):
    """Writes log10 p(words, end | begin) of each text, float64 (n,); text i's ids are words[offsets[i]:offsets[i +
    1]]."""
    order = len(tables) + 1
    for text in range(len(scores)):
        first = offsets[text]
        n = offsets[text + 1] - first + 2
        room.line[0], room.line[n - 1] = begin, end
        for i in range(1, n - 1):
            room.line[i] = words[first + i - 1]
        left = _one_words(file, unigrams, n, room)
        for n_gram in range(2, order + 1):
            table = n_gram - 2
            left = _longer_ones(
                file, tables[table, 0], tables[table, 1], tables[table, 2], n_gram, order, n, left, room
            )
        scores[text] = sum_of_line(n, order, room)


def id_of(words: list[bytes], hashes: np.ndarray, ids: np.ndarray) -> np.ndarray:
    offsets = np.zeros(len(words) + 1, np.int64)
    np.cumsum([len(word) for word in words], out=offsets[1:])
    found = np.zeros(len(words), np.int32)
    _ids_of(np.frombuffer(b"".join(words) or b"\0", np.uint8), offsets, hashes, ids, found)
    return found
