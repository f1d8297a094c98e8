"""What a block of a page looks like, in numbers that depend on no language.

Its own text, its tags and class names, what stands beside it and above it, and what the page does with others of its
kind. The features continue Kohlschütter et al. 2010 (text and link density of a block and its neighbours), Readability
(a container's score), and Web2Text (Vogels et al. 2018, several levels of ancestors).
"""

from typing import NamedTuple

import numpy as np

from pipeline.text.characters import (
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
    characters,
    decode,
)  # fmt: skip
from pipeline.text.class_names import GROUPS
from pipeline.text.html_names import FLAG_BITS, N_TREE, NAME_PRIME, NAME_SEED, TAG
from pipeline.text.kernels import kernel, whole
from pipeline.text.markup import Markup

LEVELS = 5  # elements above a block that are described
AROUND = 3  # neighbours on each side
WINDOWS = ((-3, 4), (-8, 9), (-8, 0), (1, 9))
UNSPACED_WORD = 0.5  # of a word, a character of a script without spaces
LONG = 12.0  # words of a block that is hardly a label

_KINDS = (
    "p", "blockquote", "pre listing", "li", "dd", "div", "section article main", "td", "th", "h1", "h2", "h3",
    "h4 h5 h6", "figcaption caption", "dt", "summary legend",
)  # fmt: skip
KINDS = np.full(N_TREE, len(_KINDS), np.uint8)
for _kind, _names in enumerate(_KINDS):
    KINDS[[TAG[name] for name in _names.split()]] = _kind
_KIND_H1, _KIND_H_LAST = 9, 12

_PAUSES = np.array(  # commas and their kin
    [0x2C, 0x3B, 0x55D, 0x60C, 0x61B, 0x1363, 0x1365, 0x104A, 0x3001, 0xFF0C, 0xFF1B, 0xFF64], np.int64
)

OWN = (
    "words", "word_length", "link_share", "links", "digit_share", "upper_share", "punctuation_share", "symbol_share",
    "terminals", "ends_terminal", "pauses", "starts_upper", "kind", "breaks", "next_breaks", "images", "copies",
    "title_cover", "title_share", "bold_share", "unspaced",
)  # fmt: skip
PLACE = (
    "depth", "blocks_of_parent", "place_in_parent", "place", "place_by_words", "page_blocks", "page_words",
    "page_link_share", "page_terminals", "since_heading", "heading", "since_h1", "since_title", "words_before_long",
)  # fmt: skip
NEIGHBOUR = ("words", "link_share", "ends_terminal", "kind", "same_parent", "same_signature")
WINDOW = ("words", "link_share", "terminals")
LEVEL = ("words", "link_share", "terminals", "blocks", "page_share", "long_share")
GROUP = ("blocks", "words", "link_share", "terminals", "page_share", "spread")
BEST = ("inside", "up", "down", "distance", "distance_words", "share")

NAMES: tuple[str, ...] = (
    *OWN,
    *(f"flag_{bit}" for bit in range(FLAG_BITS)),
    *(f"class_{name}" for name in GROUPS),
    *PLACE,
    *(f"{name}[{offset:+}]" for offset in range(-AROUND, AROUND + 1) if offset for name in NEIGHBOUR),
    *(f"{name}[{begin}:{end}]" for begin, end in WINDOWS for name in WINDOW),
    *(f"{name}^{level}" for level in range(LEVELS) for name in LEVEL),
    *(f"group_{name}" for name in GROUP),
    *(f"best_{name}" for name in BEST),
)
N_GROUPS = len(GROUPS)
_N_KINDS = len(_KINDS)


class Measures(NamedTuple):
    """Numbers by block, float32 of shape (blocks,) unless said otherwise, and what they add up to."""

    words: np.ndarray
    chars: np.ndarray
    linked: np.ndarray  # words inside links
    terminals: np.ndarray
    own: np.ndarray  # (blocks, len(OWN)); what neighbours decide is filled in later
    text_hash: np.ndarray  # uint64
    kind: np.ndarray  # uint8
    sums: np.ndarray  # float64 (blocks + 1, 4): words, linked words, terminals, words of long blocks, before the block
    group: np.ndarray  # int32: number of the block's group of like signature
    groups: np.ndarray  # float64 (groups, 6): blocks, words, linked, terminals, first block, last block
    best: np.ndarray  # int32 (1,): the element that reads most like the main text's


