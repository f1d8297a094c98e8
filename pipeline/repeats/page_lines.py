"""Lines of pages as 64-bit keys, and pages without some of their lines.

Lines stand between `\\n` or `\\r\\n`. A line's key is made of its words' hashes in order, so that case, spacing and
punctuation do not count; a line without a word has the key of its bytes without the white space around them. A line of
nothing but white space (str.isspace) is blank and has no key.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.kernels.arrow_text import utf8
from pipeline.kernels.compiling import kernel
from pipeline.kernels.hash_table import stamped_slot, table_size
from pipeline.words.characters import SPACE, Characters, characters, decode
from pipeline.words.words import FIRST, SECOND, SEED, Words, mix, words_of

LINE_FEED, CARRIAGE_RETURN = 0x0A, 0x0D
BLANK = 0  # the key of a blank line; no other line has it


class Lines(NamedTuple):
    """The lines of a batch, in order, blank ones too; a text has one more than line breaks.

    `offsets` int64 (n_texts + 1,): those of text i are offsets[i] : offsets[i + 1]. By line: `starts` and `ends` int64,
    bytes within the text's UTF-8, without the line break; `keys` int64, BLANK for a blank line.
    """

    offsets: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    keys: np.ndarray


class PageKeys(NamedTuple):
    """The distinct keys of each text, in the order in which they first occur.

    `offsets` int64 (n_texts + 1,). By key: `keys` int64, never BLANK; `counts` int32, lines of the text that have it.
    By text: `pages` uint64, made of all its keys in order: texts with equal lines are one page.
    """

    offsets: np.ndarray
    keys: np.ndarray
    counts: np.ndarray
    pages: np.ndarray


class Cut(NamedTuple):
    """`texts` of the type that was given, nulls in their places; `lines` int32 (n_texts,), how many each has lost."""

    texts: pa.Array
    lines: np.ndarray


class Found(NamedTuple):
    """Lines that were looked for. int64 by line: `texts`, the place of its text in the batch; `wanted`, the place of
    its key among the values of the list; `lines` large_string, without the white space around it."""

    texts: np.ndarray
    wanted: np.ndarray
    lines: pa.Array


def lines_of(texts: pa.Array) -> Lines:
    """The lines of a string or large_string array; a null has one blank line. Any bytes will do."""
    return lines_in(texts, words_of(texts))


def lines_in(texts: pa.Array, words: Words) -> Lines:
    """As `lines_of`, of texts whose words are found already."""
    data, places = utf8(texts)
    room = int(np.count_nonzero(data[places[0] : places[-1]] == LINE_FEED)) + len(texts)
    offsets, starts, ends, keys = _find_lines(
        data, places, characters(), words.offsets, words.starts, words.hashes, room
    )
    return Lines(offsets, starts, ends, keys.view(np.int64))


def page_keys(lines: Lines) -> PageKeys:
    """What each text has of keys."""
    offsets, keys, counts, pages = _distinct(lines.offsets, lines.keys.view(np.uint64))
    return PageKeys(offsets, keys.view(np.int64), counts, pages)


def distinct_keys(offsets: np.ndarray, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As the first three of `page_keys`, of keys of whatever stands in texts, int64; offsets: as of `Lines`."""
    found, distinct, counts, _ = _distinct(offsets, keys.view(np.uint64))
    return found, distinct.view(np.int64), counts


def cut(texts: pa.Array, keys: pa.Array) -> Cut:
    """The texts without the lines that have one of the keys: a list of int64 a text, ascending; null is none.

    Of blank lines around a cut the longest run stays, at the text's begin or end those that were there before: cutting
    makes no run of blank lines longer and no blank line the first or last. A text that loses nothing stays as it is.
    """
    lines = lines_of(texts)
    return without(texts, lines, _match(lines.offsets, lines.keys, *_lists(keys)) >= 0)


def without(texts: pa.Array, lines: Lines, marks: np.ndarray) -> Cut:
    """As `cut`, of the lines of these texts that are marked: bool, a value a line, False for blank ones."""
    if not marks.any():
        return Cut(texts, np.zeros(len(texts), np.int32))
    data, offsets, n_cut = _cut(*utf8(texts), lines.offsets, lines.starts, lines.ends, lines.keys, marks)
    width = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    valid = None
    if texts.null_count:
        valid = pa.py_buffer(np.packbits(texts.is_valid().to_numpy(zero_copy_only=False), bitorder="little"))
    buffers = [valid, pa.py_buffer(offsets.astype(width)), pa.py_buffer(data)]
    return Cut(pa.Array.from_buffers(texts.type, len(texts), buffers), n_cut)


