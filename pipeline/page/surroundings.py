"""What lies above places of a page: the open elements at a link or at words, with what their tags say.

For the few pages where that counts, so no other pays for it: one pass over the tags up to the last place, without text.
Elements close each other as in `blocks.markup`; of inline ones those are followed that names are given to.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from pipeline.html.elements import BODY, HEAD, HTML, N_TREE, RULES, TAG, TAGS, name_table
from pipeline.html.tags import END, OTHER, START, STOP, SVG, is_raw, next_token
from pipeline.html.tokens import is_xml, raw_end
from pipeline.kernels.compiling import kernel, whole
from pipeline.kernels.hash_table import slot_of
from pipeline.page.blocks.element_attributes import hash_lower
from pipeline.page.blocks.open_elements import closed_by_end, closed_by_start

MAX_DEPTH = 500
_INLINE_NAMES = ("span", "small", "em", "cite", "i", "font", "strong", "b", "label")
_INLINE = {name: len(TAGS) + rank for rank, name in enumerate(_INLINE_NAMES)}
_NAMES = {number: name for name, number in {**TAG, **_INLINE}.items()}
_LONGEST = 10  # bytes of these names
_LEVEL = np.dtype([("begin", np.int64), ("end", np.int64), ("row", np.int64), ("tag", np.uint8)], align=True)


class Element(NamedTuple):
    """An open element. tag: its name. begin, end: where its attributes stand. above: the index of the one that it is
    in, -1 for none; it comes before."""

    tag: str
    begin: int
    end: int
    above: int


@cache
def _tables() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    numbers = {name: number for name, number in TAG.items() if 0 < number < N_TREE} | _INLINE
    table = name_table(numbers)
    rules = np.zeros(256, np.uint16)
    for rule, names in RULES.items():
        for name in names.split():
            rules[TAG[name]] |= rule
    return table.slots, table.values, rules


def surroundings(html: bytes, places: Sequence[int]) -> tuple[list[Element], list[int]]:
    """The elements above the places of a page (UTF-8), each once, and for each place the index of the innermost, -1
    for none. places: rising, within a tag or within text. Linear in the page."""
    elements, innermost = _above(np.frombuffer(html, np.uint8), np.array(places, np.int64), *_tables())
    return [Element(_NAMES[tag], *rest) for tag, *rest in elements.tolist()], innermost.tolist()


@kernel
def _closed_by_inline_end(levels, depth, number, opened) -> int:
    """Depth of the stack after an inline element's end tag: it closes nothing beyond the innermost block."""
    level = depth - 1
    while opened[number] and level > 0 and levels[level].tag >= N_TREE:
        if levels[level].tag == number:
            return level
        level -= 1
    return depth


@kernel
def _above(data, places, slots, numbers, rules) -> tuple:
    """Number, attributes' begin and end, and parent of each element, int64 of shape (n, 4); the innermost by place."""
    found, n, innermost = np.empty((64, 4), np.int64), 0, np.empty(len(places), np.int64)
    levels, opened, beyond = np.zeros(MAX_DEPTH + 1, _LEVEL), np.zeros(256, np.int32), np.zeros(256, np.int32)
    at, depth, done, drawings, xml = 0, 1, 0, 0, is_xml(data)  # level 0 is the page's
    while done < len(places):
        what, name, begin, attributes, end, after, slash = next_token(data, at)
        while done < len(places) and (places[done] < after or what == STOP):
            above = -1
            for level in range(1, depth):
                if levels[level].row < 0:
                    if n == len(found):
                        more = np.empty((2 * n, 4), np.int64)
                        more[:n] = found
                        found = more
                    found[n, 0], found[n, 1] = levels[level].tag, levels[level].begin
                    found[n, 2], found[n, 3] = levels[level].end, above
                    levels[level].row = n
                    n += 1
                above = levels[level].row
            innermost[done] = above
            done += 1
        at = after
        if what == STOP:
            break
        if what == OTHER:
            continue
        if name == SVG and not slash:
            drawings = max(0, drawings + (1 if what == START else -1))
        if what == START and is_raw(name) and not (slash and (xml or drawings)):
            at = raw_end(data, at, begin + 1, attributes)
            continue
        first = begin + 2 if what == END else begin + 1
        number = 0
        if attributes - first <= _LONGEST:
            number = whole(numbers[slot_of(hash_lower(data, first, attributes), slots)])
        if number in (0, HTML, HEAD, BODY):
            continue
        if what == END:
            if beyond[number]:
                beyond[number] -= 1
                continue
            if number >= N_TREE:
                reduced = _closed_by_inline_end(levels, depth, number, opened)
            else:
                reduced = closed_by_end(levels, depth, number, rules, opened)
        else:
            reduced = depth if number >= N_TREE else closed_by_start(levels, depth, number, rules, opened)
        while depth > reduced:
            depth -= 1
            opened[levels[depth].tag] -= 1
        if what == END:
            continue
        if depth > MAX_DEPTH:
            beyond[number] += 1
            continue
        levels[depth].tag, levels[depth].begin, levels[depth].end, levels[depth].row = number, attributes, end, -1
        opened[number] += 1
        depth += 1
    return found[:n], innermost
