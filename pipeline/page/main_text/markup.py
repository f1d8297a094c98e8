"""HTML to blocks of text, in one pass over the page's UTF-8 bytes.

Tokens and the elements that close each other follow the HTML standard (https://html.spec.whatwg.org/#parsing) as far as
text depends on it; inline elements do not enter the tree, and nothing is reordered. A block is a run of text that no
block-level tag and no <br> divides. Time and memory are linear in the page, whatever it holds: nothing recurses, and
the tree is no deeper than `MAX_DEPTH` (deeper elements count as text of their ancestor).
"""

from functools import cache
from typing import NamedTuple

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
    NAME_PRIME,
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
from pipeline.kernels.compiling import inlined, kernel, whole
from pipeline.kernels.hash_table import slot_of
from pipeline.page.main_text.class_names import automaton
from pipeline.page.main_text.element_attributes import HAS_HREF, Words, hash_lower, read_attributes
from pipeline.page.main_text.open_elements import closed_by_end, closed_by_start

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
def _trimmed(text: np.ndarray, start: int, end: int) -> int:
    """Where a block's text ends without the white space behind it."""
    while end > start and text[end - 1] <= 32:
        end -= 1
    return end


@kernel
def _count_byte(data: np.ndarray, wanted: int) -> int:
    count = 0
    for at in range(len(data)):
        if data[at] == wanted:
            count += 1
    return count


