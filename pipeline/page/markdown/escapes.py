"""A text that a reader of Markdown gives back: what it would take for a mark has a backslash before it, nothing else.

By https://spec.commonmark.org/0.31.2/ and https://github.github.com/gfm/ for tables and `~~`. What only a later mark
makes a mark of is left alone where no such one follows: a single star, the underscores of a_name. Where a precise
answer would need the reader itself, the answer is a backslash.
"""

import numpy as np

from pipeline.kernels.compiling import kernel, whole
from pipeline.page.main_text.lines import LINE
from pipeline.words.characters import PUNCTUATION, SPACE, SYMBOL, Characters, decode

# What the text is written in. To CommonMark a term and its definitions are one paragraph: one ends what another opens.
PARAGRAPH, DEFINED, HEADING, CELL = 0, 1, 2, 3
LONGEST_REFERENCE = 40  # bytes of &name; at most

STAR, LOW_LINE, TILDE, BACKTICK = 42, 95, 126, 96
_SPECIAL = np.zeros(256, np.uint8)
_SPECIAL[[ord(mark) for mark in "\\`*_~[]<&|$\n"]] = 1
# What may begin a block at the start of a line, but for digits.
_FIRST = np.zeros(256, np.uint8)
_FIRST[[ord(mark) for mark in ">#-+*_=~`|:["]] = 1


@kernel
def room_for(size: int, lines: int, formulas: int, prefix: int) -> int:
    """Bytes that a text of so many takes at most."""
    return 2 * size + lines * (prefix + 4) + 8 * formulas + 16


@kernel
def append_escaped(
    out: np.ndarray, used: int, text: np.ndarray, kind: int, formulas: np.ndarray, prefix: np.ndarray, chars: Characters
) -> int:
    """Appends a paragraph, heading or cell. formulas: int32 (n, 3), start and end in the text, 1 for display: they stay
    as they are between dollars. prefix: of all lines but the first. A line end in a paragraph is a hard break, two
    spaces before it. `out` must have `room_for` it."""
    size = len(text)
    marked = False
    for byte in text:
        if _SPECIAL[byte]:
            marked = True
            break
    if not marked and not len(formulas):
        at = _block_mark(text, whole(0), size, size > 0) if kind <= DEFINED else -1
        for place in range(size):
            if place == at:
                out[used] = 92
                used += 1
            out[used] = text[place]
            used += 1
        return _end_of_heading(out, used, text) if kind == HEADING else used
    among = kind == DEFINED
    stars, low_lines = among or _pairs(text, whole(STAR), chars), among or _pairs(text, whole(LOW_LINE), chars)
    tildes, ticks = among or _pairs(text, whole(TILDE), chars), among or _runs(text, BACKTICK) > 1
    last_end, at_sign, opened = size if among else -1, among, among  # of ">"; whether there is "@", and "[" so far
    for place in range(size):
        if text[place] == 62:
            last_end = max(last_end, place)
        at_sign |= text[place] == 64
    at, formula, start, mark = whole(0), 0, True, -1
    run_end, run_taken = 0, False
    while at < size:
        if start:
            end = at
            while end < size and text[end] != LINE:
                end += 1
            mark = _block_mark(text, at, end, at == 0) if kind <= DEFINED else -1
        if formula < len(formulas) and formulas[formula, 0] == at:
            used = _append_formula(out, used, text[at : formulas[formula, 1]], formulas[formula, 2] != 0, kind)
            at, start = whole(formulas[formula, 1]), False
            formula += 1
            continue
        byte = text[at]
        if byte == LINE:
            out[used], out[used + 1], out[used + 2] = 32, 32, LINE
            used += 3
            for one in prefix:
                out[used] = one
                used += 1
            at, start = at + 1, True
            continue
        taken = at == mark
        if _SPECIAL[byte]:
            if byte in (STAR, LOW_LINE, TILDE):
                if at >= run_end:
                    run_end = at + _run(text, at, size)
                    opens, closes = _sides(text, at, run_end, whole(byte), chars)
                    paired = stars if byte == STAR else low_lines if byte == LOW_LINE else tildes
                    run_taken = paired and (opens or closes) and (byte != TILDE or run_end - at > 1)
                    run_taken |= taken and at > 0  # what is left of it might close what is open
                taken |= run_taken
            elif byte == BACKTICK:
                taken |= ticks
            elif byte == 92:
                taken |= at + 1 == size or _is_ascii_punctuation(text[at + 1])
            elif byte == 91:
                opened = True
            elif byte == 93:
                taken |= opened and at + 1 < size and text[at + 1] == 40
            elif byte == 60:
                taken |= _begins_tag(text, at, start and kind <= DEFINED, last_end > at, at_sign)
            elif byte == 38:
                taken |= _is_reference(text, at)
            elif byte == 124:
                taken |= kind == CELL
            elif byte == 36:
                taken |= len(formulas) > 0
        if taken:
            out[used] = 92
            used += 1
        out[used] = byte
        used += 1
        at, start = at + 1, False
    ends_plain = not len(formulas) or formulas[len(formulas) - 1, 1] < size
    return _end_of_heading(out, used, text) if kind == HEADING and ends_plain else used


