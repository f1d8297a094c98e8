"""The chosen blocks as Markdown: CommonMark, with tables of GitHub's and, for <dl>, lines that begin with ": ".

Blocks are divided by an empty line, items of a list by none where they hold but paragraphs. Time is linear in the page.
"""

from typing import Any, NamedTuple

import numpy as np

from pipeline.html.elements import IN_PRE, LI
from pipeline.kernels.compiling import kernel, whole
from pipeline.page.blocks.writing import Markup
from pipeline.page.main_text.engine import selection
from pipeline.page.main_text.lines import LINE, append, append_lines, seen
from pipeline.page.markdown.data_tables import columns_of, goes_on
from pipeline.page.markdown.escapes import BACKTICK, CELL, DEFINED, HEADING, PARAGRAPH, append_escaped, room_for
from pipeline.page.markdown.nesting import DEFINITION, MOST_BOXES, OL, QUOTE, Nesting, nesting_of
from pipeline.words.characters import Characters, characters

WIDEST_MARK = 12  # bytes: a number of nine digits, its dot, a space
LONGEST_LANGUAGE = 32  # bytes
LARGEST_NUMBER = 999_999_999  # that CommonMark takes for an item's
OTHER, LINES, TERM_LINES = 0, 1, 2  # what is written last: a paragraph, a term, none of these


class Named(NamedTuple):
    """What the page says of listings and formulas. page: its bytes. languages: int32 (n_elements or 0, 2), start and
    end in them of a listing's language, (0, 0) for none. formulas: int32 (n, 3) in order: start and end in the markup's
    text, 1 for display."""

    page: np.ndarray
    languages: np.ndarray
    formulas: np.ndarray


class Boxes(NamedTuple):
    """The boxes that are open, outermost first, and what their lines begin with: `prefix[: stops[i]]` in the first i.

    now: of one row, how many are open, what is written last, and which formula is next.
    """

    path: np.ndarray  # int32 (MOST_BOXES + 1,)
    wanted: np.ndarray  # as path, of what is written next
    stops: np.ndarray  # int64
    prefix: np.ndarray  # uint8
    other_mark: np.ndarray  # bool: the list began right behind another one
    dropped: np.ndarray  # bool by element: a definition that is written as paragraphs
    now: Any


NOW = np.dtype([("depth", np.int64), ("last", np.int64), ("formula", np.int64)])


def markdown_text(page: bytes) -> str:
    """Main text of a page in UTF-8 as Markdown: the blocks that `main_text` chooses. Empty where there is none."""
    markup, chosen = selection(page)
    data = write(
        markup, chosen, characters(), Named(np.frombuffer(page, np.uint8), markup.language, markup.formulas)
    ).tobytes()
    return data.decode("utf-8", "ignore")


