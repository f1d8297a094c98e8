"""Characters, lines, paragraphs and sentences of texts, measured in one pass over their UTF-8.

A line is what stands between line breaks, if it has something other than white space (str.isspace) on it. A paragraph
is a run of lines that no blank one parts, however many of these stand between two and whatever white space is on them;
it is compared without the white space around it. A sentence is a stretch with a word in it that ends with
its line, or at a terminal (Sentence_Terminal or U+2026), closing marks and white space; full-width terminals need none.
"""

from typing import NamedTuple

import numpy as np

from pipeline.kernels.compiling import kernel
from pipeline.kernels.hash_table import stamped_slot, table_size
from pipeline.words.characters import (
    CLOSING,
    DIGIT,
    LETTER,
    OTHER,
    PUNCTUATION,
    SPACE,
    SYMBOL,
    TERMINAL,
    UPPER,
    WIDE_TERMINAL,
    Characters,
    decode,
)
from pipeline.words.words import FIRST, SEED, mix

SHORT_LINE, LONG_LINE = 30, 200  # characters: FineWeb's short line, mC4's line of a real paragraph
MIN_KEPT_WORDS = 3  # C4
MAX_WORD_LENGTH = 1000  # C4
HASH_SIGN, FULL_STOP, ELLIPSIS, LINE_BREAK, CURLY, BULLET, HYPHEN = 0x23, 0x2E, 0x2026, 0x0A, 0x7B, 0x2022, 0x2D
POLICY, JAVASCRIPT, LOREM_IPSUM = 1, 2, 4  # kinds of phrases

MEASURES = (
    "n_chars", "n_lines", "n_paragraphs", "n_sentences", "n_long_lines", "newlines", "hash_signs", "ellipses",
    "letters", "visible", "digits", "punctuation", "symbols", "upper", "free_symbols", "bullet_lines", "ellipsis_lines",
    "terminal_lines", "short_lines", "dup_lines", "dup_line_chars", "dup_paragraphs", "dup_paragraph_chars",
    "kept_lines", "kept_sentences", "policy_lines", "javascript_lines", "lorem_ipsum", "curly_brackets",
)  # fmt: skip
(
    N_CHARS, N_LINES, N_PARAGRAPHS, N_SENTENCES, N_LONG, NEWLINES, HASHES, ELLIPSES, LETTERS, VISIBLE, DIGITS, PUNCT,
    SYMBOLS, UPPERS, FREE, BULLETS, ELLIPSIS_LINES, TERMINALS, SHORTS, DUP_LINES, DUP_CHARS, DUP_PARAGRAPHS,
    DUP_PARAGRAPH_CHARS, KEPT_LINES, KEPT_SENTENCES, POLICIES, JAVASCRIPTS, LOREMS, CURLIES,
) = range(len(MEASURES))  # fmt: skip


class Phrases(NamedTuple):
    """`firsts` uint64, ascending: hash of each phrase's first word; `grams` uint64: of the whole; `sizes`, `kinds`."""

    firsts: np.ndarray
    grams: np.ndarray
    sizes: np.ndarray
    kinds: np.ndarray


class _Characters(NamedTuple):
    """A text's characters: code points, flags, and the byte behind each, counted from the text's first."""

    points: np.ndarray
    flags: np.ndarray
    behind: np.ndarray


class _Words(NamedTuple):
    """Those of `Words` in all texts, by word."""

    starts: np.ndarray
    hashes: np.ndarray
    lengths: np.ndarray


class _Seen(NamedTuple):
    """What `stamped_slot` asks for."""

    keys: np.ndarray
    stamps: np.ndarray
    mask: int
    stamp: np.int32


@kernel
def _phrase_at(hashes: np.ndarray, at: int, end: int, phrases: Phrases) -> int:
    """Kinds of the phrases that begin at this word, none: 0."""
    place = np.searchsorted(phrases.firsts, hashes[at])
    kinds = 0
    while place < len(phrases.firsts) and phrases.firsts[place] == hashes[at]:
        size = phrases.sizes[place]
        if at + size <= end:
            gram = hashes[at]
            for i in range(1, size):
                gram = mix(gram) + hashes[at + i]
            if gram == phrases.grams[place]:
                kinds |= phrases.kinds[place]
        place += 1
    return kinds


