"""What a text looks like, piece by piece, without knowing its language: counts by segment, from its words alone.

A segment is a sentence, a line, or a piece of LONGEST_SEGMENT words of either. Lengths are in quarters of a word: a
word of a script with spaces is four, a character of Han or kana two, of Thai, Lao, Khmer or Myanmar one, so that a
sentence is about as long in every script. What a text says again is told by `pipeline.scores.units`.
"""

import numpy as np

from pipeline.kernels.compiling import borrowing, inlined, kernel, uncounted
from pipeline.kernels.hash_table import table_size
from pipeline.scores.units import Units, find_units, make_units, quarters_of
from pipeline.words.characters import (
    CLOSING,
    DIGIT,
    LETTER,
    PUNCTUATION,
    SPACE,
    SYMBOL,
    TERMINAL,
    UPPER,
    Characters,
    decode,
)
from pipeline.words.words import IS_SINGLE

LONGEST_SEGMENT = 40 * 4  # quarters
MOST_WORDS = 10_000  # of a text are looked at: a longer one is judged by its beginning
COMMON_SHARE = 64  # a unit is common that is more than one in so many of the text's words: its function words
LONG_WORD = 7  # characters
NEAR = 2  # segments back in which what is said again is said again nearby

COLUMNS = (
    "first", "last", "quarters", "line", "begin", "end", "capitals", "cased", "digits", "marks", "symbols", "units",
    "seen", "rare", "again", "near", "common", "ascii", "long", "same", "pairs",
    "twins", "tail",
)  # fmt: skip
(
    FIRST, LAST, QUARTERS, LINE, BEGIN, END, CAPITALS, CASED, DIGITS, MARKS, SYMBOLS, UNITS, SEEN, RARE, AGAIN, NEARBY,
    COMMON, ASCII, LONG, SAME, PAIRS, TWINS, TAIL,
) = range(len(COLUMNS))  # fmt: skip

# How a segment ends and begins.
WORD_END, TERMINAL_END, MARK_END, COLON_END, CLOSING_END, SYMBOL_END, DIGIT_END, CUT_END, ELLIPSIS_END = range(9)
UNCASED, CAPITAL, SMALL, NUMBER, AFTER_SYMBOL, AFTER_MARK = range(6)

_LINE_FEED, _COLON, _WIDE_COLON, _FULL_STOP, _ELLIPSIS, _SPACE = 0x0A, 0x3A, 0xFF1A, 0x2E, 0x2026, 0x20


@borrowing
def _flags_at(data, at, end, tables):
    point, behind = decode(data, at, end)
    return point, behind, tables.flags[tables.kinds[tables.pages[point >> 8], point & 255]]


@uncounted
def _scan_gap(data: np.ndarray, at: int, end: int, tables: Characters, gap: np.ndarray) -> None:
    """What stands between two words: gap becomes marks, symbols, line breaks, the end of what was before, the kind of
    beginning of what comes (or -1), and whether a sentence ended."""
    for i in range(len(gap)):
        gap[i] = 0
    gap[4] = -1
    first, terminal, colon, points, closed = 0, False, False, 0, False
    while at < end:
        point, at, flag = _flags_at(data, at, end, tables)
        if flag & SPACE:
            if point == _LINE_FEED:
                gap[2] += 1
                gap[4] = -1
                closed = True
            elif terminal:
                closed = True
            if terminal:
                gap[5] = 1
            continue
        if flag & PUNCTUATION:
            gap[0] += 1
        elif flag & SYMBOL:
            gap[1] += 1
        if closed:
            gap[4] = AFTER_SYMBOL if flag & SYMBOL else AFTER_MARK
            continue
        if flag & TERMINAL:
            terminal = True
            if point == _ELLIPSIS:
                points += 2
            elif point == _FULL_STOP:
                points += 1
            elif point >= 128:
                gap[5] = 1  # those beyond ASCII end sentences without a space, too
        elif point in (_COLON, _WIDE_COLON):
            colon = True
        if first == 0:
            first = CLOSING_END if flag & CLOSING else SYMBOL_END if flag & SYMBOL else MARK_END
    if points > 1:
        gap[3] = ELLIPSIS_END
        gap[5] = 1 if gap[2] else 0
    elif terminal:
        gap[3] = TERMINAL_END
    elif colon:
        gap[3] = COLON_END
    else:
        gap[3] = first