def find(texts: pa.Array, keys: pa.Array) -> Found:
    """The lines that have one of the keys: a list of int64 a text, ascending; null is none."""
    lines = lines_of(texts)
    wanted = _match(lines.offsets, lines.keys, *_lists(keys))
    hits = np.flatnonzero(wanted >= 0)
    owners = np.searchsorted(lines.offsets, hits, "right") - 1
    return Found(owners, wanted[hits], stripped(texts, owners, lines.starts[hits], lines.ends[hits]))


def stripped(texts: pa.Array, owners: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> pa.Array:
    """Spans of the texts of these numbers, bytes within each, as large_string without the white space around them."""
    data, places = utf8(texts)
    begun = places[owners]
    copied, offsets = _copy_stripped(data, begun + starts, begun + ends, characters())
    return pa.Array.from_buffers(pa.large_string(), len(owners), [None, pa.py_buffer(offsets), pa.py_buffer(copied)])


def _lists(keys: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Offsets, int64 of shape (n + 1,), and values of a list array; a null is empty."""
    sizes = keys.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    offsets = np.zeros(len(keys) + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    return offsets, keys.flatten().to_numpy(zero_copy_only=False).astype(np.int64, copy=False)


@kernel
def _stripped(data: np.ndarray, begin: int, end: int, tables: Characters) -> tuple[int, int]:
    """The span without the white space around it; empty where there is nothing else."""
    first, last = end, end
    at = begin
    while at < end:
        here = at
        point, at = decode(data, at, end)
        if not tables.flags[tables.kinds[tables.pages[point >> 8], point & 255]] & SPACE:
            first, last = min(first, here), at
    return first, last


@kernel
def _find_lines(
    data: np.ndarray, places: np.ndarray, tables: Characters, word_offsets: np.ndarray, word_starts: np.ndarray,
    hashes: np.ndarray, room: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    n_texts = len(places) - 1
    offsets = np.zeros(n_texts + 1, np.int64)
    starts, ends, keys = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.uint64)
    count = 0
    for text in range(n_texts):
        begin, end = places[text], places[text + 1]
        word, at = word_offsets[text], begin
        while True:
            stop = at
            while stop < end and data[stop] != LINE_FEED:
                stop += 1
            last = stop - 1 if at < stop < end and data[stop - 1] == CARRIAGE_RETURN else stop
            key, first_word = SEED, word
            while word < word_offsets[text + 1] and begin + word_starts[word] < last:
                key = mix(key) + hashes[word]
                word += 1
            if word > first_word:
                key = max(mix(key), np.uint64(1))
            else:
                inner, outer = _stripped(data, at, last, tables)
                key = SECOND  # not what words begin with
                for place in range(inner, outer):
                    key = (key ^ np.uint64(data[place])) * FIRST
                    key ^= key >> np.uint64(32)
                key = max(mix(key), np.uint64(1)) if inner < outer else np.uint64(BLANK)
            starts[count], ends[count], keys[count] = at - begin, last - begin, key
            count += 1
            if stop >= end:
                break
            at = stop + 1
        offsets[text + 1] = count
    return offsets, starts, ends, keys


@kernel
def _distinct(offsets: np.ndarray, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    n_texts = len(offsets) - 1
    most = 0
    for text in range(n_texts):
        most = max(most, offsets[text + 1] - offsets[text])
    size = table_size(most)
    seen, stamps, slots = np.empty(size, np.uint64), np.zeros(size, np.int32), np.empty(size, np.int64)
    starts, distinct = np.zeros(n_texts + 1, np.int64), np.empty(len(keys), np.uint64)
    counts, pages = np.zeros(len(keys), np.int32), np.empty(n_texts, np.uint64)
    count = 0
    for text in range(n_texts):
        mask = table_size(offsets[text + 1] - offsets[text]) - 1
        page, stamp = SEED, np.int32(text + 1)
        for line in range(offsets[text], offsets[text + 1]):
            key = keys[line]
            if key == BLANK:
                continue
            page = mix(page) + key
            slot = stamped_slot(seen, stamps, mask, stamp, key)
            if stamps[slot] != stamp:
                seen[slot], stamps[slot], slots[slot] = key, stamp, count
                distinct[count] = key
                count += 1
            counts[slots[slot]] += 1
        starts[text + 1], pages[text] = count, mix(page)
    return starts, distinct[:count], counts[:count], pages


@kernel
def _match(offsets: np.ndarray, keys: np.ndarray, wanted_offsets: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """By line the place of its key in `wanted`, among those of its text; -1 where it is not there."""
    places = np.full(len(keys), -1, np.int64)
    for text in range(len(offsets) - 1):
        begin, end = wanted_offsets[text], wanted_offsets[text + 1]
        if begin == end:
            continue
        for line in range(offsets[text], offsets[text + 1]):
            if keys[line] != BLANK:
                place = begin + np.searchsorted(wanted[begin:end], keys[line])
                if place < end and wanted[place] == keys[line]:
                    places[line] = place
    return places


@kernel
def _choose(first: int, last: int, keys: np.ndarray, marks: np.ndarray, keep: np.ndarray) -> None:
    """Sets `keep` for the lines first : last of a text: all that is not marked, but for blank lines beside a cut."""
    begin = first
    while begin < last:
        # a stretch of blank and marked lines, up to a line that stays
        end, n_marked, run, longest, longest_at = begin, 0, 0, 0, begin
        before = 0  # blank lines in front of the first mark; `run` ends as those behind the last
        while end < last and (marks[end] or keys[end] == BLANK):
            if marks[end]:
                before = before if n_marked else run
                n_marked, run = n_marked + 1, 0
            else:
                run += 1
                if run > longest:
                    longest, longest_at = run, end + 1 - run
            end += 1
        if not n_marked:
            kept_from, kept_to = begin, end
        elif begin == first and end == last:
            kept_from, kept_to = begin, begin
        elif begin == first:
            kept_from, kept_to = begin, begin + before
        elif end == last:
            kept_from, kept_to = end - run, end
        else:
            kept_from, kept_to = longest_at, longest_at + longest
        for line in range(begin, end):
            keep[line] = kept_from <= line < kept_to
        if end < last:
            keep[end] = True
        begin = end + 1


@kernel
def _cut(
    data: np.ndarray, places: np.ndarray, offsets: np.ndarray, starts: np.ndarray, ends: np.ndarray, keys: np.ndarray,
    marks: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    n_texts = len(places) - 1
    out = np.empty(places[n_texts] - places[0], np.uint8)
    to, n_cut = np.zeros(n_texts + 1, np.int64), np.zeros(n_texts, np.int32)
    keep = np.empty(len(keys), np.bool_)
    size = 0
    for text in range(n_texts):
        begin, end = places[text], places[text + 1]
        first, last = offsets[text], offsets[text + 1]
        for line in range(first, last):
            n_cut[text] += marks[line]
        if n_cut[text] == 0:
            out[size : size + end - begin] = data[begin:end]
            size += end - begin
        else:
            _choose(first, last, keys, marks, keep)
            final = last - 1
            while final >= first and not keep[final]:
                final -= 1
            for line in range(first, final + 1):
                if keep[line]:
                    # with its line break, but for the last, which had none or loses it
                    stop = begin + (starts[line + 1] if line < final else ends[line])
                    length = stop - begin - starts[line]
                    out[size : size + length] = data[begin + starts[line] : stop]
                    size += length
        to[text + 1] = size
    return out[:size], to, n_cut


@kernel
def _copy_stripped(
    data: np.ndarray, begins: np.ndarray, ends: np.ndarray, tables: Characters
) -> tuple[np.ndarray, np.ndarray]:
    """The spans without the white space around them, end to end, and int64 offsets of each."""
    total = 0
    for span in range(len(begins)):
        total += ends[span] - begins[span]
    out, offsets = np.empty(total, np.uint8), np.zeros(len(begins) + 1, np.int64)
    size = 0
    for span in range(len(begins)):
        begin, end = _stripped(data, begins[span], ends[span], tables)
        out[size : size + end - begin] = data[begin:end]
        size += end - begin
        offsets[span + 1] = size
    return out[:size], offsets