@kernel
def _slot(keys: np.ndarray, key: np.uint64) -> int:
    """Slot of a key in an open hash table, or the empty one where it belongs. Keys are not 0."""
    mask = np.uint64(len(keys) - 1)
    slot = (key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(20) & mask
    while keys[slot] != 0 and keys[slot] != key:
        slot = (slot + np.uint64(1)) & mask
    return whole(slot)


@kernel
def _power(count: int) -> int:
    size = 16
    while size < 2 * count:
        size *= 2
    return size


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
            slot = _slot(table, word)
            if table[slot] == 0:
                table[slot] = word
                count += 1
            inside, word = False, NAME_SEED
        if run == RUN:
            word, inside = (word ^ np.uint64(point)) * NAME_PRIME, True
        elif run == SINGLE:
            slot = _slot(table, (NAME_SEED ^ np.uint64(point)) * NAME_PRIME)
            if table[slot] == 0:
                table[slot] = (NAME_SEED ^ np.uint64(point)) * NAME_PRIME
                count += 1
    return table, count


@kernel
def _log(value: float) -> float:
    return np.log1p(max(value, 0.0))


@kernel
def measure(page: np.ndarray, markup: Markup, chars: Characters, kinds: np.ndarray) -> Measures:
    """Reads every block's text once."""
    n = len(markup.start)
    words, n_chars = np.zeros(n, np.float32), np.zeros(n, np.float32)
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
                if table[_slot(table, word)] != 0:
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
                if table[_slot(table, (NAME_SEED ^ np.uint64(folded)) * NAME_PRIME)] != 0:
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
        if inside and table[_slot(table, word)] != 0:
            in_title += 1
        if waiting:
            stops += 1
            ends = True
        count = runs + UNSPACED_WORD * singles
        share = min(markup.link_bytes[block] / size, 1.0)
        words[block], n_chars[block], linked[block], terminals[block] = count, points, count * share, stops
        text_hash[block] = digest if digest else np.uint64(1)
        kind_of[block] = kinds[markup.tag[markup.element[block]]]
        visible = max(points, 1)
        row = own[block]
        row[0], row[1], row[2], row[3] = _log(count), points / max(count, 1.0), share, _log(markup.links[block])
        row[4], row[5] = digits / visible, uppers / max(letters, 1)
        row[6], row[7] = punctuation / visible, symbols / visible
        row[8], row[9], row[10], row[11] = min(stops, 30), ends, pauses / max(count, 1.0), starts_upper
        row[12], row[13], row[15] = kind_of[block], markup.breaks[block], min(markup.images[block], 10)
        row[14] = markup.breaks[block + 1] if block + 1 < n else 0
        row[17] = in_title / max(runs + singles, 1)
        row[18] = in_title / title_count if title_count else 0.0
        row[19] = min(markup.bold_bytes[block] / size, 1.0)
        row[20] = singles / max(runs + singles, 1)
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
    return Measures(words, n_chars, linked, terminals, own, text_hash, kind_of, sums, group, groups, best)


@kernel
def _count_copies(text_hash: np.ndarray, own: np.ndarray) -> None:
    n = len(text_hash)
    keys = np.zeros(_power(n), np.uint64)
    counts = np.zeros(len(keys), np.int32)
    for block in range(n):
        slot = _slot(keys, text_hash[block])
        keys[slot] = text_hash[block]
        counts[slot] += 1
    for block in range(n):
        own[block, 16] = min(counts[_slot(keys, text_hash[block])], 20)


@kernel
def _group(
    markup: Markup, words: np.ndarray, linked: np.ndarray, terminals: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Blocks whose element, parent and grandparent have the same tags and classes."""
    n = len(words)
    keys = np.zeros(_power(n), np.uint64)
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
        slot = _slot(keys, key)
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


@kernel
def _level(block: int, group: int, markup: Markup) -> float:
    bit = np.uint64(1) << np.uint64(group)
    if markup.own[block] & bit:
        return 3.0
    if markup.near[block] & bit:
        return 2.0
    return 1.0 if markup.above[block] & bit else 0.0


@kernel
def describe(block: int, markup: Markup, measures: Measures, marks: np.ndarray, row: np.ndarray) -> None:
    """Writes the block's features, in the order of NAMES, into `row`, float32 of shape (len(NAMES),).

    marks: int32 (blocks, 3), of `headings`.
    """
    n = len(measures.words)
    own, sums = measures.own, measures.sums
    total = max(sums[n, 0], 1.0)
    k = 0
    for index in range(len(OWN)):
        row[k] = own[block, index]
        k += 1
    flags = whole(markup.flags[block])
    for bit in range(FLAG_BITS):
        row[k] = (flags >> bit) & 1
        k += 1
    for group in range(N_GROUPS):
        row[k] = _level(block, group, markup)
        k += 1
    element = whole(markup.element[block])
    above = max(whole(markup.parent[element]), 0)
    row[k] = markup.depth[element]
    row[k + 1] = _log(markup.last[above] - markup.first[above])
    row[k + 2] = (block - markup.first[above]) / max(markup.last[above] - markup.first[above], 1)
    row[k + 3] = block / n
    row[k + 4] = sums[block, 0] / total
    row[k + 5] = _log(n)
    row[k + 6] = _log(sums[n, 0])
    row[k + 7] = sums[n, 1] / total
    row[k + 8] = sums[n, 2] / total
    heading = marks[block, 0]
    row[k + 9] = _log(block - heading) if heading >= 0 else -1.0
    row[k + 10] = measures.kind[heading] - _KIND_H1 if heading >= 0 else -1.0
    row[k + 11] = _log(block - marks[block, 1]) if marks[block, 1] >= 0 else -1.0
    row[k + 12] = _signed(block - marks[block, 2]) if marks[block, 2] >= 0 else -9.0
    row[k + 13] = sums[block, 3] / max(sums[n, 3], 1.0)
    k += 14
    signature = measures.group[block]
    for offset in range(-AROUND, AROUND + 1):
        if offset == 0:
            continue
        other = block + offset
        if 0 <= other < n:
            row[k], row[k + 1], row[k + 2], row[k + 3] = own[other, 0], own[other, 2], own[other, 9], own[other, 12]
            row[k + 4] = max(whole(markup.parent[markup.element[other]]), 0) == above
            row[k + 5] = measures.group[other] == signature
        else:
            row[k], row[k + 1], row[k + 2], row[k + 3], row[k + 4], row[k + 5] = -1.0, -1.0, -1.0, -1.0, 0.0, 0.0
        k += 6
    for begin, end in WINDOWS:
        low, high = max(block + begin, 0), min(block + end, n)
        low = min(low, n)
        high = max(high, low)
        inside = sums[high, 0] - sums[low, 0]
        row[k] = _log(inside)
        row[k + 1] = (sums[high, 1] - sums[low, 1]) / max(inside, 1.0)
        row[k + 2] = (sums[high, 2] - sums[low, 2]) / max(inside, 1.0)
        k += 3
    level = element
    for _ in range(LEVELS):
        low, high = whole(markup.first[level]), whole(markup.last[level])
        inside = sums[high, 0] - sums[low, 0]
        row[k] = _log(inside)
        row[k + 1] = (sums[high, 1] - sums[low, 1]) / max(inside, 1.0)
        row[k + 2] = (sums[high, 2] - sums[low, 2]) / max(inside, 1.0)
        row[k + 3] = _log(high - low)
        row[k + 4] = inside / total
        row[k + 5] = (sums[high, 3] - sums[low, 3]) / max(inside, 1.0)
        k += 6
        level = max(whole(markup.parent[level]), 0)
    found = measures.groups[signature]
    row[k] = _log(found[0])
    row[k + 1] = _log(found[1] / found[0])
    row[k + 2] = found[2] / max(found[1], 1.0)
    row[k + 3] = found[3] / max(found[1], 1.0)
    row[k + 4] = found[1] / total
    row[k + 5] = (found[5] - found[4] + 1) / n
    k += 6
    best = whole(measures.best[0])
    low, high = whole(markup.first[best]), whole(markup.last[best])
    common = element
    while not (
        markup.first[common] <= low and markup.last[common] >= high and markup.depth[common] <= markup.depth[best]
    ):
        common = whole(markup.parent[common])
    row[k] = low <= block < high
    row[k + 1] = markup.depth[best] - markup.depth[common]
    row[k + 2] = markup.depth[element] - markup.depth[common]
    distance = block - low if block < low else (block - high + 1 if block >= high else 0)
    row[k + 3] = _signed(distance)
    if block < low:
        row[k + 4] = -_log(sums[low, 0] - sums[block + 1, 0])
    elif block >= high:
        row[k + 4] = _log(sums[block, 0] - sums[high, 0])
    else:
        row[k + 4] = 0.0
    row[k + 5] = (sums[high, 0] - sums[low, 0]) / total


@kernel
def _signed(distance: int) -> float:
    return _log(distance) if distance >= 0 else -_log(-distance)


@kernel
def headings(measures: Measures) -> np.ndarray:
    """int32 (blocks, 3): the last heading before the block, the first h1 before it, the page's first block that holds
    most of its title; -1 without one."""
    n = len(measures.words)
    marks = np.full((n, 3), -1, np.int32)
    title, cover = -1, 0.5
    for block in range(n):
        kind = measures.kind[block]
        if measures.own[block, 17] >= 0.7 and measures.own[block, 18] * (1.2 if kind == _KIND_H1 else 1.0) > cover:
            title, cover = block, measures.own[block, 18] * (1.2 if kind == _KIND_H1 else 1.0)
    last, first = -1, -1
    for block in range(n):
        marks[block, 0], marks[block, 1], marks[block, 2] = last, first, title
        kind = measures.kind[block]
        if _KIND_H1 <= kind <= _KIND_H_LAST:
            last = block
            if kind == _KIND_H1 and first < 0:
                first = block
    return marks


@kernel
def _matrix(page: np.ndarray, markup: Markup, chars: Characters, kinds: np.ndarray) -> np.ndarray:
    measures = measure(page, markup, chars, kinds)
    marks = headings(measures)
    rows = np.zeros((len(markup.start), len(NAMES)), np.float32)
    for block in range(len(rows)):
        describe(block, markup, measures, marks, rows[block])
    return rows


def features(page: bytes, markup: Markup) -> np.ndarray:
    """All blocks' features, float32 of shape (blocks, len(NAMES))."""
    return _matrix(np.frombuffer(page, np.uint8), markup, characters(), KINDS)
