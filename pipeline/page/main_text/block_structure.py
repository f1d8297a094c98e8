"""What the short blocks of a page belong to: a heading to its section, an item to its list, a cell to its table, a term
to its definition, a caption to its figure.

By itself such a block says little. What the first two rounds of `block_model` found of the blocks it belongs to
decides whether it stands, so these are the features of a third round, over the tree and in the page's order.
"""

from typing import NamedTuple

import numpy as np

from pipeline.html.elements import H1, N_TREE, TAG, TR
from pipeline.kernels.compiling import kernel, whole
from pipeline.kernels.elementary import log1p
from pipeline.page.blocks.markup import Markup
from pipeline.page.main_text.block_measures import Measures

# Kinds of elements that short blocks lie in, and what holds several of them.
UNIT_NAMES = (
    "", "h1 h2 h3 h4 h5 h6", "li", "td th", "dt", "dd", "figcaption caption", "blockquote", "pre listing",
    "summary legend",
)  # fmt: skip
HEADING, ITEM, CELL, TERM, DEFINITION, CAPTION, QUOTE, LISTING, LEGEND = range(1, len(UNIT_NAMES))
GROUP_NAMES = ("", "ul ol menu dir", "table", "dl", "figure")
LIST, TABLE_GROUP, DEFINITIONS, FIGURE_GROUP = range(1, len(GROUP_NAMES))
UNITS, GROUPS = np.zeros(N_TREE, np.uint8), np.zeros(N_TREE, np.uint8)
for _table, _kinds in ((UNITS, UNIT_NAMES), (GROUPS, GROUP_NAMES)):
    for _kind, _names in enumerate(_kinds):
        _table[[TAG[name] for name in _names.split()]] = _kind

SECTION = 40  # blocks of a section that its heading is judged by
COLON, WIDE_COLON = 58, np.array([0xEF, 0xBC, 0x9A], np.uint8)

STRUCTURE_NAMES: tuple[str, ...] = (
    "unit", "level", "least", "score/least", "section", "section_words", "section_blocks", "section_chosen",
    "like_sections", "like_next", "like_headings", "like_best", "next_body", "next_body_away", "next_body_words",
    "body_before", "body_before_away", "unit_blocks", "unit_mean", "unit_score", "holder", "holder_mean",
    "holder_score", "holder_blocks", "holder_words", "holder_link_share", "holder_chosen", "place_in_holder",
    "holder_depth", "before_holder", "behind_holder", "announced", "row_score", "holder_units", "holder_rows",
    "holder_place_links",
)  # fmt: skip
N_STRUCTURE = len(STRUCTURE_NAMES)


class Structure(NamedTuple):
    """By block unless said otherwise; -1 for none.

    sums: before the block, of scores, of weights times scores, of weights, of linked words, of blocks that the first
    two rounds choose, and of links to places of the page.  like: by group of like signature, of its headings: how many,
    sums of their sections' scores and of the next body's, the best section."""

    kind: np.ndarray  # uint8: UNIT_NAMES
    level: np.ndarray  # uint8: of a heading, 1 to 6; 0
    unit: np.ndarray  # int32: the innermost element of such a kind
    group: np.ndarray  # int32: the innermost list, table, dl or figure
    row: np.ndarray  # int32: the innermost row
    depth: np.ndarray  # int32: groups within groups
    units: np.ndarray  # int32 by element: of a group, how many units lie right in it
    rows: np.ndarray  # int32 by element: of a table, how many rows
    outer: np.ndarray  # int32 by element: of a list, the outermost of the lists that it lies in
    section_end: np.ndarray  # int32: of a heading, one behind
    body_before: np.ndarray  # int32: the nearest block that is no heading
    next_body: np.ndarray  # int32
    sums: np.ndarray  # float64 (blocks + 1, 6)
    section: np.ndarray  # float64: the mean score of a heading's section
    like: np.ndarray  # float64 (groups, 4)


@kernel
def read_structure(
    markup: Markup, measures: Measures, scores: np.ndarray, weight: np.ndarray, least: float
) -> Structure:
    """The structure of a page, and what of it the scores, float32 by block, hold. least: as of `least_score`."""
    n, elements = len(scores), len(markup.tag)
    unit_of, group_of = np.full(elements, -1, np.int32), np.full(elements, -1, np.int32)
    row_of, depth_of = np.full(elements, -1, np.int32), np.zeros(elements, np.int32)
    units, rows, outer = np.zeros(elements, np.int32), np.zeros(elements, np.int32), np.arange(elements, dtype=np.int32)
    for element in range(1, elements):  # parents come first
        above, tag = markup.parent[element], markup.tag[element]
        unit_of[element], group_of[element] = unit_of[above], group_of[above]
        row_of[element], depth_of[element] = row_of[above], depth_of[above]
        if UNITS[tag]:
            unit_of[element] = element
            if group_of[above] >= 0:
                units[group_of[above]] += 1
        if GROUPS[tag]:
            group_of[element] = element
            depth_of[element] += 1
            if GROUPS[tag] == TABLE_GROUP:
                row_of[element] = -1
            elif GROUPS[tag] == LIST and group_of[above] >= 0 and GROUPS[markup.tag[group_of[above]]] == LIST:
                outer[element] = outer[group_of[above]]
        elif tag == TR:
            row_of[element] = element
            if group_of[above] >= 0:
                rows[group_of[above]] += 1
    kind, level = np.zeros(n, np.uint8), np.zeros(n, np.uint8)
    sums = np.zeros((n + 1, 6), np.float64)
    for block in range(n):
        unit = unit_of[markup.element[block]]
        if unit >= 0:
            kind[block] = UNITS[markup.tag[unit]]
            if kind[block] == HEADING:
                level[block] = markup.tag[unit] - H1 + 1
        sums[block + 1, 0] = sums[block, 0] + scores[block]
        sums[block + 1, 1] = sums[block, 1] + scores[block] * weight[block]
        sums[block + 1, 2] = sums[block, 2] + weight[block]
        sums[block + 1, 3] = sums[block, 3] + measures.own[block, 2] * measures.words[block]
        sums[block + 1, 4] = sums[block, 4] + (scores[block] >= least)
        sums[block + 1, 5] = sums[block, 5] + markup.place_links[block]
    section_end, body_before, next_body = _order(level)
    section = np.zeros(n, np.float64)
    like = np.zeros((len(measures.groups), 4), np.float64)
    for block in range(n):
        if level[block]:
            section[block] = _score(sums, block + 1, min(whole(section_end[block]), block + 1 + SECTION))
            same = like[measures.group[block]]
            same[0] += 1
            same[1] += section[block]
            same[2] += scores[next_body[block]] if next_body[block] >= 0 else 0.0
            same[3] = max(same[3], section[block])
    own = markup.element
    return Structure(
        kind, level, unit_of[own], group_of[own], row_of[own], depth_of[own], units, rows, outer, section_end,
        body_before, next_body, sums, section, like,
    )  # fmt: skip