@kernel
def read_page(data: np.ndarray, tables: Tables) -> Markup:
    size = len(data)
    rules = tables.rules
    n_cap = _count_byte(data, 60) + 2  # a tag begins an element or divides blocks
    text = np.empty(size + size // 4 + 64, np.uint8)
    b_start, b_end = np.empty(n_cap, np.int32), np.empty(n_cap, np.int32)
    b_element, b_flags = np.empty(n_cap, np.int32), np.empty(n_cap, np.uint32)
    b_own, b_near, b_above = np.empty(n_cap, np.uint64), np.empty(n_cap, np.uint64), np.empty(n_cap, np.uint64)
    b_link, b_bold = np.empty(n_cap, np.int32), np.empty(n_cap, np.int32)
    b_links, b_images = np.empty(n_cap, np.uint16), np.empty(n_cap, np.uint16)
    b_breaks = np.empty(n_cap, np.uint8)
    tag, parent, e_depth = np.empty(n_cap, np.uint8), np.empty(n_cap, np.int32), np.empty(n_cap, np.int16)
    first, last, signature = np.empty(n_cap, np.int32), np.empty(n_cap, np.int32), np.empty(n_cap, np.uint64)
    title = np.zeros(2, np.int32)

    stack = np.zeros(MAX_DEPTH + 1, np.int32)
    s_flags = np.zeros(MAX_DEPTH + 1, np.uint32)
    s_own, s_above = np.zeros(MAX_DEPTH + 1, np.uint64), np.zeros(MAX_DEPTH + 1, np.uint64)
    opened = np.zeros(256, np.int32)
    unclosed = np.zeros(256, np.bool_)  # raw elements of this name have no end from here on
    decoded = np.empty(8, np.uint8)
    tag[0], parent[0], e_depth[0], first[0], signature[0] = 0, -1, 0, 0, 0
    n_elements, depth = 1, 1
    n_blocks, used = 0, 0
    open_block, space = False, False
    in_link, bold, ruby = False, 0, False
    links, images, breaks = 0, 0, 0
    link_bytes, bold_bytes = 0, 0
    slash_closes = RAW | DROPPED if is_xml(data) else FOREIGN

    at = 0
    while at < size:
        # ---- text up to the next tag
        top = depth - 1
        pre = (s_flags[top] & np.uint32(IN_PRE)) != 0
        while at < size:
            byte = data[at]
            length = 1
            if byte == 60:
                if at + 1 < size:
                    after = data[at + 1]
                    if is_letter(after) or after == 47 or after == 33 or after == 63:
                        break
                at += 1
                decoded[0] = byte
            elif byte == 38:
                length, stop = reference(data, at, size, tables.entities, decoded)
                if length:
                    at = stop
                else:
                    length = 1
                    at += 1
                    decoded[0] = byte
            else:
                at += 1
                decoded[0] = byte
                if byte == 0xC2 and at < size and data[at] == 0xA0:
                    decoded[1] = 0xA0
                    length = 2
                    at += 1
            byte = decoded[0]
            if ruby:
                continue
            if length == 2 and byte == 0xC2 and decoded[1] == 0xA0:
                byte, length, decoded[0] = np.uint8(32), 1, np.uint8(32)
            if length == 1 and byte <= 32:
                if not is_space(byte):
                    continue
                if not pre:
                    space = open_block
                    continue
                if byte == 13 or (not open_block and byte == 10):
                    continue
                if byte == 12:
                    decoded[0] = 32
            elif length == 1 and byte == 127:
                continue
            if not open_block:
                open_block, space = True, False
                element = stack[top]
                b_start[n_blocks], b_element[n_blocks], b_flags[n_blocks] = used, element, s_flags[top]
                own = s_own[top]
                b_own[n_blocks] = own
                near = own
                if top > 0:
                    near |= s_own[top - 1]
                if top > 1:
                    near |= s_own[top - 2]
                b_near[n_blocks], b_above[n_blocks] = near, s_above[top]
                b_images[n_blocks], b_breaks[n_blocks] = min(images, 65535), breaks
                links, images, link_bytes, bold_bytes = 1 if in_link else 0, 0, 0, 0
            if space:
                text[used] = 32
                used += 1
                space = False
            for offset in range(length):
                text[used + offset] = decoded[offset]
            used += length
            if in_link:
                link_bytes += length
            if bold:
                bold_bytes += length
        if at >= size:
            break
        # ---- markup
        end = _behind_other_markup(data, at)
        if end > at:
            at = end
            continue
        closing = data[at + 1] == 47
        name_start = at + 2 if closing else at + 1
        at = name_start
        while at < size and not (is_space(data[at]) or data[at] == 47 or data[at] == 62):
            at += 1
        name_end = at
        number = _tag_number(data, name_start, name_end, tables.tag_slots, tables.tag_numbers)
        in_tree = 0 < number < N_TREE
        said = read_attributes(data, at, not closing and (in_tree or number == A), tables.words)
        at = said.end
        rule = whole(rules[number])
        # ---- inline
        if number == A:
            in_link = not closing and (said.flags & HAS_HREF) != 0
            if in_link:
                links += 1
            continue
        if number in (B, STRONG):
            bold = max(bold - 1, 0) if closing else bold + 1
            continue
        if number in (RT, RP, RB, RUBY):
            ruby = not closing and number in (RT, RP)
            continue
        if number == IMG:
            images += 1
            continue
        if rule & (RAW | DROPPED):
            if closing or (said.slash and rule & slash_closes):
                continue
            if not unclosed[number]:
                end = raw_end(data, at, name_start, name_end)
                if end < size:
                    if number == TITLE and title[1] == 0:
                        title[0], title[1] = at, end
                    at = behind(data, end, 62)
                    continue
                unclosed[number] = True
            if rule & RAW:
                break
            continue
        if not in_tree and number != BR and number != HR:
            continue
        if number == BR and pre:
            if open_block and not closing:
                text[used] = 10
                used += 1
            continue
        # ---- what divides text
        if open_block:
            used = _trimmed(text, b_start[n_blocks], used)
            if used > b_start[n_blocks]:
                b_end[n_blocks], b_link[n_blocks], b_bold[n_blocks] = used, link_bytes, bold_bytes
                b_links[n_blocks] = min(links, 65535)
                n_blocks += 1
            open_block, space, breaks = False, False, 0
        ruby = False
        if number == BR:
            breaks = min(breaks + 1, 2)
            continue
        breaks = 0
        if number in (HTML, HEAD, BODY, HR):
            if number == HR and opened[P]:
                reduced = closed_by_start(stack, tag, depth, number, rules, opened)
            else:
                continue
        elif closing:
            reduced = closed_by_end(stack, tag, depth, number, rules, opened)
        elif number == FORM and opened[FORM]:
            continue
        else:
            reduced = closed_by_start(stack, tag, depth, number, rules, opened)
        while depth > reduced:
            depth -= 1
            last[stack[depth]] = n_blocks
            opened[tag[stack[depth]]] -= 1
        if rules[number] & CELL:
            in_link = False
        if closing or number == HR or depth > MAX_DEPTH:
            continue
        above = stack[depth - 1]
        tag[n_elements], parent[n_elements], e_depth[n_elements] = number, above, depth
        first[n_elements], last[n_elements] = n_blocks, n_blocks
        signature[n_elements] = (said.mark ^ np.uint64(number)) * NAME_PRIME
        stack[depth] = n_elements
        s_own[depth], s_above[depth] = said.groups, s_above[depth - 1] | said.groups
        s_flags[depth] = s_flags[depth - 1] | tables.flags[number] | np.uint32(said.flags & 0x7FFFFFFF)
        opened[number] += 1
        depth += 1
        n_elements += 1
    if open_block:
        used = _trimmed(text, b_start[n_blocks], used)
        if used > b_start[n_blocks]:
            b_end[n_blocks], b_link[n_blocks], b_bold[n_blocks] = used, link_bytes, bold_bytes
            b_links[n_blocks] = min(links, 65535)
            n_blocks += 1
    while depth > 0:
        depth -= 1
        last[stack[depth]] = n_blocks
    return Markup(
        text[:used], b_start[:n_blocks], b_end[:n_blocks], b_element[:n_blocks], b_flags[:n_blocks], b_own[:n_blocks],
        b_near[:n_blocks], b_above[:n_blocks], b_link[:n_blocks], b_bold[:n_blocks], b_links[:n_blocks],
        b_images[:n_blocks], b_breaks[:n_blocks], tag[:n_elements], parent[:n_elements], e_depth[:n_elements],
        first[:n_elements], last[:n_elements], signature[:n_elements], title,
    )  # fmt: skip