@kernel
def write(markup: Markup, chosen: np.ndarray, chars: Characters, named: Named) -> np.ndarray:
    """The text of the chosen blocks, UTF-8, uint8."""
    n = len(chosen)
    begins, ends, written = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.bool_)
    size = 64
    for block in range(n):
        if chosen[block]:
            in_pre = (markup.flags[block] & np.uint32(IN_PRE)) != 0
            start, end = whole(markup.start[block]), whole(markup.end[block])
            begins[block], ends[block] = seen(markup.text, start, end, in_pre, chars)
            written[block] = begins[block] < ends[block]
            size += end - start + 8
    by = nesting_of(markup)
    columns = columns_of(markup, by, written)
    boxes = Boxes(
        np.zeros(MOST_BOXES + 2, np.int32), np.zeros(MOST_BOXES + 2, np.int32), np.zeros(MOST_BOXES + 2, np.int64),
        np.zeros((MOST_BOXES + 2) * WIDEST_MARK, np.uint8), np.zeros(MOST_BOXES + 2, np.bool_),
        np.zeros(len(markup.tag), np.bool_), np.zeros(1, NOW),
    )  # fmt: skip
    out, used, scratch = np.empty(size, np.uint8), whole(0), np.empty(size, np.uint8)
    spans = np.zeros((len(named.formulas), 3), np.int32)
    block = whole(0)
    while block < n:
        if not written[block]:
            block += 1
            continue
        element = markup.element[block]
        pre, heading, cell = by.pre[element], by.heading[element], by.cell[element]
        is_table = pre == 0 and cell != 0 and columns[by.table[element]] > 0
        is_lines = pre == 0 and heading == 0 and not is_table
        is_term = is_lines and by.term[element] > 0
        out = with_room(out, used, 3 * len(boxes.prefix) + 16)
        used = _begin(out, used, markup, by, boxes, element, TERM_LINES if is_term else LINES if is_lines else OTHER)
        if is_table:
            out, used, block = _append_table(
                out, used, scratch, spans, markup, by, boxes, (block, n), columns, begins, ends, written, chars, named
            )
            continue
        if pre:
            length, block = _listing(scratch, markup, by, block, begins, ends, written, chars)
            language = np.zeros(2, np.int32) if not len(named.languages) else named.languages[pre]
            prefix = boxes.prefix[: boxes.stops[boxes.now[0].depth]]
            lines = 1
            for byte in scratch[:length]:
                lines += byte == LINE
            out = with_room(out, used, 3 * length + (lines + 2) * (len(prefix) + 2) + 64)
            used = _append_fenced(out, used, scratch[:length], named.page, language, prefix)
            continue
        is_defined = is_term or markup.tag[by.box[element]] == DEFINITION
        kind = HEADING if heading else DEFINED if is_defined else PARAGRAPH
        length, lines, n_spans, block = _paragraph(
            scratch, spans, markup, block, begins, ends, written, kind, chars, named, boxes
        )
        prefix = boxes.prefix[: boxes.stops[boxes.now[0].depth]]
        out = with_room(out, used, room_for(length, lines, n_spans, len(prefix)) + 8)
        if heading:
            for _ in range(heading):
                out[used] = 35
                used += 1
            out[used] = 32
            used += 1
        used = append_escaped(out, used, scratch[:length], kind, spans[:n_spans], prefix, chars)
    return out[:used]


@kernel
def with_room(out: np.ndarray, used: int, need: int) -> np.ndarray:
    """`out` or, with the same beginning, a larger array."""
    if used + need <= len(out):
        return out
    larger = np.empty(max(2 * len(out), used + need), np.uint8)
    larger[:used] = out[:used]
    return larger


@kernel
def _begin(
    out: np.ndarray, used: int, markup: Markup, by: Nesting, boxes: Boxes, element: int, kind: int
) -> int:  # fmt: skip
    """Ends the line before, and begins one in the boxes of the element; those that begin with it have their marks."""
    now, path, wanted = boxes.now[0], boxes.path, boxes.wanted
    depth, common = _agreed(markup, by, boxes, element, kind)
    begins_list = False
    if depth > common and markup.tag[wanted[common]] == LI:
        item = wanted[common]
        is_next = now.depth > common and markup.tag[path[common]] == LI
        same = is_next and by.list[path[common]] == by.list[item]
        if not same:
            boxes.other_mark[common] = is_next and not boxes.other_mark[common]
            begins_list = not is_next
    if used:
        out[used] = LINE
        used += 1
        if not _is_tight(markup, by, boxes, depth, common, begins_list):
            end = boxes.stops[common]
            while end > 0 and boxes.prefix[end - 1] == 32:
                end -= 1
            used = append(out, used, boxes.prefix[:end])
            out[used] = LINE
            used += 1
    used = append(out, used, boxes.prefix[: boxes.stops[common]])
    for level in range(common, depth):
        used = _open_box(out, used, markup, by, boxes, level, level > common)
    now.depth, now.last = depth, kind
    return used


@kernel
def _agreed(markup: Markup, by: Nesting, boxes: Boxes, element: int, kind: int) -> tuple[int, int]:
    """How many boxes are wanted, and how many of them are open. A definition that begins is none, unless a term or
    another one is before it and it begins with a paragraph."""
    now, path, wanted = boxes.now[0], boxes.path, boxes.wanted
    while True:
        depth = _wanted_boxes(by, boxes, element)
        common = 0
        while common < min(depth, now.depth) and path[common] == wanted[common]:
            common += 1
        dropped = False
        for level in range(common, depth):
            if markup.tag[wanted[level]] == DEFINITION:
                behind_term = now.last == TERM_LINES and now.depth == common
                behind_other = (
                    now.depth > common
                    and markup.tag[path[common]] == DEFINITION
                    and markup.parent[path[common]] == markup.parent[wanted[level]]
                )
                is_paragraph = level == depth - 1 == common and kind == LINES
                if not (is_paragraph and (behind_term or behind_other)):
                    dropped = boxes.dropped[wanted[level]] = True
        if not dropped:
            return depth, common


