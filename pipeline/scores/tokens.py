"""The tokens of texts as a classifier is asked, hashes, and as it is fitted on them, bytes.

A text is its segments in order: each is its own shape tokens, the text's (`pipeline.scores.shapes`), and its words. A
word is said case-folded; where it begins with an ASCII digit all these are 0, so that numbers of a length are one.

Models find a word by a key of 64 bits: the hash that `pipeline.words.words` has of it, as it is said. For n-grams
tokens are hashed as fastText does, FNV-1a of 32 bits.
"""

from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.kernels.arrow_text import utf8
from pipeline.kernels.compiling import borrowing, kernel, uncounted
from pipeline.language.fasttext_sums import FNV_START, step
from pipeline.scores import segments
from pipeline.scores.segments import find_segments
from pipeline.scores.shapes import NAMES, shape_tokens
from pipeline.words.characters import Characters, characters, decode
from pipeline.words.words import FIRST, SEED, Words, mix

_FIRST_WORD, _LAST_WORD = segments.FIRST, segments.LAST


class Tokens(NamedTuple):
    """The tokens of a batch.

    segment_offsets: int64 (n_texts + 1,): the segments of text i are segment_offsets[i] : segment_offsets[i + 1].
    of_texts, of_segments: int32, places among NAMES, a row a text or segment. first, last: int32 by segment, its words
    among the batch's. keys: uint64, of each word of the batch that a text has a segment for; others are 0.
    """

    segment_offsets: np.ndarray
    of_texts: np.ndarray
    of_segments: np.ndarray
    first: np.ndarray
    last: np.ndarray
    keys: np.ndarray


def tokens_of(texts: pa.Array, words: Words) -> Tokens:
    """The tokens of a string or large_string array of texts, whose `words_of` are `words`."""
    data, places = utf8(texts)
    segment_offsets, found = find_segments(
        data, places, words.offsets, words.starts, words.ends, words.hashes, words.lengths, words.flags, characters()
    )
    of_texts, of_segments = shape_tokens(segment_offsets, found)
    first, last = found[:, _FIRST_WORD].copy(), found[:, _LAST_WORD].copy()
    begin, end = int(words.offsets[0]), int(words.offsets[-1])
    keys = words.hashes[begin:end].copy()
    _place_words(
        segment_offsets, first, last, words.offsets, data, places, words.starts, words.ends, characters(), keys
    )
    return Tokens(segment_offsets, of_texts, of_segments, first, last, keys)


@kernel
def _place_words(
    segment_offsets: np.ndarray, first: np.ndarray, last: np.ndarray, offsets: np.ndarray, data: np.ndarray,
    places: np.ndarray, starts: np.ndarray, ends: np.ndarray, tables: Characters, keys: np.ndarray,
) -> None:  # fmt: skip
    """Makes words of texts words of the batch, and gives numbers the keys of what is said."""
    longest = 0
    for word in range(offsets[0], offsets[len(places) - 1]):
        longest = max(longest, ends[word] - starts[word])
    letters = np.empty(3 * longest + 4, np.uint8)
    for text in range(len(places) - 1):
        base, before = places[text], offsets[text] - offsets[0]
        for segment in range(segment_offsets[text], segment_offsets[text + 1]):
            first[segment] += before
            last[segment] += before
            for word in range(first[segment], last[segment]):
                begin, end = base + starts[offsets[0] + word], base + ends[offsets[0] + word]
                if 48 <= data[begin] <= 57:
                    keys[word] = _said_key(data, begin, end, tables, letters)


@uncounted
def _said_key(data, begin, end, tables, letters):
    return _key(letters, 0, _said(data, begin, end, tables, letters))


@borrowing
def _said(data, at, end, tables, letters):
    """A word as it is said, UTF-8 into `letters`, which has room for three times its bytes: how many bytes."""
    size, number = 0, 48 <= data[at] <= 57
    while at < end:
        byte = data[at]
        if byte < 128:
            at += 1
            if 65 <= byte <= 90:
                byte += 32
            elif number and 48 <= byte <= 57:
                byte = 48
            letters[size] = byte
            size += 1
            continue
        point, at = decode(data, at, end)
        kind = tables.kinds[tables.pages[point >> 8], point & 255]
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
def _key(letters, at, end):
    """`Words.hashes` of a word that is folded."""
    state = SEED
    while at < end:
        point, at = decode(letters, at, end)
        state = (state ^ np.uint64(point)) * FIRST
        state ^= state >> np.uint64(32)
    return mix(state)


