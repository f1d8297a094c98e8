"""The tokens of texts as a classifier is fitted on them, bytes, and as it is asked, hashes.

A word is said case-folded, its digits as 0, so that numbers of as many digits are one word. It is hashed as fastText
does (FNV-1a of 32 bits), for n-grams, and to a key of 64 bits, by which models find it among their words.
"""

from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.kernels.arrow_text import utf8
from pipeline.kernels.compiling import borrowing, kernel
from pipeline.language.fasttext_sums import FNV_START, step
from pipeline.scores.segments import find_segments
from pipeline.scores.shapes import NAMES, shape_tokens
from pipeline.words.characters import DIGIT, Characters, characters, decode
from pipeline.words.words import FIRST, SEED, Words, mix

_ZERO = 0x30


class Tokens(NamedTuple):
    """The tokens of a batch, in order.

    `offsets` int64 (n_texts + 1,): those of text i are offsets[i] : offsets[i + 1]. By token: `fnv` uint32, `keys`
    uint64.
    """

    offsets: np.ndarray
    fnv: np.ndarray
    keys: np.ndarray


@borrowing
def _said(data, at, end, tables, letters):
    """A word as it is said, UTF-8 into `letters`, which has room for three times its bytes and more: how many bytes."""
    size = 0
    while at < end:
        byte = data[at]
        if byte < 128:
            at += 1
            if 65 <= byte <= 90:
                byte += 32
            elif 48 <= byte <= 57:
                byte = _ZERO
            letters[size] = byte
            size += 1
            continue
        point, at = decode(data, at, end)
        kind = tables.kinds[tables.pages[point >> 8], point & 255]
        if tables.flags[kind] & DIGIT:
            letters[size] = _ZERO
            size += 1
            continue
        row = tables.folds[kind]
        for part in range(1 if row < 0 else tables.longer[row, 0]):
            folded = point + tables.shift[kind] if row < 0 else np.int64(tables.longer[row, 1 + part])
            if folded < 0x80:
                letters[size] = folded
                size += 1
            elif folded < 0x800:
                letters[size] = 0xC0 | folded >> 6
                letters[size + 1] = 0x80 | folded & 63
                size += 2
            elif folded < 0x10000:
                letters[size] = 0xE0 | folded >> 12
                letters[size + 1] = 0x80 | folded >> 6 & 63
                letters[size + 2] = 0x80 | folded & 63
                size += 3
            else:
                letters[size] = 0xF0 | folded >> 18
                letters[size + 1] = 0x80 | folded >> 12 & 63
                letters[size + 2] = 0x80 | folded >> 6 & 63
                letters[size + 3] = 0x80 | folded & 63
                size += 4
    return size


@borrowing
def _hashed(letters, begin, end):
    """FNV-1a of 32 bits and a key of 64."""
    state, key = FNV_START, SEED
    for at in range(begin, end):
        state = step(state, np.uint64(letters[at]))
        key = (key ^ np.uint64(letters[at])) * FIRST
        key ^= key >> np.uint64(32)
    return state, mix(key)


@kernel
def _hash_spans(data: np.ndarray, offsets: np.ndarray, fnv: np.ndarray, keys: np.ndarray) -> None:
    for span in range(len(fnv)):
        fnv[span], keys[span] = _hashed(data, offsets[span], offsets[span + 1])


