"""HTML to blocks of text, in one pass over the page's UTF-8 bytes.

Tokens and the elements that close each other follow the HTML standard (https://html.spec.whatwg.org/#parsing) as far as
text depends on it; inline elements do not enter the tree, and nothing is reordered. A block is a run of text that no
block-level tag and no <br> divides. Time and memory are linear in the page, whatever it holds: nothing recurses, and
the tree is no deeper than `MAX_DEPTH` (deeper elements count as text of their ancestor).
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from pipeline.html.elements import (
    BODY,
    BR,
    CELL,
    DROPPED,
    FLAG_TAGS,
    FOREIGN,
    FORM,
    HEAD,
    HR,
    HTML,
    IMG,
    IN_PRE,
    N_TREE,
    RAW,
    RB,
    ROLES,
    RP,
    RT,
    RUBY,
    RULES,
    STRONG,
    TAG,
    TAGS,
    TITLE,
    A,
    B,
    P,
    name_table,
)
from pipeline.html.references import Names, named, reference
from pipeline.html.tokens import behind, comment_end, is_letter, is_space, is_xml, raw_end
from pipeline.kernels.compiling import borrowing, inlined, kernel, whole
from pipeline.kernels.hash_table import slot_of
from pipeline.page.main_text.class_names import automaton
from pipeline.page.main_text.element_attributes import HAS_HREF, Words, hash_lower, read_attributes
from pipeline.page.main_text.open_elements import closed_by_end, closed_by_start
from pipeline.page.main_text.segment_breaks import divides
from pipeline.page.main_text.writing import (
    BLOCK,
    ELEMENT,
    FEED,
    FIRM,
    LEVEL,
    NO_SPACE,
    PLACE,
    SPACE,
    Markup,
    begin_block,
    begin_element,
    begin_page,
    end_block,
    end_element,
    markup_of,
    room_of,
)

MAX_DEPTH = 500
LONGEST_NAME = 10  # bytes of the names in TAGS


class Tables(NamedTuple):
    """What the kernel looks up: numbers of tags by the hash of their name, rules and flags by number."""

    tag_slots: np.ndarray  # uint64
    tag_numbers: np.ndarray  # int64
    rules: np.ndarray  # uint16 (n_tags,)
    flags: np.ndarray  # uint32 (n_tags,)
    entities: Names
    words: Words


@cache
def tables() -> Tables:
    """The lookup tables, made once a process."""
    rules = np.zeros(len(TAGS), np.uint16)
    for rule, names in RULES.items():
        for name in names.split():
            rules[TAG[name]] |= rule
    flags = np.zeros(len(TAGS), np.uint32)
    for name, flag in FLAG_TAGS.items():
        flags[TAG[name]] = flag
    numbers = name_table({name: number for name, number in TAG.items() if name})
    roles = name_table(ROLES)
    words = Words(*automaton(), roles.slots, roles.values)
    return Tables(numbers.slots, numbers.values, rules, flags, named(), words)


def read_markup(page: bytes) -> Markup:
    """The blocks of a page in UTF-8."""
    return read_page(np.frombuffer(page, np.uint8), tables())


@inlined
def _tag_number(data: np.ndarray, name: int, name_end: int, slots: np.ndarray, numbers: np.ndarray) -> int:
    """A tag by its name, 0 for one of no meaning to blocks."""
    if name_end - name > LONGEST_NAME:
        return 0
    return whole(numbers[slot_of(hash_lower(data, name, name_end), slots)])


@inlined
def _behind_other_markup(data: np.ndarray, at: int) -> int:
    """Behind a comment, declaration or instruction at `at`; `at` where a tag with a name is."""
    size, after = len(data), data[at + 1]
    if after == 33:
        if at + 3 < size and data[at + 2] == 45 and data[at + 3] == 45:
            return comment_end(data, at + 4)
        return behind(data, at + 2, 62)
    if after == 63 or (after == 47 and not (at + 2 < size and is_letter(data[at + 2]))):
        return behind(data, at + 2, 62)
    return at


@inlined
def _is_tag(data: np.ndarray, at: int) -> bool:
    """Whether markup begins at `at`, and not text."""
    if data[at] != 60 or at + 1 >= len(data):
        return False
    after = data[at + 1]
    return is_letter(after) or after == 47 or after == 33 or after == 63


@kernel
def _character(data: np.ndarray, at: int, entities: Names, decoded: np.ndarray) -> tuple[int, int]:
    """(bytes of the character at `at` that now stand in `decoded`, where the next is). A no-break space, which is none
    that collapses, is a space with 0xA0 behind it."""
    byte = data[at]
    decoded[1] = 0
    if byte == 38:
        length, stop = reference(data, at, len(data), entities, decoded)
        if length:
            if length == 2 and decoded[0] == 0xC2 and decoded[1] == 0xA0:
                decoded[0], length = 32, 1
            return length, stop
    elif byte == 0xC2 and at + 1 < len(data) and data[at + 1] == 0xA0:
        decoded[0], decoded[1] = 32, 0xA0
        return 1, at + 2
    decoded[0] = byte
    return 1, at + 1


@inlined
def _collapsed(space: int, byte: int, first: int, decoded: np.ndarray) -> int:
    """What collapsing white space is with one more character of it, whose source begins with `first`."""
    if (first == 38 or first == 0xC2) and decoded[1] == 0xA0:
        return FIRM
    if first == 13 or byte == 10:
        return max(space, FEED)
    return max(space, SPACE)


@inlined
def _divides(text: np.ndarray, used: int, data: np.ndarray, at: int, length: int, decoded: np.ndarray) -> bool:
    """Whether the white space that ends in a line feed is a space before the character whose source is at `at`."""
    if text[used - 1] < 0x80 and data[at] < 0x80 and data[at] != 38:
        return True
    if data[at] == 38:
        return divides(text, used, decoded, 0, length)
    return divides(text, used, data, at, len(data))


@borrowing
def _read_text(
    data: np.ndarray, at: int, text: np.ndarray, new: Any, level: Any, now: Any, entities: Names, decoded: np.ndarray
) -> int:  # fmt: skip
    """Adds the text from `at` on to the open block, or to one that it begins; answers where the next tag is."""
    pre = (level.flags & np.uint32(IN_PRE)) != 0
    ruby, is_open, space, used, letters = now.ruby, now.is_open, now.space, now.used, 0
    while at < len(data):
        byte, begin = data[at], at
        if byte == 38 or byte == 0xC2:
            length, at = _character(data, at, entities, decoded)
            byte = decoded[0]
        elif byte == 60 and _is_tag(data, at):
            break
        else:
            length, at = 1, at + 1
        if ruby:
            continue
        if length == 1 and byte <= 32:
            if not is_space(byte):
                continue
            if not pre:
                if is_open:
                    space = _collapsed(space, byte, data[begin], decoded)
                continue
            if byte == 13 or (not is_open and byte == 10):
                continue
            if byte == 12:
                byte = np.uint8(32)
        elif length == 1 and byte == 127:
            continue
        if not is_open:
            is_open, space = True, NO_SPACE
            begin_block(new, level, now)
        if space != NO_SPACE:
            if space != FEED or _divides(text, used, data, begin, length, decoded):
                text[used] = 32
                used += 1
            space = NO_SPACE
        text[used] = byte
        for offset in range(1, length):
            text[used + offset] = decoded[offset]
        used += length
        letters += length
    now.is_open, now.space, now.used = is_open, space, used
    if now.in_link:
        now.link_bytes += letters
    if now.bold:
        now.bold_bytes += letters
    return at


@inlined
def _is_inline(number: int, closing: bool, has_href: bool, now: Any) -> bool:
    """Whether the tag is of an element within a line of text; what it says of the text behind it is noted."""
    if number == A:
        now.in_link = not closing and has_href
        now.links += now.in_link
    elif number in (B, STRONG):
        now.bold = max(now.bold - 1, 0) if closing else now.bold + 1
    elif number in (RT, RP, RB, RUBY):
        now.ruby = not closing and (number in (RT, RP))
    elif number == IMG:
        now.images += 1
        if now.space == FEED:
            now.space = FIRM
    else:
        return False
    return True


@inlined
def _behind_raw(
    data: np.ndarray, at: int, name: int, name_end: int, tag: tuple[int, int], title: np.ndarray, unclosed: np.ndarray
) -> int:
    """Behind an element without tags in it, whose start tag, (number, rule), ends at `at`."""
    number, rule = tag
    if not unclosed[number]:
        end = raw_end(data, at, name, name_end)
        if end < len(data):
            if number == TITLE and title[1] == 0:
                title[0], title[1] = at, end
            return behind(data, end, 62)
        unclosed[number] = True
    return len(data) if rule & RAW else at


@borrowing
def _break_line(closing: bool, text: np.ndarray, block: Any, level: Any, now: Any) -> None:
    """What <br> does."""
    if not level.flags & np.uint32(IN_PRE):
        end_block(text, block, now)
        now.ruby = False
        now.breaks = min(now.breaks + 1, 2)
    elif now.is_open and not closing:
        text[now.used] = 10
        now.used += 1


@inlined
def _depth_behind(
    number: int, closing: bool, levels: np.ndarray, depth: int, rules: np.ndarray, opened: np.ndarray
) -> int:
    """How many elements are open behind a tag, without one that it begins."""
    if closing and number != HR:
        return closed_by_end(levels, depth, number, rules, opened)
    return closed_by_start(levels, depth, number, rules, opened)


@kernel
def read_page(data: np.ndarray, tables: Tables) -> Markup:
    """Reads text up to a tag and does what the tag says, until the page is read. `now` is the one row of `place`."""
    size, room = len(data), room_of(data)
    text, title = np.empty(size + size // 4 + 64, np.uint8), np.zeros(2, np.int32)
    blocks, elements = np.empty(room, BLOCK), np.empty(room, ELEMENT)
    levels, opened = np.zeros(MAX_DEPTH + 1, LEVEL), np.zeros(256, np.int32)  # open elements; how many, by tag
    unclosed = np.zeros(256, np.bool_)  # raw elements of this name have no end from here on
    decoded, place = np.empty(8, np.uint8), np.zeros(1, PLACE)
    rules, slash_closes = tables.rules, RAW | DROPPED if is_xml(data) else FOREIGN
    begin_page(elements, place)
    at, now = 0, place[0]
    while at < size:
        if not _is_tag(data, at):
            at = _read_text(data, at, text, blocks[now.blocks], levels[now.depth - 1], now, tables.entities, decoded)
            continue
        end = _behind_other_markup(data, at)
        if end > at:
            at = end
            continue
        closing = data[at + 1] == 47
        name = at + 2 if closing else at + 1
        at = name
        while at < size and not (is_space(data[at]) or data[at] == 47 or data[at] == 62):
            at += 1
        name_end = at
        number = _tag_number(data, name, name_end, tables.tag_slots, tables.tag_numbers)
        in_tree = 0 < number < N_TREE
        said = read_attributes(data, at, not closing and (in_tree or number == A), tables.words)
        at, rule = said.end, whole(rules[number])
        if _is_inline(number, closing, (said.flags & HAS_HREF) != 0, now):
            continue
        if rule & (RAW | DROPPED):
            if not closing and not (said.slash and rule & slash_closes):
                at = _behind_raw(data, at, name, name_end, (number, rule), title, unclosed)
            continue
        if number == BR:
            _break_line(closing, text, blocks[now.blocks], levels[now.depth - 1], now)
            continue
        if not in_tree and number != HR:
            continue
        end_block(text, blocks[now.blocks], now)
        now.ruby = False
        now.breaks = 0
        if number in (HTML, HEAD, BODY) or (number == FORM and not closing and opened[FORM]):
            continue
        if number == HR and not opened[P]:
            continue
        reduced = _depth_behind(number, closing, levels, now.depth, rules, opened)
        while now.depth > reduced:
            end_element(elements, levels, opened, now)
        if rule & CELL:
            now.in_link = False
        if not closing and number != HR and now.depth <= MAX_DEPTH:
            flags = tables.flags[number] | np.uint32(said.flags & 0x7FFFFFFF)
            begin_element(elements, levels, opened, now, number, said, flags)
    end_block(text, blocks[now.blocks], now)
    while now.depth > 0:
        end_element(elements, levels, opened, now)
    return markup_of(text, blocks, elements, title, place)
