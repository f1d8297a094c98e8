"""Tokens that say what a text looks like in any language, for a classifier of words to learn from beside the words.

A text becomes a row of tokens: each of its segments (`pipeline.scores.segments`) opens with tokens of its own (how long
it is, how it begins and ends, what is in it, how much of it the text has said before), then come tokens of the whole
text, then its words. A token is a number that is cut into classes, or two or three such numbers together, since a sum
over tokens cannot see that two of them occur together. Tokens of the whole text stand in every segment, so that their
weight in the mean over all tokens does not depend on the text's length.

The classes' bounds are ours: round numbers, for every class to be frequent somewhere.
"""

import numpy as np

from pipeline.kernels.compiling import borrowing, kernel
from pipeline.scores.segments import (
    AGAIN,
    ASCII,
    BEGIN,
    CAPITAL,
    CAPITALS,
    CASED,
    COLUMNS,
    COMMON,
    CUT_END,
    DIGITS,
    END,
    LINE,
    LONG,
    MARKS,
    NEARBY,
    PAIRS,
    QUARTERS,
    RARE,
    SAME,
    SEEN,
    SMALL,
    SYMBOLS,
    TAIL,
    TERMINAL_END,
    TWINS,
    UNITS,
)

VERSION = 1  # of what a text is made into; raise it when the tokens of any text change: models are of one version

_WORDS = np.array([1, 2, 3, 4, 6, 9, 13, 19, 28]) * 4  # quarters: 10 classes
_TEXT = np.array([25, 50, 100, 200, 400, 800, 1600]) * 4  # quarters: 8 classes
_SHARE = np.array([1, 50, 100, 200, 350, 500, 700, 900])  # thousandths, 9 classes: the first is none at all
_FINE = np.array([1, 20, 40, 70, 110, 160, 230, 320, 450, 600, 800])  # 12 classes
_FEW = np.array([1, 100, 300, 600])  # 5 classes
_ENDINGS = np.array([60, 90, 130, 200])  # 5 classes
_COUNT = np.array([1, 2, 4, 8])  # 5 classes
_MANY = np.array([2, 4, 8, 16, 32, 64, 128])  # 8 classes
LENGTHS, TEXTS, SHARES, FINES, FEWS, COUNTS, MANIES = 10, 8, 9, 12, 5, 5, 8
ENDS, BEGINS, ROUGH = 9, 6, 4

# Name and number of classes of each token, in the order in which they stand.
OF_SEGMENT = (
    ("end", LENGTHS * ENDS), ("begin", LENGTHS * BEGINS * 2), ("before", (LENGTHS + 1) * LENGTHS),
    ("ends", (ENDS + 1) * ENDS * 2), ("capitals", FEWS * ROUGH * 2), ("digits", FEWS * FEWS * ROUGH),
    ("marks", SHARES * ROUGH), ("seen", SHARES * TEXTS), ("again", FEWS * FEWS * ROUGH), ("common", FEWS * ROUGH * 2),
    ("place", 4 * LENGTHS * 2), ("line", LENGTHS * COUNTS), ("shorts", COUNTS * 2),
)  # fmt: skip
OF_TEXT = (
    ("size", TEXTS), ("closed", SHARES * ROUGH), ("short", SHARES * ROUGH), ("mean", LENGTHS * FINES),
    ("repeated", FINES * TEXTS), ("recurring", FINES * TEXTS), ("clustered", FINES * ROUGH), ("bare", SHARES * ROUGH),
    ("titles", FINES), ("numbers", FINES), ("signs", FINES), ("marked", FINES * ROUGH), ("same", SHARES * ROUGH),
    ("lines", MANIES * LENGTHS), ("commons", FINES * TEXTS), ("foreign", SHARES), ("started", SHARES * SHARES),
    ("longs", FINES), ("phrases", FINES * TEXTS), ("finals", FINES * FEWS),
)  # fmt: skip
NAMES = tuple(f"~{name}.{number}" for name, size in (*OF_SEGMENT, *OF_TEXT) for number in range(size))
_SIZES = np.array([size for _, size in (*OF_SEGMENT, *OF_TEXT)])
_BASES = np.concatenate([[0], np.cumsum(_SIZES)[:-1]]).astype(np.int32)
_N_SEGMENT, _N_TEXT = len(OF_SEGMENT), len(OF_TEXT)
_SHORT = 5 * 4  # quarters of a short line or segment


