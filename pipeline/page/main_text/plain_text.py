"""The chosen blocks as plain text: a line a block."""

import numpy as np

from pipeline.html.elements import IN_PRE, LI, TABLE, TD, TH, TR
from pipeline.kernels.compiling import kernel, whole
from pipeline.page.blocks.writing import Markup
from pipeline.page.main_text.lines import LINE, append, append_lines, seen
from pipeline.words.characters import Characters

CELL, ITEM = np.frombuffer(b" | ", np.uint8), np.frombuffer(b"- ", np.uint8)


@kernel
def assemble(markup: Markup, chosen: np.ndarray, chars: Characters) -> np.ndarray:
    """The text of the chosen blocks, UTF-8, uint8."""
    rows, cells, items = _surroundings(markup)
    size = 0
    for block in range(len(chosen)):
        if chosen[block]:
            size += markup.end[block] - markup.start[block] + 6
    out, used = np.empty(size, np.uint8), 0
    firsts = markup.first.copy()  # of an element's blocks, the first that is seen
    last_row, last_item = -1, -1
    for block in range(len(chosen)):
        element = markup.element[block]
        cell, row, item = cells[element], rows[element], items[element]
        in_pre = (markup.flags[block] & np.uint32(IN_PRE)) != 0
        if in_pre and markup.tag[element] == LI:  # a line of code, which some listings make an item
            item = np.int32(-1)
        begin, end = seen(markup.text, whole(markup.start[block]), whole(markup.end[block]), in_pre, chars)
        if begin == end and item >= 0 and firsts[item] == block:
            firsts[item] = block + 1
        if begin == end or not chosen[block]:
            continue
        alone = cell >= 0 and markup.last[cell] - markup.first[cell] == 1
        if used and alone and row == last_row:
            used = append(out, used, CELL)
        elif used:
            out[used] = LINE
            used += 1
        last_row = row if alone else -1
        if item >= 0 and item != last_item:
            if firsts[item] == block:
                used = append(out, used, ITEM)
            last_item = item
        used = append_lines(out, used, markup.text[begin:end], in_pre, chars)
    return out[:used]


@kernel
def _surroundings(markup: Markup) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The innermost table row, cell and list item of each element, int32, or -1."""
    n = len(markup.tag)
    rows, cells, items = np.full(n, -1, np.int32), np.full(n, -1, np.int32), np.full(n, -1, np.int32)
    for element in range(1, n):  # parents come first
        above, tag = markup.parent[element], markup.tag[element]
        rows[element], cells[element], items[element] = rows[above], cells[above], items[above]
        if tag == TABLE:
            rows[element], cells[element], items[element] = -1, -1, -1
        elif tag == TR:
            rows[element], cells[element] = element, -1
        elif tag in (TD, TH):
            cells[element] = element
        elif tag == LI:
            items[element] = element
    return rows, cells, items
