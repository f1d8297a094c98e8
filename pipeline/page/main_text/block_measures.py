"""What the text of each block of a page measures: read once, added up over the page, by like blocks and by element.

Words, links, signs and copies of each block; `block_features` describes a block by these numbers and its neighbours'.
"""

from typing import NamedTuple

import numpy as np

from pipeline.html.elements import N_TREE, NAME_PRIME, NAME_SEED, TAG
from pipeline.kernels.compiling import kernel, whole
from pipeline.kernels.elementary import log1p
from pipeline.kernels.hash_table import slot_of, table_size
from pipeline.page.blocks.markup import Markup
from pipeline.words.characters import (
    CLOSING,
    DIGIT,
    LETTER,
    PUNCTUATION,
    RUN,
    SINGLE,
    SYMBOL,
    TERMINAL,
    UPPER,
    WIDE_TERMINAL,
    Characters,
    decode,
)

UNSPACED_WORD = 0.5  # of a word, a character of a script without spaces
LONG = 12.0  # words of a block that is hardly a label

_KINDS = (
    "p", "blockquote", "pre listing", "li", "dd", "div", "section article main", "td", "th", "h1", "h2", "h3",
    "h4 h5 h6", "figcaption caption", "dt", "summary legend",
)  # fmt: skip
KINDS = np.full(N_TREE, len(_KINDS), np.uint8)
for _kind, _names in enumerate(_KINDS):
    KINDS[[TAG[name] for name in _names.split()]] = _kind
KIND_H1, KIND_H_LAST = 9, 12

_PAUSES = np.array(  # commas and their kin
    [0x2C, 0x3B, 0x55D, 0x60C, 0x61B, 0x1363, 0x1365, 0x104A, 0x3001, 0xFF0C, 0xFF1B, 0xFF64], np.int64
)

OWN = (
    "words", "word_length", "link_share", "links", "digit_share", "upper_share", "punctuation_share", "symbol_share",
    "terminals", "ends_terminal", "pauses", "starts_upper", "kind", "breaks", "next_breaks", "images", "copies",
    "title_cover", "title_share", "bold_share", "unspaced", "place_links",
)  # fmt: skip


class Measures(NamedTuple):
    """Numbers by block, float32 of shape (blocks,) unless said otherwise, and what they add up to."""

    words: np.ndarray
    own: np.ndarray  # (blocks, len(OWN)); what neighbours decide is filled in later
    kind: np.ndarray  # uint8
    sums: np.ndarray  # float64 (blocks + 1, 4): words, linked words, terminals, words of long blocks, before the block
    group: np.ndarray  # int32: number of the block's group of like signature
    groups: np.ndarray  # float64 (groups, 6): blocks, words, linked, terminals, first block, last block
    best: np.ndarray  # int32 (1,): the element that reads most like the main text's


@kernel
def _title_words(page: np.ndarray, title: np.ndarray, chars: Characters) -> tuple[np.ndarray, int]:
    """Hashes of the title's words in an open table of 256, and how many."""
    table, count = np.zeros(256, np.uint64), 0
    at, end = whole(title[0]), min(whole(title[1]), whole(title[0]) + 600)
    word = NAME_SEED
    inside = False
    while at <= end and count < 100:
        flag, point = 0, np.int64(32)
        if at < end:
            point, at = decode(page, at, end)
            kind = chars.kinds[chars.pages[point >> 8], point & 255]
            flag, point = whole(chars.flags[kind]), np.int64(point + chars.shift[kind])
        else:
            at += 1
        run = flag & 3
        if inside and run != RUN and run != 3:
            slot = slot_of(word, table)
            if table[slot] == 0:
                table[slot] = word
                count += 1
            inside, word = False, NAME_SEED
        if run == RUN:
            word, inside = (word ^ np.uint64(point)) * NAME_PRIME, True
        elif run == SINGLE:
            slot = slot_of((NAME_SEED ^ np.uint64(point)) * NAME_PRIME, table)
            if table[slot] == 0:
                table[slot] = (NAME_SEED ^ np.uint64(point)) * NAME_PRIME
                count += 1
    return table, count


@kernel
def log(value: float) -> float:
    return log1p(max(value, 0.0))