def hash_spans(data: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """fastText's hash, uint32, and the key, uint64, of tokens: the i-th is data[offsets[i] : offsets[i + 1]]."""
    fnv, keys = np.zeros(len(offsets) - 1, np.uint32), np.zeros(len(offsets) - 1, np.uint64)
    _hash_spans(data, offsets, fnv, keys)
    return fnv, keys


@cache
def _names() -> tuple[np.ndarray, np.ndarray]:
    """The bytes of all NAMES, and where each begins; int64 (n + 1,)."""
    names = [name.encode() for name in NAMES]
    offsets = np.zeros(len(names) + 1, np.int64)
    np.cumsum([len(name) for name in names], out=offsets[1:])
    return np.frombuffer(b"".join(names), np.uint8), offsets


@cache
def _name_hashes() -> tuple[np.ndarray, np.ndarray]:
    return hash_spans(*_names())


@kernel
def _hash_tokens(
    tokens: np.ndarray, data: np.ndarray, places: np.ndarray, token_offsets: np.ndarray, starts: np.ndarray,
    ends: np.ndarray, tables: Characters, shape_fnv: np.ndarray, shape_keys: np.ndarray, fnv: np.ndarray,
    keys: np.ndarray,
) -> None:  # fmt: skip
    longest = 0
    for at in range(len(tokens)):
        if tokens[at] >= 0:
            longest = max(longest, ends[tokens[at]] - starts[tokens[at]])
    letters = np.empty(3 * longest + 16, np.uint8)
    for text in range(len(places) - 1):
        base = places[text]
        for at in range(token_offsets[text], token_offsets[text + 1]):
            token = tokens[at]
            if token < 0:
                fnv[at], keys[at] = shape_fnv[-1 - token], shape_keys[-1 - token]
            else:
                size = _said(data, base + starts[token], base + ends[token], tables, letters)
                fnv[at], keys[at] = _hashed(letters, 0, size)


@kernel
def _write_lines(
    tokens: np.ndarray, data: np.ndarray, places: np.ndarray, token_offsets: np.ndarray, starts: np.ndarray,
    ends: np.ndarray, tables: Characters, names: np.ndarray, name_offsets: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    longest, room = 0, 0
    for at in range(len(tokens)):
        token = tokens[at]
        if token < 0:
            room += name_offsets[-token] - name_offsets[-1 - token] + 1
        else:
            longest = max(longest, ends[token] - starts[token])
            room += 3 * (ends[token] - starts[token]) + 1
    letters, out = np.empty(3 * longest + 16, np.uint8), np.empty(room, np.uint8)
    line_offsets = np.zeros(len(places), np.int64)
    place = 0
    for text in range(len(places) - 1):
        base = places[text]
        for at in range(token_offsets[text], token_offsets[text + 1]):
            token = tokens[at]
            if at > token_offsets[text]:
                out[place] = 32
                place += 1
            if token < 0:
                for i in range(name_offsets[-1 - token], name_offsets[-token]):
                    out[place] = names[i]
                    place += 1
            else:
                for i in range(_said(data, base + starts[token], base + ends[token], tables, letters)):
                    out[place] = letters[i]
                    place += 1
        line_offsets[text + 1] = place
    return line_offsets, out[:place]


def _sequence(texts: pa.Array, words: Words) -> tuple[np.ndarray, np.ndarray]:
    data, places = utf8(texts)
    segment_offsets, segments = find_segments(
        data, places, words.offsets, words.starts, words.ends, words.hashes, words.lengths, words.flags, characters()
    )
    return shape_tokens(segment_offsets, segments, words.offsets)


def tokens_of(texts: pa.Array, words: Words) -> Tokens:
    """The tokens of a string or large_string array of texts, whose `words_of` are `words`."""
    data, places = utf8(texts)
    offsets, tokens = _sequence(texts, words)
    fnv, keys = np.empty(len(tokens), np.uint32), np.empty(len(tokens), np.uint64)
    _hash_tokens(tokens, data, places, offsets, words.starts, words.ends, characters(), *_name_hashes(), fnv, keys)
    return Tokens(offsets, fnv, keys)


def lines_of(texts: pa.Array, words: Words) -> list[bytes]:
    """The same tokens as bytes, parted by spaces: a line a text, empty for a text without a word."""
    data, places = utf8(texts)
    offsets, tokens = _sequence(texts, words)
    line_offsets, written = _write_lines(
        tokens, data, places, offsets, words.starts, words.ends, characters(), *_names()
    )
    whole, ends = written.tobytes(), line_offsets.tolist()
    return [whole[begin:end] for begin, end in pairwise(ends)]
