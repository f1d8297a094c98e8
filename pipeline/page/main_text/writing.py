"""What is written of a page while it is read: its blocks, its elements, and what holds at the place that is read.

Rows of arrays, changed in place. A row does not keep its array: whoever takes one out holds the array for as long.
"""

from typing import Any, NamedTuple

import numpy as np

from pipeline.html.elements import NAME_PRIME
from pipeline.kernels.compiling import borrowing, inlined, kernel
from pipeline.page.main_text.element_attributes import Attributes


class Markup(NamedTuple):
    """Blocks of a page in order, and the elements above them. A block's text is `text[start:end]`, UTF-8.

    Elements are in the order of their start tags; 0 is the page. `first` and `last` are the range of an element's
    blocks. `own`, `near` and `above` are groups of class names: of the block's element, of the three nearest, of all.
    """

    text: np.ndarray  # uint8
    start: np.ndarray  # int32 by block
    end: np.ndarray
    element: np.ndarray  # int32 by block
    flags: np.ndarray  # uint32 by block, IN_*
    own: np.ndarray  # uint64 by block
    near: np.ndarray
    above: np.ndarray
    link_bytes: np.ndarray  # int32 by block: bytes inside <a>
    bold_bytes: np.ndarray
    links: np.ndarray  # uint16 by block
    images: np.ndarray  # uint16 by block: since the block before
    breaks: np.ndarray  # uint8 by block: 1 behind a <br>, 0 behind a tag that divides, 2 behind two <br>
    tag: np.ndarray  # uint8 by element
    parent: np.ndarray  # int32
    depth: np.ndarray  # int16
    first: np.ndarray  # int32
    last: np.ndarray  # int32, one behind
    signature: np.ndarray  # uint64: hash of tag and class
    title: np.ndarray  # int32 (2,): where the bytes of <title> lie in the page


# Rows that are written while a page is read. Markup has their columns.
BLOCK = np.dtype(
    [
        *((name, np.uint64) for name in ("own", "near", "above")),
        *((name, np.int32) for name in ("start", "end", "element", "link_bytes", "bold_bytes")),
        ("flags", np.uint32),
        *((name, np.uint16) for name in ("links", "images")),
        ("breaks", np.uint8),
    ],
    align=True,
)
ELEMENT = np.dtype(
    [
        ("signature", np.uint64),
        *((name, np.int32) for name in ("parent", "first", "last")),
        ("depth", np.int16),
        ("tag", np.uint8),
    ],
    align=True,
)
# An open element: groups of class names as Markup has them, flags of all elements down to it.
LEVEL = np.dtype(
    [
        ("own", np.uint64),
        ("near", np.uint64),
        ("above", np.uint64),
        ("flags", np.uint32),
        ("element", np.int32),
        ("tag", np.uint8),
    ],
    align=True,
)
# White space of the open block that may yet be written: none, some, some with a line feed in it, some that stays.
NO_SPACE, SPACE, FEED, FIRM = range(4)
# How much is written (bytes of text, blocks, elements), how deep the place lies, what holds there, and what the open
# block and the text before it hold so far.
PLACE = np.dtype(
    [
        *((name, np.int64) for name in ("used", "blocks", "elements", "depth", "bold", "breaks")),
        *((name, np.int64) for name in ("links", "images", "link_bytes", "bold_bytes")),
        *((name, np.bool_) for name in ("is_open", "in_link", "ruby")),
        ("space", np.uint8),
    ],
    align=True,
)


@kernel
def room_of(data: np.ndarray) -> int:
    """How many blocks, and how many elements, a page may have: a tag begins an element or divides blocks."""
    count = 2
    for at in range(len(data)):
        if data[at] == 60:
            count += 1
    return count


@kernel
def begin_page(elements: np.ndarray, place: np.ndarray) -> None:
    """The element 0, which all text lies in that no other has."""
    zero = elements[0]
    zero.signature = 0
    zero.parent = -1
    zero.first = 0
    zero.depth = 0
    zero.tag = 0
    place[0].elements = 1
    place[0].depth = 1


@inlined
def begin_block(new: Any, level: Any, now: Any) -> None:
    """A block of the innermost open element."""
    new.start = now.used
    new.element = level.element
    new.flags = level.flags
    new.own = level.own
    new.near = level.near
    new.above = level.above
    new.images = min(now.images, 65535)
    new.breaks = now.breaks
    now.links = 1 if now.in_link else 0
    now.images = 0
    now.link_bytes = 0
    now.bold_bytes = 0


@borrowing
def end_block(text: np.ndarray, block: Any, now: Any) -> None:
    """The open block, if any, ends where white space at its end begins; it is none if there is nothing else in it."""
    if not now.is_open:
        return
    used = now.used
    while used > block.start and text[used - 1] <= 32:
        used -= 1
    now.used = used
    if used > block.start:
        block.end = used
        block.link_bytes = now.link_bytes
        block.bold_bytes = now.bold_bytes
        block.links = min(now.links, 65535)
        now.blocks += 1
    now.is_open = False
    now.space = NO_SPACE
    now.breaks = 0


@borrowing
def begin_element(
    elements: np.ndarray, levels: np.ndarray, opened: np.ndarray, now: Any, number: int, said: Attributes, flags: int
) -> None:
    """Within the innermost open one. number: of its tag.  said: by its attributes.  flags: of both."""
    new, above, level = elements[now.elements], levels[now.depth - 1], levels[now.depth]
    new.tag = number
    new.parent = above.element
    new.depth = now.depth
    new.first = now.blocks
    new.last = now.blocks
    new.signature = (said.mark ^ np.uint64(number)) * NAME_PRIME
    level.element = now.elements
    level.tag = number
    level.own = said.groups
    level.near = said.groups | above.own
    if now.depth > 1:
        level.near |= levels[now.depth - 2].own
    level.above = above.above | said.groups
    level.flags = above.flags | flags
    opened[number] += 1
    now.depth += 1
    now.elements += 1


@borrowing
def end_element(elements: np.ndarray, levels: np.ndarray, opened: np.ndarray, now: Any) -> None:
    """The innermost open one."""
    now.depth -= 1
    level = levels[now.depth]
    elements[level.element].last = now.blocks
    opened[level.tag] -= 1


@kernel
def markup_of(
    text: np.ndarray, blocks: np.ndarray, elements: np.ndarray, title: np.ndarray, place: np.ndarray
) -> Markup:
    """The columns of what is written."""
    b, e = blocks[: place[0].blocks], elements[: place[0].elements]
    return Markup(
        text[: place[0].used], b["start"].copy(), b["end"].copy(), b["element"].copy(), b["flags"].copy(),
        b["own"].copy(), b["near"].copy(), b["above"].copy(), b["link_bytes"].copy(), b["bold_bytes"].copy(),
        b["links"].copy(), b["images"].copy(), b["breaks"].copy(), e["tag"].copy(), e["parent"].copy(),
        e["depth"].copy(), e["first"].copy(), e["last"].copy(), e["signature"].copy(), title,
    )  # fmt: skip
