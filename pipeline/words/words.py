"""What a word is, once for the whole project: signals, stop words, decontamination and shingles all rest on it.

A word is a maximal run of letters, marks and digits (Unicode L, M, N), case-folded. In scripts that are written
without spaces between words (Han, kana, Thai, Lao, Khmer, Myanmar, by Script_Extensions without what Latin shares)
a word is one letter or digit with the marks that follow it. As a pattern of the `regex` module over `text.casefold()`,
where U stands for `[[\\p{L}\\p{N}]&&[[\\p{scx=Hani}...]--\\p{scx=Latn}]]`:   U\\p{M}* | [[\\p{L}\\p{M}\\p{N}]--U]+
One pass of a kernel over UTF-8 finds the words of a batch and hashes them; its equality with the pattern is a test.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.kernels.arrow_text import from_strings, utf8
from pipeline.kernels.compiling import kernel
from pipeline.words.characters import LETTER, MARK, OTHER, RUN, SINGLE, UNSPACED_SCRIPTS, Characters, characters, decode

WORDS_VERSION = 2  # part of every stored signature; raise it when words or hashes of any text change

HAS_LETTER, IS_SINGLE = 1, 2  # flags of a word
SEED = np.uint64(0x9E3779B97F4A7C15)  # splitmix64's (Steele et al. 2014), like the finaliser below
FIRST, SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


class Words(NamedTuple):
    """The words of a batch, in order.

    `offsets` int64 (n_texts + 1,): those of text i are offsets[i] : offsets[i + 1]. By word: `starts` and `ends` int64,
    bytes within the text's UTF-8; `hashes` uint64 of the case-folded word; `lengths` int32, its characters; `flags`
    uint8, HAS_LETTER and IS_SINGLE (one character of an unspaced script). By text: `folded` int64, characters of the
    whole case-folded text.
    """

    offsets: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    hashes: np.ndarray
    lengths: np.ndarray
    flags: np.ndarray
    folded: np.ndarray


@kernel
def mix(x: np.uint64) -> np.uint64:
    """A bijection of uint64 that spreads every bit."""
    x = (x ^ (x >> np.uint64(30))) * FIRST
    x = (x ^ (x >> np.uint64(27))) * SECOND
    return x ^ (x >> np.uint64(31))


@kernel
def _find_words(
    data: np.ndarray, places: np.ndarray, tables: Characters, room: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    n_texts = len(places) - 1
    offsets, folded = np.zeros(n_texts + 1, np.int64), np.zeros(n_texts, np.int64)
    starts, ends = np.empty(room, np.int64), np.empty(room, np.int64)
    hashes, lengths, flags = np.empty(room, np.uint64), np.empty(room, np.int32), np.empty(room, np.uint8)
    quick, lower = np.empty(128, np.uint8), np.empty(128, np.uint64)  # of ASCII, which has no marks
    for point in range(128):
        kind = tables.kinds[tables.pages[0], point]
        quick[point] = tables.flags[kind] & (3 | LETTER)
        lower[point] = np.uint64(point + tables.shift[kind])
    count = 0
    for text in range(n_texts):
        begin, end = places[text], places[text + 1]
        at, seen = begin, 0
        state = OTHER  # what the word that is open is: RUN, SINGLE, or OTHER when none is
        start, state_hash, length, flag = begin, SEED, 0, 0
        while at < end:
            place = at
            if data[at] < 128:
                properties = quick[data[at]]
                if state != OTHER and (properties == OTHER or state != RUN):
                    starts[count], ends[count] = start - begin, at - begin
                    hashes[count], lengths[count], flags[count] = mix(state_hash), length, flag
                    count += 1
                    state = OTHER
                if properties == OTHER:
                    at += 1
                    seen += 1
                    continue
                if state == OTHER:
                    state, start, state_hash, length, flag = RUN, place, SEED, 0, 0
                while properties != OTHER:
                    state_hash = (state_hash ^ lower[data[at]]) * FIRST
                    state_hash ^= state_hash >> np.uint64(32)
                    if properties & LETTER:
                        flag |= HAS_LETTER
                    at += 1
                    properties = quick[data[at]] if at < end and data[at] < 128 else OTHER
                length += at - place
                seen += at - place
                continue
            point, at = decode(data, at, end)  # type: ignore[assignment]
            kind = tables.kinds[tables.pages[point >> 8], point & 255]
            row = tables.folds[kind]
            parts = 1 if row < 0 else tables.longer[row, 0]
            for part in range(parts):
                if row < 0:
                    character, properties = point + tables.shift[kind], tables.flags[kind]
                else:
                    character = np.int64(tables.longer[row, 1 + part])
                    properties = tables.flags[tables.kinds[tables.pages[character >> 8], character & 255]]
                seen += 1
                what = properties & 3
                if what == MARK and state != OTHER:
                    pass  # a mark belongs to the character before it
                elif what == RUN and state == RUN:
                    pass
                else:
                    if state != OTHER:
                        starts[count], ends[count] = start - begin, place - begin if part == 0 else at - begin
                        hashes[count], lengths[count], flags[count] = mix(state_hash), length, flag
                        count += 1
                    # with nothing to lean on a mark begins a run
                    state = RUN if what == MARK else what
                    start, state_hash, length = place, SEED, 0
                    flag = IS_SINGLE if what == SINGLE else 0
                if state != OTHER:
                    state_hash = (state_hash ^ np.uint64(character)) * FIRST
                    state_hash ^= state_hash >> np.uint64(32)
                    length += 1
                    if properties & LETTER:
                        flag |= HAS_LETTER
        if state != OTHER:
            starts[count], ends[count] = start - begin, end - begin
            hashes[count], lengths[count], flags[count] = mix(state_hash), length, flag
            count += 1
        offsets[text + 1], folded[text] = count, seen
    return offsets, starts[:count], ends[:count], hashes[:count], lengths[:count], flags[:count], folded


def words_of(texts: pa.Array) -> Words:
    """The words of a string or large_string array of texts. Any bytes will do; broken UTF-8 is no letter."""
    data, places = utf8(texts)
    # Two words have a character between them, but for unspaced scripts, whose characters have two bytes or more.
    room = int(places[-1] - places[0]) // 2 + len(places)
    return Words(*_find_words(data, places, characters(), room))


@kernel
def ngram_hashes(hashes: np.ndarray, n: int) -> np.ndarray:
    """64 bits for each run of n words, uint64 of shape (n_words - n + 1,). A shorter text is one run of its words."""
    size = min(n, len(hashes))
    if size == 0:
        return np.empty(0, np.uint64)
    grams = np.empty(len(hashes) - size + 1, np.uint64)
    for i in range(len(grams)):
        gram = hashes[i]
        for j in range(1, size):
            gram = mix(gram) + hashes[i + j]
        grams[i] = gram
    return grams


def word_hashes(words: Iterable[str]) -> np.ndarray:
    """The hash of each word, uint64; ValueError for what is not exactly one word."""
    listed = list(words)
    batch = words_of(from_strings(listed))
    if (np.diff(batch.offsets) != 1).any():
        wrong = listed[int(np.flatnonzero(np.diff(batch.offsets) != 1)[0])]
        raise ValueError(f"{wrong!r} is not one word")
    return batch.hashes


def words(text: str) -> list[str]:
    """The words of a text in order, case-folded."""
    batch = words_of(from_strings([text]))
    data = text.encode("utf-8", "surrogatepass")
    spans = zip(batch.starts.tolist(), batch.ends.tolist(), strict=True)
    return [data[start:end].decode("utf-8", "surrogatepass").casefold() for start, end in spans]


def is_spaced(script: str) -> bool:
    """Whether the script (ISO 15924) puts spaces between words."""
    return script not in UNSPACED_SCRIPTS and script not in ("Hans", "Hant")