@kernel
def _append_formula(out: np.ndarray, used: int, text: np.ndarray, display: bool, kind: int) -> int:
    for _ in range(2 if display else 1):
        out[used] = 36
        used += 1
    for byte in text:
        if byte == 124 and kind == CELL:
            out[used] = 92
            used += 1
        out[used] = byte
        used += 1
    for _ in range(2 if display else 1):
        out[used] = 36
        used += 1
    return used


@kernel
def _is_ascii_punctuation(byte: int) -> bool:
    return 33 <= byte <= 47 or 58 <= byte <= 64 or 91 <= byte <= 96 or 123 <= byte <= 126


@kernel
def _is_digit(byte: int) -> bool:
    return 48 <= byte <= 57


@kernel
def _is_letter(byte: int) -> bool:
    return 65 <= byte <= 90 or 97 <= byte <= 122


@kernel
def _consists_of(text: np.ndarray, at: int, end: int, first: int, second: int, third: int) -> bool:
    """Whether the line has nothing but these three characters and spaces."""
    for place in range(at, end):
        byte = text[place]
        if byte != first and byte != second and byte != third and byte != 32:
            return False
    return True


@kernel
def _count(text: np.ndarray, at: int, end: int, byte: int) -> int:
    count = 0
    for place in range(at, end):
        count += text[place] == byte
    return count


@kernel
def _run(text: np.ndarray, at: int, end: int) -> int:
    """How often the character at `at` stands there in a row."""
    place = at
    while place < end and text[place] == text[at]:
        place += 1
    return place - at


@kernel
def _block_mark(text: np.ndarray, at: int, end: int, first: bool) -> int:
    """Where the line text[at:end] must have a backslash lest it begin a block; -1 if nowhere. first: of its paragraph,
    which no later line can divide with a list that does not begin at 1, nor underline."""
    if at == end:
        return -1
    byte = whole(text[at])
    if _is_digit(byte):
        return _number_mark(text, at, end, first)
    if not _FIRST[byte]:
        return -1
    run = _run(text, at, end)
    ends = at + run == end or text[at + run] == 32
    taken = byte == 62
    if byte == 35:
        taken |= run <= 6 and ends
    elif byte == 45 or byte == 43 or byte == STAR:
        taken |= run == 1 and ends
    elif byte in (TILDE, BACKTICK):
        taken |= run >= 3
    elif byte == 91 and first:
        for place in range(at + 1, len(text) - 1):
            taken |= text[place] == 93 and text[place + 1] == 58
    if byte == 45 or byte == STAR:  # a rule, if only together with the mark of its item
        taken |= _consists_of(text, at, end, byte, byte, byte)
    if byte == LOW_LINE:
        taken |= _consists_of(text, at, end, byte, byte, byte) and _count(text, at, end, byte) >= 3
    if not first and (byte == 61 or byte == 45):
        taken |= run == end - at
    if not first and (byte == 45 or byte == 58 or byte == 124):  # the line below a table's header
        taken |= _consists_of(text, at, end, whole(45), whole(58), whole(124)) and _count(text, at, end, whole(45)) > 0
    return at if taken else -1