@borrowing
def _class(value, bounds):
    """How many of the bounds the value has reached."""
    number = 0
    while number < len(bounds) and value >= bounds[number]:
        number += 1
    return number


@borrowing
def _share(part, whole, bounds):
    return _class(part * 1000 // max(1, whole), bounds)


@kernel
def _rough(quarters) -> int:
    return 0 if quarters < 12 else 1 if quarters < 32 else 2 if quarters < 72 else 3


@kernel
def _rough_text(quarters) -> int:
    return 0 if quarters < 240 else 1 if quarters < 800 else 2 if quarters < 2400 else 3


@kernel
def _of_text(segments: np.ndarray, first: int, last: int, out: np.ndarray) -> None:
    """The tokens of a text, without their bases."""
    sums = np.zeros(len(COLUMNS), np.int64)
    closed, in_short, bare, bare_of, squares = 0, 0, 0, 0, 0
    n_lines, same = 0, 0
    starts, small_starts, after, small_after = 0, 0, 0, 0
    line_quarters = 0
    tail, tails, same_tails = -1, 0, 0
    for n in range(first, last):
        for column in range(2, len(COLUMNS)):
            sums[column] += segments[n, column]
        quarters = segments[n, QUARTERS]
        squares += quarters * quarters
        new_line = n == first or segments[n, LINE] != segments[n - 1, LINE]
        if new_line:
            n_lines += 1
            line_quarters = 0
            if segments[n, BEGIN] <= SMALL:
                starts += 1
                small_starts += segments[n, BEGIN] == SMALL
        elif segments[n - 1, END] == TERMINAL_END and segments[n, BEGIN] <= SMALL:
            after += 1
            small_after += segments[n, BEGIN] == SMALL
        line_quarters += quarters
        if segments[n, END] == TERMINAL_END or segments[n, END] == CUT_END:
            closed += quarters
        if (n + 1 == last or segments[n + 1, LINE] != segments[n, LINE]) and line_quarters < _SHORT:
            in_short += line_quarters
        if quarters >= _SHORT:
            bare_of += quarters
            if segments[n, COMMON] == 0:
                bare += quarters
        if segments[n, SAME]:
            same += quarters
        if quarters >= _SHORT and segments[n, END] != CUT_END:
            tails += tail >= 0
            same_tails += segments[n, TAIL] == tail
            tail = segments[n, TAIL]
    whole, units, n_segments = sums[QUARTERS], sums[UNITS], last - first
    size, rough = _class(whole, _TEXT), _rough_text(whole)
    mean = whole // n_segments
    spread = (
        (squares * n_segments - whole * whole) * 1000 // max(1, whole * whole)
    )  # of lengths: variance by mean squared
    out[0] = size
    out[1] = _share(closed, whole, _SHARE) * 4 + rough
    out[2] = _share(in_short, whole, _SHARE) * 4 + rough
    out[3] = _class(mean, _WORDS) * FINES + _class(spread // 2, _FINE)
    out[4] = _share(sums[SEEN], units, _FINE) * TEXTS + size
    out[5] = _share(sums[AGAIN], sums[RARE], _FINE) * TEXTS + size
    out[6] = _share(sums[NEARBY], sums[AGAIN], _FINE) * 4 + rough
    out[7] = _share(bare, bare_of, _SHARE) * 4 + rough
    out[8] = _share(sums[CAPITALS], sums[CASED], _FINE)
    out[9] = _share(sums[DIGITS], units, _FINE)
    out[10] = _share(sums[SYMBOLS], units, _FINE)
    out[11] = _share(sums[MARKS] * 4, whole, _FINE) * 4 + rough
    out[12] = _share(same, whole, _SHARE) * 4 + rough
    out[13] = _class(n_lines, _MANY) * LENGTHS + _class(whole // n_lines, _WORDS)
    out[14] = _share(sums[COMMON], units, _FINE) * TEXTS + size
    out[15] = _share(min(sums[ASCII], units - sums[ASCII]), units, _SHARE)
    out[16] = _share(small_starts, starts, _SHARE) * SHARES + _share(small_after, after, _SHARE)
    out[17] = _share(sums[LONG], units, _FINE)
    out[18] = _share(sums[PAIRS], units, _FINE) * TEXTS + size
    out[19] = _share(same_tails, tails, _FINE) * FEWS + _share(sums[TWINS], units, _ENDINGS)


@kernel
def _of_segment(
    segments: np.ndarray, n: int, first: int, last: int, line_quarters: int, line_segments: int, shorts: int,
    quarters_before: int, whole: int, out: np.ndarray,
) -> None:  # fmt: skip
    """The tokens of a segment, without their bases."""
    quarters, end, begin = segments[n, QUARTERS], segments[n, END], segments[n, BEGIN]
    units, rough = segments[n, UNITS], _rough(quarters)
    length = _class(quarters, _WORDS)
    new_line = 1 if n == first or segments[n, LINE] != segments[n - 1, LINE] else 0
    length_before = LENGTHS if n == first else _class(segments[n - 1, QUARTERS], _WORDS)
    end_before = ENDS if n == first else segments[n - 1, END]
    out[0] = length * ENDS + end
    out[1] = (length * BEGINS + begin) * 2 + new_line
    out[2] = length_before * LENGTHS + length
    out[3] = (end_before * ENDS + end) * 2 + new_line
    out[4] = (_share(segments[n, CAPITALS], segments[n, CASED], _FEW) * 4 + rough) * 2 + (begin == CAPITAL)
    out[5] = (_share(segments[n, DIGITS], units, _FEW) * FEWS + _share(segments[n, SYMBOLS], units, _FEW)) * 4 + rough
    out[6] = _share(segments[n, MARKS] * 4, quarters, _SHARE) * 4 + rough
    out[7] = _share(segments[n, SEEN], units, _SHARE) * TEXTS + _class(quarters_before, _TEXT)
    out[8] = (
        _share(segments[n, AGAIN], segments[n, RARE], _FEW) * FEWS
        + _share(segments[n, NEARBY], segments[n, RARE], _FEW)
    ) * 4 + rough
    out[9] = (_share(segments[n, COMMON], units, _FEW) * 4 + rough) * 2 + (whole >= 400)
    place = 0 if n == first else 3 if n == last - 1 else 1 if quarters_before * 10 < whole else 2
    out[10] = (place * LENGTHS + length) * 2 + (end == TERMINAL_END)
    out[11] = _class(line_quarters, _WORDS) * COUNTS + _class(line_segments - 1, _COUNT)
    out[12] = _class(shorts, _COUNT) * 2 + (line_quarters < _SHORT)


@kernel
def shape_tokens(segment_offsets: np.ndarray, segments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Takes what `find_segments` gives: the tokens of texts, int32 of shape (n_texts, len(OF_TEXT)), and of segments,
    (n_segments, len(OF_SEGMENT)), as places among NAMES. Those of a text without a segment are no token."""
    n_texts = len(segment_offsets) - 1
    of_texts = np.empty((n_texts, _N_TEXT), np.int32)
    of_segments = np.empty((len(segments), _N_SEGMENT), np.int32)
    for text in range(n_texts):
        first, last = segment_offsets[text], segment_offsets[text + 1]
        if first == last:
            continue
        _of_text(segments, first, last, of_texts[text])
        whole = 0
        for n in range(first, last):
            whole += segments[n, QUARTERS]
        before, shorts, line_end, line_quarters, line_segments = 0, 0, first, 0, 0
        for n in range(first, last):
            if n == line_end:
                if n > first:
                    shorts = shorts + 1 if line_quarters < _SHORT else 0
                line_quarters = 0
                while line_end < last and segments[line_end, LINE] == segments[n, LINE]:
                    line_quarters += segments[line_end, QUARTERS]
                    line_end += 1
                line_segments = line_end - n
            row = of_segments[n]
            _of_segment(segments, n, first, last, line_quarters, line_segments, shorts, before, whole, row)
            before += segments[n, QUARTERS]
    for token in range(_N_TEXT):
        of_texts[:, token] += _BASES[_N_SEGMENT + token]
    for token in range(_N_SEGMENT):
        of_segments[:, token] += _BASES[token]
    return of_texts, of_segments
