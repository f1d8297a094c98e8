"""The engine `blocks`: main text of a page by one reading of its tags and a model of its blocks.

Time is linear in the page but for the sorting of its blocks by score; memory is some forty times the page at the worst
(a page of nothing but tags).
"""

import numpy as np

from pipeline.text.block_features import KINDS, measure
from pipeline.text.block_model import choose, model, score_blocks, weights
from pipeline.text.characters import characters
from pipeline.text.html_names import LI, TABLE, TD, TH, TR
from pipeline.text.kernels import kernel
from pipeline.text.markup import Markup, read_page, tables

LINE, CELL, ITEM = np.uint8(10), np.frombuffer(b" | ", np.uint8), np.frombuffer(b"- ", np.uint8)


def main_text(page: bytes) -> str:
    """Main text of a page in UTF-8; empty where there is none. A line a block; items of lists begin with "- ", cells
    of a row are divided by " | ", preformatted text keeps its lines."""
    data, chars, trained = np.frombuffer(page, np.uint8), characters(), model()
    markup = read_page(data, tables())
    measures = measure(data, markup, chars, KINDS)
    scores = score_blocks(markup, measures, trained.first, trained.second)
    text: bytes = assemble(markup, choose(scores, weights(measures))).tobytes()
    return text.decode("utf-8", "ignore")


@kernel
def assemble(markup: Markup, chosen: np.ndarray) -> np.ndarray:
    """The text of the chosen blocks, UTF-8, uint8."""
    rows, cells, items = _surroundings(markup)
    size = 0
    for block in range(len(chosen)):
        if chosen[block]:
            size += markup.end[block] - markup.start[block] + 6
    out, used = np.empty(size, np.uint8), 0
    last_row, last_item = -1, -1
    for block in range(len(chosen)):
        if not chosen[block]:
            continue
        element = markup.element[block]
        cell, row = cells[element], rows[element]
        alone = cell >= 0 and markup.last[cell] - markup.first[cell] == 1
        if used and alone and row == last_row:
            used = _append(out, used, CELL)
        elif used:
            out[used] = LINE
            used += 1
        last_row = row if alone else -1
        item = items[element]
        if item >= 0 and item != last_item:
            if markup.first[item] == block:
                used = _append(out, used, ITEM)
            last_item = item
        used = _append(out, used, markup.text[markup.start[block] : markup.end[block]])
    return out[:used]


@kernel
def _append(out: np.ndarray, used: int, piece: np.ndarray) -> int:
    for byte in piece:
        out[used] = byte
        used += 1
    return used


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