@kernel
def _wanted_boxes(by: Nesting, boxes: Boxes, element: int) -> int:
    """Puts the boxes that the element lies in into `wanted`; answers how many."""
    depth, box = 0, by.box[element]
    while box:
        depth += not boxes.dropped[box]
        box = by.outer[box]
    at, box = depth, by.box[element]
    while box:
        if not boxes.dropped[box]:
            at -= 1
            boxes.wanted[at] = box
        box = by.outer[box]
    return depth


@kernel
def _is_tight(markup: Markup, by: Nesting, boxes: Boxes, depth: int, common: int, begins_list: bool) -> bool:
    """Whether no empty line divides what is written next from a paragraph or term before it."""
    now, path, wanted = boxes.now[0], boxes.path, boxes.wanted
    if depth == common or now.last == OTHER:
        return False
    box = wanted[common]
    if markup.tag[box] == DEFINITION:
        return now.last == TERM_LINES or now.depth > common
    if markup.tag[box] != LI:
        return False
    if now.depth > common:  # the next item
        return markup.tag[path[common]] == LI and by.list[path[common]] == by.list[box]
    # the first item of a list in an item; a number other than 1 would not end the paragraph above
    is_first = markup.tag[by.list[box]] != OL or by.number[box] == 1
    return begins_list and common > 0 and markup.tag[path[common - 1]] == LI and is_first


@kernel
def _open_box(
    out: np.ndarray, used: int, markup: Markup, by: Nesting, boxes: Boxes, level: int, is_inner: bool
) -> int:  # fmt: skip
    """Appends the box's mark. is_inner: it begins on the line of another's mark."""
    box, begin, end = boxes.wanted[level], used, boxes.stops[level]
    tag = markup.tag[box]
    other = boxes.other_mark[level] and not is_inner
    if is_inner:
        boxes.other_mark[level] = False
    if tag == LI and markup.tag[by.list[box]] == OL:
        number = min(whole(by.number[box]), LARGEST_NUMBER)
        power = 1
        while power * 10 <= number:
            power *= 10
        while power:
            out[used] = 48 + number // power % 10
            used += 1
            power //= 10
        out[used] = 41 if other else 46
    elif tag == LI:
        out[used] = 42 if other else 45
    else:
        out[used] = 62 if tag == QUOTE else 58
    out[used + 1] = 32
    used += 2
    for place in range(used - begin):
        boxes.prefix[end + place] = out[begin + place] if tag == QUOTE else 32
    boxes.path[level] = box
    boxes.stops[level + 1] = end + used - begin
    return used


@kernel
def _paragraph(
    scratch: np.ndarray, spans: np.ndarray, markup: Markup, block: int, begins: np.ndarray, ends: np.ndarray,
    written: np.ndarray, kind: int, chars: Characters, named: Named, boxes: Boxes,
) -> tuple[int, int, int, int]:  # fmt: skip
    """Puts the block and those that are its further lines into `scratch`, their formulas into `spans`: bytes, lines,
    formulas, the block behind. Headings and cells are one line."""
    used, lines, n_spans, first = 0, 0, 0, block
    while block < len(written) and (block == first or goes_on(markup, written, block)):
        if block > first:
            scratch[used] = LINE if kind <= DEFINED else 32
            used += 1
        lines += 1
        at, end = begins[block], ends[block]
        now = boxes.now[0]
        while now.formula < len(named.formulas) and named.formulas[now.formula, 0] < end:
            start = max(whole(named.formulas[now.formula, 0]), at)
            stop = min(whole(named.formulas[now.formula, 1]), end)
            if start < stop:
                used = append_lines(scratch, used, markup.text[at:start], False, chars)
                begin = used
                used = append_lines(scratch, used, markup.text[start:stop], False, chars)
                spans[n_spans, 0], spans[n_spans, 1] = begin, used
                spans[n_spans, 2] = named.formulas[now.formula, 2]
                n_spans += used > begin
                at = stop
            now.formula += 1
        used = append_lines(scratch, used, markup.text[at:end], False, chars)
        block += 1
    return used, lines, n_spans, block


@kernel
def _listing(
    scratch: np.ndarray, markup: Markup, by: Nesting, block: int, begins: np.ndarray, ends: np.ndarray,
    written: np.ndarray, chars: Characters,
) -> tuple[int, int]:  # fmt: skip
    """Puts all that is written of a <pre> into `scratch`, a line a block at least: bytes, the block behind."""
    used, pre = 0, by.pre[markup.element[block]]
    while block < len(written) and by.pre[markup.element[block]] == pre:
        if written[block]:
            if used:
                scratch[used] = LINE
                used += 1
            used = append_lines(scratch, used, markup.text[begins[block] : ends[block]], True, chars)
        block += 1
    return used, block


