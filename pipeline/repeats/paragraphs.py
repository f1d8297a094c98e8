"""Paragraphs of pages as 64-bit keys, and pages without those that repeat elsewhere.

A paragraph is a line, or a block of lines between blank ones, which counts beside its lines. Its key is made of its
words' hashes in order, so that case, spacing, punctuation and where its lines break do not count; digits do, for a text
with other numbers says something else. It is as long as its letters and digits, where one of Han counts three and one
of a syllabary two: a limit then asks for about as many words in any script.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.kernels.arrow_text import utf8
from pipeline.kernels.compiling import inlined, kernel, whole
from pipeline.kernels.hash_table import HashTable, find, may_have
from pipeline.repeats import page_lines
from pipeline.repeats.page_lines import BLANK, Lines
from pipeline.words.characters import decode
from pipeline.words.words import SEED, mix, words_of

MOST_SHARE = 0.5  # of a page's letters: where repeated paragraphs are that much, the page is theirs and keeps them


class Paragraphs(NamedTuple):
    """Those of a batch that are long enough.

    `lines`: of the texts; `letters` int64, by line. `offsets` int64 (n_texts + 1,): the paragraphs of text i are
    offsets[i] : offsets[i + 1], a block behind its lines. By paragraph: `keys` int64; `firsts` and `lasts` int64, its
    lines among all of the batch, firsts : lasts. By text: `pages` int64, made of its lines that have words, in order:
    texts that differ in case, spacing and punctuation are one page.
    """

    lines: Lines
    letters: np.ndarray
    offsets: np.ndarray
    keys: np.ndarray
    firsts: np.ndarray
    lasts: np.ndarray
    pages: np.ndarray


class Parted(NamedTuple):
    """`marks` bool by line: it goes. By paragraph: `places` int64, of those that are listed the place in the list, -1
    for others; `goes` bool, none of its words stays. By text: `n_cut` int32, paragraphs that go; those within another
    that goes do not count."""

    marks: np.ndarray
    places: np.ndarray
    goes: np.ndarray
    n_cut: np.ndarray


def paragraphs_of(texts: pa.Array, min_letters: int) -> Paragraphs:
    """The paragraphs of at least so many letters, of a string or large_string array; a null has none."""
    data, places = utf8(texts)
    words = words_of(texts)
    lines = page_lines.lines_in(texts, words)
    letters, offsets, keys, firsts, lasts, pages = _find_paragraphs(
        data, places, lines.offsets, lines.starts, lines.ends, lines.keys.view(np.uint64), words.offsets, words.starts,
        words.lengths, words.hashes, min_letters,
    )  # fmt: skip
    return Paragraphs(lines, letters, offsets, keys.view(np.int64), firsts, lasts, pages.view(np.int64))


def part(paragraphs: Paragraphs, listed: HashTable, is_cut: np.ndarray) -> Parted:
    """What goes: the paragraphs of the list, key -> place, that `is_cut` says go, bool by place. Where they are half of
    a page or more, by letters, they stay: so no page loses most of its text, and none all of it."""
    marks, places, goes, n_cut = _part(
        paragraphs.lines.offsets, paragraphs.letters, paragraphs.offsets, paragraphs.keys.view(np.uint64),
        paragraphs.firsts, paragraphs.lasts, listed, is_cut,
    )  # fmt: skip
    return Parted(marks, places, goes, n_cut)


def owners(paragraphs: Paragraphs, some: np.ndarray) -> np.ndarray:
    """Numbers of the texts that have these paragraphs, int64."""
    found: np.ndarray = np.searchsorted(paragraphs.offsets, some, "right") - 1
    return found


def written(texts: pa.Array, paragraphs: Paragraphs, some: np.ndarray) -> pa.Array:
    """These paragraphs as they stand in their texts, large_string."""
    lines = paragraphs.lines
    starts, ends = lines.starts[paragraphs.firsts[some]], lines.ends[paragraphs.lasts[some] - 1]
    return page_lines.stripped(texts, owners(paragraphs, some), starts, ends)


@inlined
def _worth(point: int) -> int:
    """How many letters a character of the script counts for."""
    if point < 0x1200:
        return 1
    if point < 0x1400:
        return 2  # Ethiopic, Cherokee
    if point < 0x2E80:
        return 2 if 0x2D80 <= point < 0x2DE0 else 1
    if 0x3040 <= point < 0x3100 or 0x31F0 <= point < 0x3200 or 0xA000 <= point < 0xA4D0 or 0xAC00 <= point < 0xD7A4:
        return 2  # kana, Yi, Hangul
    if point < 0xA000 or 0xF900 <= point < 0xFB00 or 0x20000 <= point < 0x40000:
        return 3  # Han
    return 1


@kernel
def _find_paragraphs(
    data: np.ndarray, places: np.ndarray, line_offsets: np.ndarray, starts: np.ndarray, ends: np.ndarray,
    line_keys: np.ndarray, word_offsets: np.ndarray, word_starts: np.ndarray, lengths: np.ndarray, hashes: np.ndarray,
    least: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    n_texts, n_lines = len(places) - 1, len(starts)
    letters = np.zeros(n_lines, np.int64)
    offsets, pages = np.zeros(n_texts + 1, np.int64), np.empty(n_texts, np.uint64)
    room = 2 * n_lines  # a block has two lines or more
    keys, firsts, lasts = np.empty(room, np.uint64), np.empty(room, np.int64), np.empty(room, np.int64)
    count = 0
    for text in range(n_texts):
        begin, end = places[text], places[text + 1]
        word, page = word_offsets[text], SEED
        block, block_letters, block_lines, block_first, block_last = word, 0, 0, 0, 0  # block: its first word
        for line in range(line_offsets[text], line_offsets[text + 1]):
            if line_keys[line] != BLANK:
                first, size = word, 0
                while word < word_offsets[text + 1] and word_starts[word] < ends[line]:
                    at, worth = begin + word_starts[word], 1
                    if data[at] >= 0xE1:
                        worth = _worth(whole(decode(data, at, end)[0]))
                    size += worth * lengths[word]
                    word += 1
                letters[line] = size
                if word > first:
                    page = mix(page) + line_keys[line]
                    block_first = block_first if block_lines else line
                    block_lines, block_letters, block_last = block_lines + 1, block_letters + size, line + 1
                    if size >= least:
                        keys[count], firsts[count], lasts[count] = line_keys[line], line, line + 1
                        count += 1
            if line_keys[line] == BLANK or line + 1 == line_offsets[text + 1]:
                if block_lines > 1 and block_letters >= least:
                    key = SEED
                    for one in range(block, word):
                        key = mix(key) + hashes[one]
                    keys[count] = max(mix(key), np.uint64(1))
                    firsts[count], lasts[count] = block_first, block_last
                    count += 1
                block, block_letters, block_lines = word, 0, 0
        offsets[text + 1], pages[text] = count, mix(page)
    return letters, offsets, keys[:count], firsts[:count], lasts[:count], pages


@kernel
def _part(
    line_offsets: np.ndarray, letters: np.ndarray, offsets: np.ndarray, keys: np.ndarray, firsts: np.ndarray,
    lasts: np.ndarray, listed: HashTable, is_cut: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    n_texts = len(offsets) - 1
    marks, n_cut = np.zeros(len(letters), np.bool_), np.zeros(n_texts, np.int32)
    places, goes = np.full(len(keys), -1, np.int64), np.zeros(len(keys), np.bool_)
    for text in range(n_texts):
        marked, number = 0, 0
        for unit in range(offsets[text + 1] - 1, offsets[text] - 1, -1):  # a block before its lines
            if not may_have(keys[unit], listed.seen):
                continue
            places[unit] = find(keys[unit], listed)
            if places[unit] >= 0 and is_cut[places[unit]]:
                more = 0
                for line in range(firsts[unit], lasts[unit]):
                    if not marks[line]:
                        marks[line] = True
                        more += letters[line]
                marked += more
                number += more > 0
        if not number:
            continue
        total = 0
        for line in range(line_offsets[text], line_offsets[text + 1]):
            total += letters[line]
        if marked >= MOST_SHARE * total:
            for line in range(line_offsets[text], line_offsets[text + 1]):
                marks[line] = False
            continue
        n_cut[text] = number
        for unit in range(offsets[text], offsets[text + 1]):
            goes[unit] = True
            for line in range(firsts[unit], lasts[unit]):
                if letters[line] and not marks[line]:
                    goes[unit] = False
    return marks, places, goes, n_cut
