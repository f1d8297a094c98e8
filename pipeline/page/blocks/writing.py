"""What is written of a page while it is read: its blocks, its elements, and what holds at the place that is read.

Rows of arrays, changed in place. A row does not keep its array: whoever takes one out holds the array for as long.
"""

from typing import Any, NamedTuple

import numpy as np

from pipeline.html.elements import DIV, FIGURE, NAME_PRIME, PRE, TABLE, TD
from pipeline.html.references import Names
from pipeline.kernels.compiling import borrowing, inlined, kernel
from pipeline.page.blocks.class_names import GROUP
from pipeline.page.blocks.element_attributes import Attributes
from pipeline.words.characters import Characters

CODE_WORDS = np.uint64(1 << GROUP["code"])
POST_WORDS = np.uint64(1 << GROUP["post"] | 1 << GROUP["forum"] | 1 << GROUP["comment"])
LISTING_DEPTH = 8  # from the element that names a listing's language to its <pre>, with a table for the lines' numbers


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
    place_links: np.ndarray  # uint16 by block: of them, those to places of this page
    images: np.ndarray  # uint16 by block: since the block before
    breaks: np.ndarray  # uint8 by block: 1 behind a <br>, 0 behind a tag that divides, 2 behind two <br>
    tag: np.ndarray  # uint8 by element
    parent: np.ndarray  # int32
    depth: np.ndarray  # int16
    first: np.ndarray  # int32
    last: np.ndarray  # int32, one behind
    signature: np.ndarray  # uint64: hash of tag and class
    title: np.ndarray  # int32 (2,): where the bytes of <title> lie in the page
    language: np.ndarray  # int32 (elements, 2): where those of the name of a listing's language do, or (0, 0)
    formulas: np.ndarray  # int32 (n, 3): start and end in `text` of each TeX source, and 1 for a displayed formula


# Rows that are written while a page is read. Markup has their columns.
BLOCK = np.dtype(
    [
        *((name, np.uint64) for name in ("own", "near", "above")),
        *((name, np.int32) for name in ("start", "end", "element", "link_bytes", "bold_bytes", "begun")),
        ("flags", np.uint32),
        *((name, np.uint16) for name in ("links", "place_links", "images")),
        ("breaks", np.uint8),
    ],
    align=True,
)
ELEMENT = np.dtype(
    [
        ("signature", np.uint64),
        *((name, np.int32) for name in ("parent", "first", "last", "name", "name_end")),
        ("depth", np.int16),
        ("tag", np.uint8),
    ],
    align=True,
)
# An open element: groups of class names as Markup has them, flags of all elements down to it; a listing's language, and
# how many levels further down its <pre> may be.
LEVEL = np.dtype(
    [
        ("own", np.uint64),
        ("near", np.uint64),
        ("above", np.uint64),
        ("flags", np.uint32),
        *((name, np.int32) for name in ("element", "name", "name_end", "reach")),
        ("tag", np.uint8),
    ],
    align=True,
)
# White space of the open block that may yet be written: none, some, some with a line feed in it, some that stays.
NO_SPACE, SPACE, FEED, FIRM = range(4)
# How much is written (bytes of text, blocks, elements, formulas, blocks that were begun), how deep the place lies, what
# holds there, and what the open block and the text before it hold so far. Then, of passages (`passages`): how many are
# open; the end of a formula's copies; a heading's link to itself that has words: its block, where it stands there, its
# bytes of links and bold.
PLACE = np.dtype(
    [
        *((name, np.int64) for name in ("used", "blocks", "elements", "formulas", "begun", "depth", "bold", "breaks")),
        *((name, np.int64) for name in ("links", "place_links", "images", "link_bytes", "bold_bytes")),
        *((name, np.int64) for name in ("passages", "copy_end", "copy_begun")),
        *((name, np.int64) for name in ("label_begun", "label", "label_end", "label_link", "label_bold")),
        ("copy_has_formula", np.bool_),
        *((name, np.bool_) for name in ("is_open", "in_link", "in_place_link", "ruby")),
        ("space", np.uint8),
    ],
    align=True,
)