@kernel
def _hash_of(points: np.ndarray, begin: int, end: int) -> np.uint64:
    state = SEED
    for i in range(begin, end):
        state = (state ^ np.uint64(points[i])) * FIRST
        state ^= state >> np.uint64(32)
    return mix(state)


@kernel
def _sentences(points: np.ndarray, flags: np.ndarray, begin: int, end: int) -> int:
    count, worded, i = 0, False, begin
    while i < end:
        flag = flags[i]
        if flag & 3 != OTHER:
            worded = True
        i += 1
        if not flag & TERMINAL:
            continue
        wide = flag & WIDE_TERMINAL
        while i < end and flags[i] & (TERMINAL | CLOSING):
            wide |= flags[i] & WIDE_TERMINAL
            i += 1
        if worded and (wide or i == end or flags[i] & SPACE):
            count += 1
            worded = False
    return count + (1 if worded else 0)


@kernel
def _is_seen(key: np.uint64, seen: _Seen) -> bool:
    """Whether a key was asked for before; it is from now on."""
    slot = stamped_slot(seen.keys, seen.stamps, seen.mask, seen.stamp, key)
    if seen.stamps[slot] == seen.stamp:
        return True
    seen.keys[slot], seen.stamps[slot] = key, seen.stamp
    return False


@kernel
def _trimmed(flags: np.ndarray, first: int, last: int) -> tuple[int, int]:
    """The span without the white space around it."""
    while first < last and flags[first] & SPACE:
        first += 1
    while last > first and flags[last - 1] & SPACE:
        last -= 1
    return first, last


@kernel
def _read(data: np.ndarray, begin: int, end: int, tables: Characters, characters: _Characters, row: np.ndarray) -> int:
    """A text's characters, counted by kind: how many there are."""
    points, flags, behind = characters.points, characters.flags, characters.behind
    at, n, free, worded = begin, 0, False, False
    while at < end:
        point, at = decode(data, at, end)
        flag = tables.flags[tables.kinds[tables.pages[point >> 8], point & 255]]
        points[n], flags[n], behind[n] = point, flag, at - begin
        n += 1
        if flag & SPACE:
            if free and not worded:
                row[FREE] += 1
            free = worded = False
            if point == LINE_BREAK:
                row[NEWLINES] += 1
            continue
        free = True
        row[VISIBLE] += 1
        if flag & 3 != OTHER:
            worded = True
            if flag & LETTER:
                row[LETTERS] += 1
                if flag & UPPER:
                    row[UPPERS] += 1
            if flag & DIGIT:
                row[DIGITS] += 1
        elif flag & PUNCTUATION:
            row[PUNCT] += 1
            if point == HASH_SIGN:
                row[HASHES] += 1
            elif point == CURLY:
                row[CURLIES] += 1
        elif flag & SYMBOL:
            row[SYMBOLS] += 1
    if free and not worded:
        row[FREE] += 1
    row[N_CHARS] = n
    return n


@kernel
def _count_ellipses(points: np.ndarray, n: int) -> int:
    """`…`, and `...` without overlap."""
    count, i = 0, 0
    while i < n:
        if points[i] == ELLIPSIS:
            count += 1
        elif points[i] == FULL_STOP and i + 2 < n and points[i + 1] == FULL_STOP and points[i + 2] == FULL_STOP:
            count += 1
            i += 2
        i += 1
    return count


@kernel
def _measure_line(
    points: np.ndarray, flags: np.ndarray, left: int, right: int, kinds: int, worth_keeping: bool, row: np.ndarray
) -> None:
    """Counts a line, given without the white space around it. kinds: of the phrases in it. worth_keeping: whether C4
    would keep it for its words, if it ends like a sentence."""
    if points[left] == BULLET or points[left] == HYPHEN:
        row[BULLETS] += 1
    trails = points[right - 1] == ELLIPSIS or (
        right - left >= 3
        and points[right - 1] == FULL_STOP
        and points[right - 2] == FULL_STOP
        and points[right - 3] == FULL_STOP
    )
    if trails:
        row[ELLIPSIS_LINES] += 1
    tail = right
    while tail > left and flags[tail - 1] & CLOSING:
        tail -= 1
    terminal = tail > left and flags[tail - 1] & TERMINAL
    if terminal:
        row[TERMINALS] += 1
    sentences = _sentences(points, flags, left, right)
    row[N_SENTENCES] += sentences
    if kinds & POLICY:
        row[POLICIES] += 1
    if kinds & JAVASCRIPT:
        row[JAVASCRIPTS] += 1
    if kinds & LOREM_IPSUM:
        row[LOREMS] += 1
    if terminal and not trails and not kinds & (POLICY | JAVASCRIPT) and worth_keeping:
        row[KEPT_LINES] += 1
        row[KEPT_SENTENCES] += sentences