@inlined
def _is_cased(point):
    """Of a letter: Latin, Greek, Cyrillic, Armenian and their later blocks. Georgian writes no capitals."""
    return point < 0x590 or 0x1E00 <= point < 0x2000


@borrowing
def _last_character(data, begin, end):
    """Its bytes as a number, the last three at most."""
    at = end - 1
    while at > begin and at > end - 3 and data[at] & 0xC0 == 0x80:
        at -= 1
    value = 0
    for place in range(at, end):
        value = value << 8 | data[place]
    return np.int32(value)


@borrowing
def _begin_of(data, start, end, flag, gap_kind, tables):
    """How a segment begins with a word."""
    if gap_kind >= 0:
        return gap_kind
    if flag & IS_SINGLE:
        return UNCASED
    point, _, what = _flags_at(data, start, end, tables)
    if what & DIGIT:
        return NUMBER
    if what & UPPER:
        return CAPITAL
    return SMALL if _is_cased(point) else UNCASED


@borrowing
def _end_of(data, at, gap):
    """How a segment ends whose last word ends at a byte, before a gap."""
    return DIGIT_END if gap[3] == WORD_END and 48 <= data[at - 1] <= 57 else gap[3]


@kernel
def _find_bounds(
    data: np.ndarray, base: int, behind: int, starts: np.ndarray, ends: np.ndarray, flags: np.ndarray,
    tables: Characters, out: np.ndarray, gap: np.ndarray,
) -> int:  # fmt: skip
    """Divides a text, from byte `base` to `behind`: FIRST, LAST, QUARTERS, LINE, BEGIN, END, MARKS, SYMBOLS of its
    segments, and how many there are."""
    n, line, at, quarters, kind = 0, 0, base, 0, -1
    for word in range(len(starts)):
        start = base + starts[word]
        if word == 0:
            _scan_gap(data, at, start, tables, gap)
            out[n, MARKS] += gap[0]
            out[n, SYMBOLS] += gap[1]
            kind = AFTER_MARK if gap[0] else AFTER_SYMBOL if gap[1] else -1
        elif start > at and (start > at + 1 or data[at] != _SPACE):
            _scan_gap(data, at, start, tables, gap)
            out[n, MARKS] += gap[0]
            out[n, SYMBOLS] += gap[1]
            if gap[2] or gap[5]:
                out[n, END], out[n, LAST], out[n, QUARTERS] = _end_of(data, at, gap), word, quarters
                n, quarters, kind = n + 1, 0, gap[4]
                line += gap[2] > 0
        size = quarters_of(flags[word], data[start])
        if quarters + size > LONGEST_SEGMENT:
            out[n, END], out[n, LAST], out[n, QUARTERS] = CUT_END, word, quarters
            n, quarters, kind = n + 1, 0, -1
        if quarters == 0:
            out[n, FIRST], out[n, LINE] = word, line
            out[n, BEGIN] = _begin_of(data, start, base + ends[word], flags[word], kind, tables)
        quarters += size
        at = base + ends[word]
    _scan_gap(data, at, behind, tables, gap)
    out[n, MARKS] += gap[0]
    out[n, SYMBOLS] += gap[1]
    out[n, END], out[n, LAST], out[n, QUARTERS] = _end_of(data, at, gap), len(starts), quarters
    return n + 1


