"""What each element of a page is to Markdown, by the tags above it.

A box indents or marks what lies in it: an item of a list, a quote, a definition. Boxes nest at most `MOST_BOXES` deep;
an item below that is one of the innermost list that still is, other boxes there are none.
"""

from typing import NamedTuple

import numpy as np

from pipeline.html.elements import H1, H6, LI, TABLE, TAG, TD, TH, TR
from pipeline.kernels.compiling import kernel
from pipeline.page.blocks.writing import Markup

OL, UL, MENU, DIR, PRE, LISTING, QUOTE, TERM, DEFINITION = (
    TAG[name] for name in ("ol", "ul", "menu", "dir", "pre", "listing", "blockquote", "dt", "dd")
)
MOST_BOXES = 8  # bounds what a line's indent costs; readers stop at twenty elements, which a list has two of
MOST_IN_A_HEADING = 6  # blocks: one that holds more was never closed


class Nesting(NamedTuple):
    """By element, int32; 0 stands for none. The innermost of each kind that the element is or lies in."""

    box: np.ndarray
    outer: np.ndarray  # of a box, that around it; of a table too
    depth: np.ndarray  # of a box: how many boxes it and those around it are
    list: np.ndarray  # of an item, its list, or what stands for one
    number: np.ndarray  # of an item, its place in its list, from 1
    heading: np.ndarray  # level, 1 to 6
    term: np.ndarray
    pre: np.ndarray  # the outermost; in it nothing else counts
    table: np.ndarray
    row: np.ndarray  # of the table
    cell: np.ndarray  # of the row
    column: np.ndarray  # of a cell, from 1
    mixed: np.ndarray  # 1 in a cell below what no cell of Markdown can hold


@kernel
def nesting_of(markup: Markup) -> Nesting:
    """One pass over the elements: those above an element come before it."""
    n = len(markup.tag)
    by = Nesting(
        np.zeros(n, np.int32), np.zeros(n, np.int32), np.zeros(n, np.int32), np.zeros(n, np.int32),
        np.zeros(n, np.int32), np.zeros(n, np.int32), np.zeros(n, np.int32), np.zeros(n, np.int32),
        np.zeros(n, np.int32), np.zeros(n, np.int32), np.zeros(n, np.int32), np.zeros(n, np.int32),
        np.zeros(n, np.int32),
    )  # fmt: skip
    lists, counts = np.zeros(n, np.int32), np.zeros(n, np.int32)  # the list around; items of a list, cells of a row
    for element in range(1, n):
        above, tag = markup.parent[element], markup.tag[element]
        by.box[element], by.heading[element], by.term[element] = by.box[above], by.heading[above], by.term[above]
        by.pre[element], by.table[element], by.row[element] = by.pre[above], by.table[above], by.row[above]
        by.cell[element], by.mixed[element], lists[element] = by.cell[above], by.mixed[above], lists[above]
        if by.pre[element]:
            continue
        if tag in (PRE, LISTING):
            by.pre[element], by.mixed[element] = element, 1
        elif tag in (OL, UL, MENU, DIR):
            lists[element] = element
        elif tag == LI:
            around = by.box[above]
            of = lists[above] if lists[above] else above
            if by.depth[around] >= MOST_BOXES and markup.tag[around] == LI:
                of = by.list[around]
            counts[of] += 1
            by.list[element], by.number[element] = of, counts[of]
            _begin_box(by, element, True)
        elif tag == QUOTE or (tag == DEFINITION and markup.tag[by.box[above]] != DEFINITION):
            _begin_box(by, element, False)
        elif tag == TERM:
            by.term[element], by.heading[element], by.mixed[element] = element, 0, 1
        elif H1 <= tag <= H6:
            if markup.last[element] - markup.first[element] <= MOST_IN_A_HEADING:
                by.heading[element], by.mixed[element] = tag - H1 + 1, 1
        elif tag == TABLE:
            by.outer[element], by.table[element], by.row[element], by.cell[element] = by.table[above], element, 0, 0
            by.heading[element], by.term[element], by.mixed[element], lists[element] = 0, 0, 0, 0
        elif tag == TR and by.table[element]:
            by.row[element], by.cell[element] = element, 0
        elif tag in (TD, TH) and by.row[element]:
            counts[by.row[element]] += 1
            by.cell[element], by.column[element], by.mixed[element] = element, counts[by.row[element]], 0
            by.heading[element] = 0
    return by


@kernel
def _begin_box(by: Nesting, element: int, is_item: bool) -> None:
    around = by.box[element]
    by.heading[element], by.term[element], by.mixed[element] = 0, 0, 1
    if by.depth[around] >= MOST_BOXES:
        if not is_item:
            return
        around = by.outer[around]
    by.box[element], by.outer[element], by.depth[element] = element, around, by.depth[around] + 1