def unit_kinds(markup: Markup) -> np.ndarray:
    """Structure.kind of a page."""
    kinds = UNITS[markup.tag].copy()
    for element in range(1, len(kinds)):
        if not kinds[element]:
            kinds[element] = kinds[markup.parent[element]]
    return kinds[markup.element]


@kernel
def _order(level: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where a heading's section ends, which is before the next heading of its level or above, and the nearest blocks
    that are no headings, before and behind."""
    n = len(level)
    end, before, behind = np.full(n, n, np.int32), np.full(n, -1, np.int32), np.full(n, -1, np.int32)
    nearest = np.full(7, n, np.int32)  # by level: the next heading of it
    seen = -1
    for block in range(n):
        before[block] = seen
        if not level[block]:
            seen = block
    seen = -1
    for place in range(n):
        block = n - 1 - place
        behind[block] = seen
        if level[block]:
            for above in range(1, level[block] + 1):
                end[block] = min(end[block], nearest[above])
            nearest[level[block]] = block
        else:
            seen = block
    return end, before, behind


@kernel
def _score(sums: np.ndarray, low: int, high: int) -> float:
    weight = sums[high, 2] - sums[low, 2]
    return (sums[high, 1] - sums[low, 1]) / weight if weight > 0 else 0.0


@kernel
def announces(markup: Markup, block: int) -> bool:
    """Whether a block ends in a colon."""
    end = whole(markup.end[block])
    if markup.text[end - 1] == COLON:
        return True
    return end - whole(markup.start[block]) > 2 and bool(np.all(markup.text[end - 3 : end] == WIDE_COLON))


@kernel
def describe_structure(
    block: int, markup: Markup, measures: Measures, scores: np.ndarray, least: float, seen: Structure, row: np.ndarray
) -> None:
    """Writes the features of STRUCTURE_NAMES into `row`."""
    n, sums = len(scores), seen.sums
    row[:N_STRUCTURE] = -1.0
    row[0], row[1], row[2], row[3] = seen.kind[block], seen.level[block], least, scores[block] / least
    if seen.level[block]:
        end = min(whole(seen.section_end[block]), block + 1 + SECTION)
        like = seen.like[measures.group[block]]
        row[4], row[5], row[6] = seen.section[block], log1p(sums[end, 2] - sums[block + 1, 2]), end - block - 1
        row[7] = (sums[end, 4] - sums[block + 1, 4]) / max(end - block - 1, 1)
        row[8], row[9], row[10], row[11] = like[1] / like[0], like[2] / like[0], like[0], like[3]
    behind, before = whole(seen.next_body[block]), whole(seen.body_before[block])
    if behind >= 0:
        row[12], row[13], row[14] = scores[behind], behind - block, measures.own[behind, 0]
    if before >= 0:
        row[15], row[16] = scores[before], block - before
    unit, group, line = whole(seen.unit[block]), whole(seen.group[block]), whole(seen.row[block])
    if unit >= 0:
        low, high = whole(markup.first[unit]), whole(markup.last[unit])
        row[17] = high - low
        row[18] = (sums[high, 0] - sums[low, 0]) / max(high - low, 1)
        row[19] = _score(sums, low, high)
    if group >= 0:
        low, high = whole(markup.first[group]), whole(markup.last[group])
        count = max(high - low, 1)
        weight = sums[high, 2] - sums[low, 2]
        row[20] = GROUPS[markup.tag[group]]
        row[21], row[22] = (sums[high, 0] - sums[low, 0]) / count, _score(sums, low, high)
        row[23], row[24] = log1p(float(count)), log1p(weight)
        row[25] = (sums[high, 3] - sums[low, 3]) / max(weight, 1.0)
        row[26] = (sums[high, 4] - sums[low, 4]) / count
        row[27], row[28] = (block - low) / count, seen.depth[block]
        if low > 0:
            row[29], row[31] = scores[low - 1], announces(markup, low - 1)
        if high < n:
            row[30] = scores[high]
        row[35] = (sums[high, 5] - sums[low, 5]) / count
        row[33], row[34] = count / max(whole(seen.units[group]), 1), log1p(float(seen.rows[group]))
    if line >= 0:
        row[32] = _score(sums, whole(markup.first[line]), whole(markup.last[line]))