@borrowing
def _fnv(letters, begin, end):
    state = FNV_START
    for at in range(begin, end):
        state = step(state, np.uint64(letters[at]))
    return state


@kernel
def _span_keys(data: np.ndarray, offsets: np.ndarray, keys: np.ndarray) -> None:
    for span in range(len(keys)):
        keys[span] = _key(data, offsets[span], offsets[span + 1])


def span_keys(data: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Keys, uint64, of tokens as they are said: the i-th is data[offsets[i] : offsets[i + 1]]."""
    keys = np.zeros(len(offsets) - 1, np.uint64)
    _span_keys(data, offsets, keys)
    return keys


@cache
def _names() -> tuple[np.ndarray, np.ndarray]:
    """The bytes of all NAMES, and where each begins; int64 (n + 1,)."""
    names = [name.encode() for name in NAMES]
    offsets = np.zeros(len(names) + 1, np.int64)
    np.cumsum([len(name) for name in names], out=offsets[1:])
    return np.frombuffer(b"".join(names), np.uint8), offsets


@cache
def name_keys() -> np.ndarray:
    """Keys of all NAMES, uint64."""
    return span_keys(*_names())


@kernel
def _write_lines(
    segment_offsets: np.ndarray, of_texts: np.ndarray, of_segments: np.ndarray, first: np.ndarray, last: np.ndarray,
    data: np.ndarray, places: np.ndarray, starts: np.ndarray, ends: np.ndarray, tables: Characters, names: np.ndarray,
    name_offsets: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Where lines begin, their bytes, and where tokens end."""
    room, count = 0, 0
    for segment in range(len(of_segments)):
        count += of_segments.shape[1] + of_texts.shape[1] + last[segment] - first[segment]
        room += (of_segments.shape[1] + of_texts.shape[1]) * 20
        for word in range(first[segment], last[segment]):
            room += 3 * (ends[word] - starts[word]) + 1
    out, token_ends = np.empty(room, np.uint8), np.empty(count, np.int64)
    line_offsets = np.zeros(len(places), np.int64)
    place, token = 0, 0
    for text in range(len(places) - 1):
        base = places[text]
        for segment in range(segment_offsets[text], segment_offsets[text + 1]):
            for rows, row in ((of_segments, segment), (of_texts, text)):
                for column in range(rows.shape[1]):
                    name = rows[row, column]
                    for i in range(name_offsets[name], name_offsets[name + 1]):
                        out[place] = names[i]
                        place += 1
                    out[place] = 32
                    token_ends[token] = place
                    place += 1
                    token += 1
            for word in range(first[segment], last[segment]):
                place += _said(data, base + starts[word], base + ends[word], tables, out[place:])
                out[place] = 32
                token_ends[token] = place
                place += 1
                token += 1
        line_offsets[text + 1] = place
    return line_offsets, out[:place], token_ends


def _lines(texts: pa.Array, words: Words, tokens: Tokens) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    data, places = utf8(texts)
    own = slice(int(words.offsets[0]), int(words.offsets[-1]))
    return _write_lines(*tokens[:5], data, places, words.starts[own], words.ends[own], characters(), *_names())


def lines_of(texts: pa.Array, words: Words) -> list[bytes]:
    """The same tokens as bytes, parted by spaces: a line a text, empty for a text without a word."""
    line_offsets, written, _ = _lines(texts, words, tokens_of(texts, words))
    whole, ends = written.tobytes(), line_offsets.tolist()
    return [whole[begin:end].rstrip(b" ") for begin, end in pairwise(ends)]


@kernel
def _hash_tokens(line_offsets: np.ndarray, written: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    offsets, fnv = np.zeros(len(line_offsets), np.int64), np.empty(len(ends), np.uint32)
    token, begin = 0, 0
    for line in range(len(line_offsets) - 1):
        while token < len(ends) and ends[token] < line_offsets[line + 1]:
            fnv[token] = _fnv(written, begin, ends[token])
            begin = ends[token] + 1
            token += 1
        offsets[line + 1] = token
    return offsets, fnv


def hashed_sequence(texts: pa.Array, words: Words, tokens: Tokens) -> tuple[np.ndarray, np.ndarray]:
    """fastText's hashes of the tokens in order: those of text i are fnv[offsets[i] : offsets[i + 1]]; offsets int64
    (n_texts + 1,), fnv uint32."""
    found: tuple[np.ndarray, np.ndarray] = _hash_tokens(*_lines(texts, words, tokens))
    return found
