"""The engine `blocks`: main text of a page by one reading of its tags and a model of its blocks.

Time is linear in the page but for the sorting of its blocks by score; memory is some eighty times the page at the worst
(a page of nothing but tags).
"""

from typing import NamedTuple

import numpy as np

from pipeline.html.elements import IN_PRE, LI, TABLE, TAGS, TD, TH, TR
from pipeline.kernels.compiling import kernel, whole
from pipeline.page.main_text.block_measures import KINDS, measure
from pipeline.page.main_text.block_model import model, score_blocks
from pipeline.page.main_text.choice import Scores, choose, least_score, weights
from pipeline.page.main_text.markup import Markup, read_page, tables
from pipeline.words.characters import SPACE, Characters, characters, decode

LINE, CELL, ITEM = 10, np.frombuffer(b" | ", np.uint8), np.frombuffer(b"- ", np.uint8)
NEXT_LINE, LINE_SEPARATOR, PARAGRAPH_SEPARATOR = 0x85, 0x2028, 0x2029
UNSEEN = np.array(  # Default_Ignorable_Code_Point: first and last of each range
    [[0xAD, 0xAD], [0x34F, 0x34F], [0x61C, 0x61C], [0x115F, 0x1160], [0x17B4, 0x17B5], [0x180B, 0x180F],
     [0x200B, 0x200F], [0x202A, 0x202E], [0x2060, 0x206F], [0x3164, 0x3164], [0xFE00, 0xFE0F], [0xFEFF, 0xFEFF],
     [0xFFA0, 0xFFA0], [0xFFF0, 0xFFF8], [0x1BCA0, 0x1BCA3], [0x1D173, 0x1D17A], [0xE0000, 0xE0FFF]], np.int64
)  # fmt: skip


class ScoredBlock(NamedTuple):
    """A block of a page, of which something is seen. tag: of its element. words: how many it has. score: probability
    that it is main text."""

    text: str
    tag: str
    words: int
    score: float
    chosen: bool


class ScoredPage(NamedTuple):
    """Blocks in the order of the page; least: the score from which on they are chosen."""

    blocks: list[ScoredBlock]
    least: float


def main_text(page: bytes) -> str:
    """Main text of a page in UTF-8; empty where there is none. A line a block; items of lists begin with "- ", cells
    of a row are divided by " | ", preformatted text keeps its lines. Blocks of nothing that is seen are left
    out, and so is white space at the ends of the others, and indents but for the ASCII ones of preformatted text."""
    markup, scores, weight = _scored(page)
    text: bytes = assemble(markup, choose(scores, weight), characters()).tobytes()
    return text.decode("utf-8", "ignore")


def scored_blocks(page: bytes) -> ScoredPage:
    """What `main_text` chooses from, of a page in UTF-8: for people who ask why."""
    markup, scores, weight = _scored(page)
    chars, found = characters(), []
    for block, (score, chosen) in enumerate(zip(scores.choice.tolist(), choose(scores, weight).tolist(), strict=True)):
        in_pre = bool(markup.flags[block] & np.uint32(IN_PRE))
        begin, end = _seen(markup.text, int(markup.start[block]), int(markup.end[block]), in_pre, chars)
        if begin < end:
            out = np.zeros(end - begin + 1, np.uint8)
            text = out[: _append_lines(out, 0, markup.text[begin:end], in_pre, chars)].tobytes()
            tag = TAGS[markup.tag[markup.element[block]]]
            found.append(ScoredBlock(text.decode("utf-8", "ignore"), tag, int(weight[block]), score, chosen))
    return ScoredPage(found, float(least_score(scores.text, weight)))


def _scored(page: bytes) -> tuple[Markup, Scores, np.ndarray]:
    """Of the page's blocks the scores and what each counts (`weights`)."""
    data, trained = np.frombuffer(page, np.uint8), model()
    markup = read_page(data, tables())
    measures = measure(data, markup, characters(), KINDS)
    return markup, score_blocks(markup, measures, *trained), weights(measures)


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
        begin, end = _seen(markup.text, whole(markup.start[block]), whole(markup.end[block]), in_pre, chars)
        if begin == end and item >= 0 and firsts[item] == block:
            firsts[item] = block + 1
        if begin == end or not chosen[block]:
            continue
        alone = cell >= 0 and markup.last[cell] - markup.first[cell] == 1
        if used and alone and row == last_row:
            used = _append(out, used, CELL)
        elif used:
            out[used] = LINE
            used += 1
        last_row = row if alone else -1
        if item >= 0 and item != last_item:
            if firsts[item] == block:
                used = _append(out, used, ITEM)
            last_item = item
        used = _append_lines(out, used, markup.text[begin:end], in_pre, chars)
    return out[:used]


@kernel
def _is_space(point: np.int64, chars: Characters) -> bool:
    return (chars.flags[chars.kinds[chars.pages[point >> 8], point & 255]] & SPACE) != 0


@kernel
def _breaks(point: np.int64) -> bool:
    return point in (LINE, NEXT_LINE, LINE_SEPARATOR, PARAGRAPH_SEPARATOR)


@kernel
def _is_unseen(point: np.int64) -> bool:
    for row in range(len(UNSEEN)):
        if point <= UNSEEN[row, 1]:
            return point >= UNSEEN[row, 0]
    return False


@kernel
def _seen(text: np.ndarray, at: int, end: int, in_pre: bool, chars: Characters) -> tuple[int, int]:
    """Where a block's text begins and ends without the white space around it; twice its end if none of it is seen.
    Preformatted text begins with the indent of its first line."""
    begin, last = at, end
    while at < end:
        point, behind = decode(text, at, end)
        if not _is_space(point, chars):
            break
        at = behind
        if not in_pre or _breaks(point):
            begin = at
    while at < end:
        point, at = decode(text, at, end)
        if not (_is_space(point, chars) or _is_unseen(point)):
            break
    else:
        return last, last
    while end > begin:
        place = end - 1
        while place > begin and text[place] & 0xC0 == 0x80:
            place -= 1
        point, _ = decode(text, place, end)
        if not _is_space(point, chars):
            break
        end = place
    return begin, end


@kernel
def _append_lines(out: np.ndarray, used: int, text: np.ndarray, in_pre: bool, chars: Characters) -> int:
    """A block's text without other indents than ASCII; Unicode's own line ends become a line feed or a space."""
    line, indent = used, in_pre
    at, end = 0, len(text)
    while at < end:
        if text[at] < 0x80:
            point, behind = np.int64(text[at]), at + 1
        else:
            point, behind = decode(text, at, end)
            if _breaks(point):
                point = np.int64(LINE if in_pre else 32)
            elif indent and _is_space(point, chars):
                used, at = line, behind
                continue
        if point >= 0x80:
            while at < behind:
                out[used] = text[at]
                used += 1
                at += 1
        elif in_pre or point != 32 or out[used - 1] != 32:
            out[used] = point
            used += 1
        at = behind
        if point == LINE:
            line, indent = used, in_pre
        elif point > 32:
            indent = False
    return used


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