@kernel
def _append_fenced(
    out: np.ndarray, used: int, text: np.ndarray, page: np.ndarray, language: np.ndarray, prefix: np.ndarray
) -> int:
    """Appends a listing between fences longer than any run of backticks in it."""
    longest, run = 0, 0
    for byte in text:
        run = run + 1 if byte == BACKTICK else 0
        longest = max(longest, run)
    fence = max(3, longest + 1)
    for _ in range(fence):
        out[used] = BACKTICK
        used += 1
    if _is_language(page, language):
        used = append(out, used, page[language[0] : language[1]])
    bare = len(prefix)
    while bare > 0 and prefix[bare - 1] == 32:
        bare -= 1
    at = 0
    while at <= len(text):
        end = at
        while end < len(text) and text[end] != LINE:
            end += 1
        out[used] = LINE
        used += 1
        used = append(out, used, prefix if end > at else prefix[:bare])
        used = append(out, used, text[at:end])
        at = end + 1
    out[used] = LINE
    used += 1
    used = append(out, used, prefix)
    for _ in range(fence):
        out[used] = BACKTICK
        used += 1
    return used


@kernel
def _is_language(page: np.ndarray, language: np.ndarray) -> bool:
    """Whether the name may stand behind a fence: letters, digits and + - . # _ of ASCII."""
    if not 0 < language[1] - language[0] <= LONGEST_LANGUAGE:
        return False
    for byte in page[language[0] : language[1]]:
        is_word = 48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122
        if not (is_word or byte == 43 or byte == 45 or byte == 46 or byte == 35 or byte == 95):
            return False
    return True


@kernel
def _append_table(
    out: np.ndarray, used: int, scratch: np.ndarray, spans: np.ndarray, markup: Markup, by: Nesting, boxes: Boxes,
    blocks: tuple[int, int], columns: np.ndarray, begins: np.ndarray, ends: np.ndarray, written: np.ndarray,
    chars: Characters, named: Named,
) -> tuple[np.ndarray, int, int]:  # fmt: skip
    """Appends the table that the first of `blocks` begins, its first row as the header: the array, bytes, the block
    behind."""
    block, n = blocks
    table = by.table[markup.element[block]]
    wide, row, column = whole(columns[table]), np.int32(0), 0
    prefix = boxes.prefix[: boxes.stops[boxes.now[0].depth]]
    is_header = True
    while block < n and (not written[block] or by.table[markup.element[block]] == table):
        if not written[block]:
            block += 1
            continue
        element = markup.element[block]
        if by.row[element] != row:
            if row:
                if is_header:
                    out = with_room(out, used, 9 * (wide + 2) + len(prefix))
                    used = _end_header(out, used, column, wide, prefix)
                    is_header = False
                out = with_room(out, used, len(prefix) + 2)
                out[used] = LINE
                used = append(out, used + 1, prefix)
            out[used] = 124
            used += 1
            row, column = by.row[element], 0
        here = whole(by.column[by.cell[element]])
        length, lines, n_spans, block = _paragraph(
            scratch, spans, markup, block, begins, ends, written, whole(CELL), chars, named, boxes
        )
        out = with_room(out, used, 2 * (here - column) + room_for(length, lines, n_spans, 0) + 4)
        while column < here - 1:
            out[used], out[used + 1] = 32, 124
            used += 2
            column += 1
        out[used] = 32
        used = append_escaped(out, used + 1, scratch[:length], whole(CELL), spans[:n_spans], prefix, chars)
        out[used], out[used + 1] = 32, 124
        used += 2
        column = here
    return out, used, block


@kernel
def _end_header(out: np.ndarray, used: int, column: int, wide: int, prefix: np.ndarray) -> int:
    """Fills the header up, which must be as wide as the widest row, and appends the line below it."""
    for _ in range(column, wide):
        out[used], out[used + 1] = 32, 124
        used += 2
    out[used] = LINE
    used = append(out, used + 1, prefix)
    out[used] = 124
    used += 1
    for _ in range(wide):
        for byte in (32, 45, 45, 45, 32, 124):
            out[used] = byte
            used += 1
    return used