# What may turn out to be no text. name: its tag's, hashed; 0 for an element of the tree.  count: how many of that name
# are open in it, itself too.  elements: how many there were before.  kinds: of `passage_names`.  alternative: where the
# text that a formula has for its source stands in the page.  kept: whether text in it stays.
PASSAGE = np.dtype(
    [
        ("name", np.uint64),
        *((name, np.int64) for name in ("count", "depth", "elements", "kinds", "alternative", "alternative_end")),
        *((name, np.bool_) for name in ("kept", "displayed")),
    ],
    align=True,
)
MOST_PASSAGES = 16  # open at once


class Written(NamedTuple):
    """A page, what its characters are looked up in, and the rows of what is written of it, with room for all that it
    may have.

    `before` has two places for each open passage: where it began, and where text in it that stays ends; the last row
    is where the copies of a formula began.
    """

    data: np.ndarray  # uint8, the page
    entities: Names
    chars: Characters
    decoded: np.ndarray  # uint8 (8,)
    text: np.ndarray  # uint8
    blocks: np.ndarray  # BLOCK
    elements: np.ndarray  # ELEMENT
    levels: np.ndarray  # LEVEL: the open elements
    formulas: np.ndarray  # int32 (n, 3)
    passages: np.ndarray  # PASSAGE
    before: np.ndarray  # PLACE
    place: np.ndarray  # PLACE, one row


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
    zero.name = 0
    zero.name_end = 0
    place[0].depth = 1
    place[0].copy_end = -1


@inlined
def put(text: np.ndarray, used: int, byte: int, decoded: np.ndarray, length: int) -> int:
    """How much text there is with one more character, whose first byte is given and the others in `decoded`."""
    text[used] = byte
    for offset in range(1, length):
        text[used + offset] = decoded[offset]
    return used + length


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
    now.begun += 1
    new.begun = now.begun
    now.links = 1 if now.in_link else 0
    now.place_links = 1 if now.in_place_link else 0
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
        block.place_links = min(now.place_links, 65535)
        now.blocks += 1
    now.is_open = False
    now.space = NO_SPACE
    now.breaks = 0


@inlined
def _hand_down_language(level: Any, above: Any, number: int, said: Attributes) -> None:
    """What a <pre> within the new element has for its language, as far as it says none itself."""
    level.name, level.name_end, level.reach = above.name, above.name_end, above.reach - 1
    if said.name_end:
        level.name, level.name_end = said.name, said.name_end
        level.reach = 0
        if number in (DIV, FIGURE, TABLE, TD):
            level.reach = LISTING_DEPTH if said.groups & CODE_WORDS else 1
    elif level.reach < 0:
        level.name, level.name_end, level.reach = 0, 0, 0


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
    _hand_down_language(level, above, number, said)
    new.name = level.name if number == PRE else 0
    new.name_end = level.name_end if number == PRE else 0
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
def markup_of(written: Written, title: np.ndarray) -> Markup:
    """The columns of what is written."""
    now = written.place[0]
    b, e = written.blocks[: now.blocks], written.elements[: now.elements]
    language = np.empty((len(e), 2), np.int32)
    for number in range(len(e)):  # numba compiles a loop in a tenth of the time that it takes for a column
        language[number, 0], language[number, 1] = e[number]["name"], e[number]["name_end"]
    return Markup(
        written.text[: now.used], b["start"].copy(), b["end"].copy(), b["element"].copy(), b["flags"].copy(),
        b["own"].copy(), b["near"].copy(), b["above"].copy(), b["link_bytes"].copy(), b["bold_bytes"].copy(),
        b["links"].copy(), b["place_links"].copy(), b["images"].copy(), b["breaks"].copy(), e["tag"].copy(),
        e["parent"].copy(), e["depth"].copy(), e["first"].copy(), e["last"].copy(), e["signature"].copy(), title,
        language, written.formulas[: now.formulas].copy(),
    )  # fmt: skip