@kernel
def _count_words(
    data: np.ndarray, base: int, starts: np.ndarray, ends: np.ndarray, hashes: np.ndarray, lengths: np.ndarray,
    flags: np.ndarray, tables: Characters, units: Units, out: np.ndarray,
) -> None:  # fmt: skip
    """All else of a text's segments. SAME is 1 where a segment's words stand in one before it, in whatever order."""
    told, slots, repeated, known = units.told, units.slots, units.repeated, units.segments
    n_words = len(starts)
    mask = table_size(len(out)) - 1
    known[: mask + 1] = 0
    for n in range(len(out)):
        capitals, cased, digits, ascii_words, long_words, twins, pairs = 0, 0, 0, 0, 0, 0, 0
        again_of_all, rare, again, nearby, tail = 0, 0, 0, 0, np.int32(0)
        first, last = np.int64(out[n, FIRST]), np.int64(out[n, LAST])
        whole = np.uint64(last - first)
        for word in range(first, last):
            lead = data[base + starts[word]]
            if lead < 128:
                ascii_words += 1
                if lead <= 57:
                    digits += 1
                elif word > first:
                    cased += 1
                    capitals += lead <= 90
            elif not flags[word] & IS_SINGLE:
                point, _, what = _flags_at(data, base + starts[word], base + ends[word], tables)
                digits += what & DIGIT != 0
                if word > first and what & LETTER and _is_cased(point):
                    cased += 1
                    capitals += what & UPPER != 0
            if not flags[word] & IS_SINGLE or word == last - 1:
                before, tail = tail, _last_character(data, base + starts[word], base + ends[word])
                twins += before == tail
                long_words += lengths[word] > LONG_WORD
            pairs += repeated[word]
            slot = slots[word]
            seen, count = told[slot, 1], told[slot, 0]
            again_of_all += seen >= 0
            if count == 1 or count * COMMON_SHARE <= n_words:
                rare += 1
                if seen >= 0:
                    again += 1
                    nearby += n - seen <= NEAR
            told[slot, 1] = n
            whole += hashes[word]
        out[n, CAPITALS], out[n, CASED], out[n, DIGITS], out[n, ASCII] = capitals, cased, digits, ascii_words
        out[n, LONG], out[n, TWINS], out[n, TAIL], out[n, PAIRS] = long_words, twins, tail, pairs
        out[n, UNITS], out[n, SEEN], out[n, RARE] = last - first, again_of_all, rare
        out[n, AGAIN], out[n, NEARBY], out[n, COMMON] = again, nearby, last - first - rare
        whole = max(whole, np.uint64(1))
        place = np.int64(whole & np.uint64(mask))
        while known[place] != 0 and known[place] != whole:
            place = (place + 1) & mask
        out[n, SAME] = known[place] == whole
        known[place] = whole


@kernel
def find_segments(
    data: np.ndarray, places: np.ndarray, offsets: np.ndarray, starts: np.ndarray, ends: np.ndarray, hashes: np.ndarray,
    lengths: np.ndarray, flags: np.ndarray, tables: Characters,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Takes the texts as `Utf8` and their `Words`. Segments of text i are segment_offsets[i] : segment_offsets[i + 1];
    int32 by segment and COLUMNS, of which FIRST and LAST count words from the text's first."""
    n_texts = len(places) - 1
    segment_offsets = np.zeros(n_texts + 1, np.int64)
    most, room = 1, n_texts + 1
    for text in range(n_texts):
        n_words = min(offsets[text + 1] - offsets[text], MOST_WORDS)
        most = max(most, n_words)
        room += n_words * 4 // (LONGEST_SEGMENT - 4)
        for word in range(offsets[text] + 1, offsets[text] + n_words):
            space = starts[word] - ends[word - 1]
            room += space > 1 or (space == 1 and data[places[text] + ends[word - 1]] != _SPACE)
    out = np.zeros((room, len(COLUMNS)), np.int32)
    units = make_units(most)
    gap = np.zeros(6, np.int64)
    n = 0
    for text in range(n_texts):
        begin, n_words = offsets[text], min(offsets[text + 1] - offsets[text], MOST_WORDS)
        base = places[text]
        segment_offsets[text + 1] = n
        if n_words == 0:
            continue
        first, own = n, slice(begin, begin + n_words)
        behind = places[text + 1] if begin + n_words == offsets[text + 1] else base + ends[begin + n_words - 1]
        n += _find_bounds(data, base, behind, starts[own], ends[own], flags[own], tables, out[n:], gap)
        find_units(data, base, starts[own], ends[own], hashes[own], lengths[own], flags[own], tables, units)
        _count_words(
            data, base, starts[own], ends[own], hashes[own], lengths[own], flags[own], tables, units, out[first:n]
        )
        segment_offsets[text + 1] = n
    return segment_offsets, out[:n]
