"""What a block of a page looks like, in numbers that depend on no language.

Its own text, its tags and class names, what stands beside it and above it, and what the page does with others of its
kind. The features continue Kohlschütter et al. 2010 (text and link density of a block and its neighbours), Readability
(a container's score), and Web2Text (Vogels et al. 2018, several levels of ancestors).
"""

import numpy as np

from pipeline.html.elements import FLAG_BITS
from pipeline.kernels.compiling import kernel, whole
from pipeline.page.blocks.class_names import GROUPS
from pipeline.page.blocks.markup import Markup
from pipeline.page.main_text.block_measures import KIND_H1, KIND_H_LAST, KINDS, OWN, Measures, log, measure
from pipeline.words.characters import Characters, characters

LEVELS = 5  # elements above a block that are described
AROUND = 3  # neighbours on each side
WINDOWS = ((-3, 4), (-8, 9), (-8, 0), (1, 9))

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
    row[k + 1] = log(markup.last[above] - markup.first[above])
    row[k + 2] = (block - markup.first[above]) / max(markup.last[above] - markup.first[above], 1)
    row[k + 3] = block / n
    row[k + 4] = sums[block, 0] / total
    row[k + 5] = log(n)
    row[k + 6] = log(sums[n, 0])
    row[k + 7] = sums[n, 1] / total
    row[k + 8] = sums[n, 2] / total
    heading = marks[block, 0]
    row[k + 9] = log(block - heading) if heading >= 0 else -1.0
    row[k + 10] = measures.kind[heading] - KIND_H1 if heading >= 0 else -1.0
    row[k + 11] = log(block - marks[block, 1]) if marks[block, 1] >= 0 else -1.0
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
        row[k] = log(inside)
        row[k + 1] = (sums[high, 1] - sums[low, 1]) / max(inside, 1.0)
        row[k + 2] = (sums[high, 2] - sums[low, 2]) / max(inside, 1.0)
        k += 3
    level = element
    for _ in range(LEVELS):
        low, high = whole(markup.first[level]), whole(markup.last[level])
        inside = sums[high, 0] - sums[low, 0]
        row[k] = log(inside)
        row[k + 1] = (sums[high, 1] - sums[low, 1]) / max(inside, 1.0)
        row[k + 2] = (sums[high, 2] - sums[low, 2]) / max(inside, 1.0)
        row[k + 3] = log(high - low)
        row[k + 4] = inside / total
        row[k + 5] = (sums[high, 3] - sums[low, 3]) / max(inside, 1.0)
        k += 6
        level = max(whole(markup.parent[level]), 0)
    group = measures.groups[signature]
    row[k] = log(group[0])
    row[k + 1] = log(group[1] / group[0])
    row[k + 2] = group[2] / max(group[1], 1.0)
    row[k + 3] = group[3] / max(group[1], 1.0)
    row[k + 4] = group[1] / total
    row[k + 5] = (group[5] - group[4] + 1) / n
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
        row[k + 4] = -log(sums[low, 0] - sums[block + 1, 0])
    elif block >= high:
        row[k + 4] = log(sums[block, 0] - sums[high, 0])
    else:
        row[k + 4] = 0.0
    row[k + 5] = (sums[high, 0] - sums[low, 0]) / total


@kernel
def _signed(distance: int) -> float:
    return log(distance) if distance >= 0 else -log(-distance)


@kernel
def headings(measures: Measures) -> np.ndarray:
    """int32 (blocks, 3): the last heading before the block, the first h1 before it, the page's first block that holds
    most of its title; -1 without one."""
    n = len(measures.words)
    marks = np.full((n, 3), -1, np.int32)
    title, cover = -1, 0.5
    for block in range(n):
        kind = measures.kind[block]
        if measures.own[block, 17] >= 0.7 and measures.own[block, 18] * (1.2 if kind == KIND_H1 else 1.0) > cover:
            title, cover = block, measures.own[block, 18] * (1.2 if kind == KIND_H1 else 1.0)
    last, first = -1, -1
    for block in range(n):
        marks[block, 0], marks[block, 1], marks[block, 2] = last, first, title
        kind = measures.kind[block]
        if KIND_H1 <= kind <= KIND_H_LAST:
            last = block
            if kind == KIND_H1 and first < 0:
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