@kernel
def _number_mark(text: np.ndarray, at: int, end: int, first: bool) -> int:
    """Of a line that begins as an item with a number does, where its dot is."""
    place, number = at, 0
    while place < end and _is_digit(text[place]) and place - at < 10:
        number = 10 * number + whole(text[place]) - 48
        place += 1
    if place == end or place - at > 9 or not (text[place] == 46 or text[place] == 41):
        return -1
    ends = place + 1 == end or text[place + 1] == 32
    return place if ends and (first or number == 1) else -1


@kernel
def _end_of_heading(out: np.ndarray, used: int, text: np.ndarray) -> int:
    """Number signs at the end, behind a space or alone, would close the heading and go."""
    size = len(text)
    place = size
    while place > 0 and text[place - 1] == 35:
        place -= 1
    if place == size or (place > 0 and text[place - 1] != 32):
        return used
    for back in range(size - place):
        out[used - back] = out[used - back - 1]
    out[used - (size - place)] = 92
    return used + 1


@kernel
def _begins_tag(text: np.ndarray, at: int, start: bool, closed: bool, at_sign: bool) -> bool:
    """Whether "<" may begin HTML or an address. start: of a line, where a block of HTML needs no end. closed: there is
    ">" behind it."""
    if at + 1 == len(text):
        return False
    byte = text[at + 1]
    if _is_letter(byte) or byte == 47 or byte == 33 or byte == 63:
        return start or closed
    return closed and at_sign and byte > 32


@kernel
def _is_reference(text: np.ndarray, at: int) -> bool:
    """Whether "&" may begin a character's name or number."""
    place = at + 1
    if place < len(text) and text[place] == 35:
        place += 1
    begin = place
    while place < len(text) and place - at < LONGEST_REFERENCE and (_is_letter(text[place]) or _is_digit(text[place])):
        place += 1
    return begin < place < len(text) and text[place] == 59


@kernel
def _runs(text: np.ndarray, byte: int) -> int:
    count, before = 0, False
    for one in text:
        count += one == byte and not before
        before = one == byte
    return count


@kernel
def _pairs(text: np.ndarray, byte: int, chars: Characters) -> bool:
    """Whether a run of the mark may open what a later one may close."""
    opened, at, size = False, whole(0), len(text)
    while at < size:
        if text[at] != byte:
            at += 1
            continue
        end = at + _run(text, at, size)
        if byte != TILDE or end - at > 1:
            opens, closes = _sides(text, at, end, byte, chars)
            if closes and opened:
                return True
            opened |= opens
        at = end
    return False


@kernel
def _sides(text: np.ndarray, begin: int, end: int, byte: int, chars: Characters) -> tuple[bool, bool]:
    """Whether the run may open, and whether it may close: no white space behind it, or before it. Of low lines, none
    within a word does."""
    size = len(text)
    before, behind = SPACE, SPACE  # flags
    if begin > 0:
        place = begin - 1
        while place > 0 and text[place] & 0xC0 == 0x80:
            place -= 1
        before = _flags(text, place, begin, chars)
    if end < size:
        behind = _flags(text, end, size, chars)
    opens, closes = not behind & SPACE, not before & SPACE
    if byte == LOW_LINE:
        divides = SPACE | PUNCTUATION | SYMBOL
        opens = opens and (before & divides) != 0
        closes = closes and (behind & divides) != 0
    return opens, closes


@kernel
def _flags(text: np.ndarray, at: int, end: int, chars: Characters) -> int:
    point, _ = decode(text, at, end)
    return whole(chars.flags[chars.kinds[chars.pages[point >> 8], point & 255]])