@kernel
def _measure_text_lines(
    characters: _Characters, n: int, words: _Words, word: int, last_word: int, phrases: Phrases, seen: _Seen,
    row: np.ndarray,
) -> None:  # fmt: skip
    """Counts the lines of a text of `n` characters, whose words are word : last_word."""
    points, flags, behind = characters.points, characters.flags, characters.behind
    starts, hashes, lengths = words.starts, words.hashes, words.lengths
    begin = 0
    for place in range(n + 1):
        if place < n and points[place] != LINE_BREAK:
            continue
        left, right = _trimmed(flags, begin, place)
        line_words, kinds, overlong = 0, 0, False
        while word < last_word and (place == n or starts[word] < behind[place]):
            kinds |= _phrase_at(hashes, word, last_word, phrases)
            overlong = overlong or lengths[word] > MAX_WORD_LENGTH
            line_words += 1
            word += 1
        if left < right:
            chars = place - begin
            row[N_LINES] += 1
            if _is_seen(_hash_of(points, begin, place), seen):
                row[DUP_LINES] += 1
                row[DUP_CHARS] += chars
            if chars <= SHORT_LINE:
                row[SHORTS] += 1
            if chars >= LONG_LINE:
                row[N_LONG] += 1
            worth_keeping = not overlong and line_words >= MIN_KEPT_WORDS
            _measure_line(points, flags, left, right, kinds, worth_keeping, row)
        begin = place + 1


@kernel
def _measure_paragraphs(points: np.ndarray, flags: np.ndarray, n: int, seen: _Seen, row: np.ndarray) -> None:
    """Counts the paragraphs of a text of `n` characters."""
    begin, first, last = 0, -1, 0  # of the line; of the paragraph that is open, -1 where none is
    for place in range(n + 1):
        if place < n and points[place] != LINE_BREAK:
            continue
        left, right = _trimmed(flags, begin, place)
        if left < right:
            first, last = left if first < 0 else first, right
        if first >= 0 and (left == right or place == n):
            row[N_PARAGRAPHS] += 1
            if _is_seen(_hash_of(points, first, last), seen):
                row[DUP_PARAGRAPHS] += 1
                row[DUP_PARAGRAPH_CHARS] += last - first
            first = -1
        begin = place + 1


@kernel
def measure_lines(
    data: np.ndarray,
    places: np.ndarray,
    tables: Characters,
    offsets: np.ndarray,
    starts: np.ndarray,
    hashes: np.ndarray,
    lengths: np.ndarray,
    phrases: Phrases,
) -> np.ndarray:
    """Counts of shape (n_texts, len(MEASURES)), int64. Takes the texts as `Utf8` and their `Words`."""
    n_texts = len(places) - 1
    out = np.zeros((n_texts, len(MEASURES)), np.int64)
    longest = 1
    for text in range(n_texts):
        longest = max(longest, places[text + 1] - places[text])
    points, flags = np.empty(longest + 1, np.int32), np.empty(longest + 1, np.uint16)
    characters = _Characters(points, flags, np.empty(longest + 1, np.int64))
    words = _Words(starts, hashes, lengths)
    size, stamp = 16, np.int32(0)
    keys, stamps = np.empty(size, np.uint64), np.zeros(size, np.int32)
    for text in range(n_texts):
        row = out[text]
        n = _read(data, places[text], places[text + 1], tables, characters, row)
        row[ELLIPSES] = _count_ellipses(points, n)
        needed = table_size(row[NEWLINES] + 1)
        if needed > size:
            size, stamp = needed, np.int32(0)
            keys, stamps = np.empty(size, np.uint64), np.zeros(size, np.int32)
        seen = _Seen(keys, stamps, needed - 1, stamp + np.int32(1))
        _measure_text_lines(characters, n, words, offsets[text], offsets[text + 1], phrases, seen, row)
        seen = _Seen(keys, stamps, needed - 1, stamp + np.int32(2))
        _measure_paragraphs(points, flags, n, seen, row)
        stamp += np.int32(2)
    return out