@kernel
def measure(page: np.ndarray, markup: Markup, chars: Characters, kinds: np.ndarray) -> Measures:
    """Reads every block's text once."""
    n = len(markup.start)
    words = np.zeros(n, np.float32)
    linked, terminals = np.zeros(n, np.float32), np.zeros(n, np.float32)
    own = np.zeros((n, len(OWN)), np.float32)
    text_hash, kind_of = np.zeros(n, np.uint64), np.zeros(n, np.uint8)
    table, title_count = _title_words(page, markup.title, chars)
    text = markup.text
    for block in range(n):
        at, end = whole(markup.start[block]), whole(markup.end[block])
        size = end - at
        runs, singles, letters, digits, uppers, points = 0, 0, 0, 0, 0, 0
        punctuation, symbols, stops, pauses, in_title = 0, 0, 0, 0, 0
        inside, starts_upper, first = False, 0, True
        waiting, ends = False, False
        word, digest = NAME_SEED, NAME_SEED
        while at < end:
            point, at = decode(text, at, end)
            kind = chars.kinds[chars.pages[point >> 8], point & 255]
            flag = whole(chars.flags[kind])
            folded = point + whole(chars.shift[kind])
            run = flag & 3
            if inside and run != RUN and run != 3:
                inside = False
                if table[slot_of(word, table)] != 0:
                    in_title += 1
                word = NAME_SEED
            if point <= 32:
                if waiting:
                    stops += 1
                    waiting = False
                continue
            points += 1
            ends = False
            if run == RUN:
                if not inside:
                    runs += 1
                inside = True
                word = (word ^ np.uint64(folded)) * NAME_PRIME
            elif run == SINGLE:
                singles += 1
                if table[slot_of((NAME_SEED ^ np.uint64(folded)) * NAME_PRIME, table)] != 0:
                    in_title += 1
            digest = (digest ^ np.uint64(folded)) * NAME_PRIME
            if flag & LETTER:
                letters += 1
                if first:
                    starts_upper, first = 1 if flag & UPPER else 0, False
            if flag & DIGIT:
                digits += 1
            if flag & UPPER:
                uppers += 1
            if flag & PUNCTUATION:
                punctuation += 1
            if flag & SYMBOL:
                symbols += 1
            if flag & WIDE_TERMINAL:
                stops += 1
                ends, waiting = True, False
            elif flag & TERMINAL:
                waiting = True
            elif not flag & CLOSING:
                waiting = False
            if flag & PUNCTUATION:
                for pause in _PAUSES:
                    if pause == point:
                        pauses += 1
        if inside and table[slot_of(word, table)] != 0:
            in_title += 1
        if waiting:
            stops += 1
            ends = True
        count = runs + UNSPACED_WORD * singles
        share = min(markup.link_bytes[block] / size, 1.0)
        words[block], linked[block], terminals[block] = count, count * share, stops
        text_hash[block] = digest if digest else np.uint64(1)
        kind_of[block] = kinds[markup.tag[markup.element[block]]]
        visible = max(points, 1)
        row = own[block]
        row[0], row[1], row[2], row[3] = log(count), points / max(count, 1.0), share, log(markup.links[block])
        row[4], row[5] = digits / visible, uppers / max(letters, 1)
        row[6], row[7] = punctuation / visible, symbols / visible
        row[8], row[9], row[10], row[11] = min(stops, 30), ends, pauses / max(count, 1.0), starts_upper
        row[12], row[13], row[15] = kind_of[block], markup.breaks[block], min(markup.images[block], 10)
        row[14] = markup.breaks[block + 1] if block + 1 < n else 0
        row[17] = in_title / max(runs + singles, 1)
        row[18] = in_title / title_count if title_count else 0.0
        row[19] = min(markup.bold_bytes[block] / size, 1.0)
        row[20] = singles / max(runs + singles, 1)
        row[21] = markup.place_links[block] / max(markup.links[block], 1)
    sums = np.zeros((n + 1, 4), np.float64)
    for block in range(n):
        long = words[block] if words[block] >= LONG and linked[block] < 0.3 * words[block] else 0.0
        sums[block + 1, 0] = sums[block, 0] + words[block]
        sums[block + 1, 1] = sums[block, 1] + linked[block]
        sums[block + 1, 2] = sums[block, 2] + terminals[block]
        sums[block + 1, 3] = sums[block, 3] + long
    _count_copies(text_hash, own)
    group, groups = _group(markup, words, linked, terminals)
    best = np.zeros(1, np.int32)
    best[0] = _best(markup, words, linked, terminals)
    return Measures(words, own, kind_of, sums, group, groups, best)


@kernel
def _count_copies(text_hash: np.ndarray, own: np.ndarray) -> None:
    n = len(text_hash)
    keys = np.zeros(table_size(n), np.uint64)
    counts = np.zeros(len(keys), np.int32)
    for block in range(n):
        slot = slot_of(text_hash[block], keys)
        keys[slot] = text_hash[block]
        counts[slot] += 1
    for block in range(n):
        own[block, 16] = min(counts[slot_of(text_hash[block], keys)], 20)


@kernel
def _group(
    markup: Markup, words: np.ndarray, linked: np.ndarray, terminals: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Blocks whose element, parent and grandparent have the same tags and classes."""
    n = len(words)
    keys = np.zeros(table_size(n), np.uint64)
    numbers = np.zeros(len(keys), np.int32)
    group = np.zeros(n, np.int32)
    groups = np.zeros((n, 6), np.float64)
    count = 0
    for block in range(n):
        element = markup.element[block]
        key = markup.signature[element]
        for _ in range(2):
            element = max(markup.parent[element], 0)
            key = (key * NAME_PRIME) ^ markup.signature[element]
        if key == 0:
            key = np.uint64(1)
        slot = slot_of(key, keys)
        if keys[slot] == 0:
            keys[slot], numbers[slot] = key, count
            groups[count, 4] = block
            count += 1
        number = numbers[slot]
        group[block] = number
        groups[number, 0] += 1
        groups[number, 1] += words[block]
        groups[number, 2] += linked[block]
        groups[number, 3] += terminals[block]
        groups[number, 5] = block
    return group, groups[:count]


@kernel
def _best(markup: Markup, words: np.ndarray, linked: np.ndarray, terminals: np.ndarray) -> int:
    """The element with most running text right below it: as in Readability, a block counts for its element's parent
    in full and for the grandparent by half."""
    score = np.zeros(len(markup.tag), np.float64)
    for block in range(len(words)):
        worth = words[block] - 3.0 * linked[block]
        if worth < LONG and terminals[block] == 0:
            continue
        if worth <= 0:
            continue
        element = markup.element[block]
        above = max(markup.parent[element], 0)
        if markup.tag[element] == 0 or KINDS[markup.tag[element]] >= 5:
            score[element] += worth
            score[above] += 0.5 * worth
        else:
            score[above] += worth
            score[max(markup.parent[above], 0)] += 0.5 * worth
    return whole(np.argmax(score))
