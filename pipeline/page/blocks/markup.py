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
    ANNOTATION,
    BODY,
    BR,
    CELL,
    CODE,
    DROPPED,
    FIGURE,
    FLAG_TAGS,
    FOREIGN,
    FORM,
    HEAD,
    HR,
    HTML,
    IMG,
    IN_CAPTION,
    IN_HEADING,
    IN_HIDDEN,
    IN_LABEL,
    IN_PRE,
    IN_TEMPLATE,
    N_TREE,
    PRE,
    RAW,
    RB,
    ROLES,
    RP,
    RT,
    RUBY,
    RULES,
    SCRIPT,
    STRONG,
    TAG,
    TAGS,
    TITLE,
    VOID,
    A,
    B,
    P,
    name_hash,
    name_table,
)
from pipeline.html.elements import MATH as MATH_TAG
from pipeline.html.elements import TEMPLATE as TEMPLATE_TAG
from pipeline.html.references import Names, named
from pipeline.html.tokens import behind, comment_end, is_letter, is_space, is_xml, raw_end
from pipeline.kernels.compiling import borrowing, inlined, kernel, uncounted, whole
from pipeline.kernels.hash_table import slot_of
from pipeline.page.blocks.class_names import automaton
from pipeline.page.blocks.element_attributes import (
    HAS_HREF,
    INLINE,
    INSIDE,
    LANGUAGE,
    LINK,
    LISTING,
    OF_FIGURE,
    TO_PLACE,
    TREE,
    Attributes,
    Words,
    attribute_value,
    hash_lower,
    read_attributes,
)
from pipeline.page.blocks.formulas import read_annotation, read_script
from pipeline.page.blocks.listings import count_up
from pipeline.page.blocks.open_elements import closed_by_end, closed_by_start
from pipeline.page.blocks.passage_names import (
    FRAGMENT,
    LABEL,
    LABEL_LINK,
    MATH,
    SELF_LINK,
    SHOWN,
    TEMPLATE,
    passage_table,
)
from pipeline.page.blocks.passages import (
    begin_passage,
    count_start,
    end_deeper,
    end_formulas,
    end_named,
    kinds_of,
    settle_label,
)
from pipeline.page.blocks.taking_back import take_back_block
from pipeline.page.blocks.text_runs import is_tag, read_text
from pipeline.page.blocks.writing import (
    BLOCK,
    ELEMENT,
    FEED,
    FIRM,
    LEVEL,
    MOST_PASSAGES,
    PASSAGE,
    PLACE,
    Markup,
    Written,
    begin_element,
    begin_page,
    end_block,
    end_element,
    markup_of,
    room_of,
)
from pipeline.words.characters import Characters, characters

MAX_DEPTH = 500
LONGEST_NAME = 14  # bytes of the names in TAGS
SHADOW_ROOT_MODE = np.uint64(name_hash("shadowrootmode"))


class Tables(NamedTuple):
    """What the kernel looks up: numbers of tags by the hash of their name, rules and flags by number."""

    tag_slots: np.ndarray  # uint64
    tag_numbers: np.ndarray  # int64
    rules: np.ndarray  # uint16 (n_tags,)
    flags: np.ndarray  # uint32 (n_tags,)
    entities: Names
    chars: Characters
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
    roles, classes = name_table(ROLES), passage_table()
    words = Words(*automaton(), roles.slots, roles.values, classes.slots, classes.values)
    return Tables(numbers.slots, numbers.values, rules, flags, named(), characters(), words)


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
def _is_inline(number: int, closing: bool, said: int, now: Any) -> bool:
    """Whether the tag is of an element within a line of text; what it says of the text behind it is noted. said: flags
    of its attributes."""
    if number == A:
        now.in_link = not closing and (said & HAS_HREF) != 0
        now.in_place_link = not closing and (said & TO_PLACE) != 0
        now.links += now.in_link
        now.place_links += now.in_place_link
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
) -> tuple[int, int]:
    """(where the content ends of an element without tags in it, whose start tag, (number, rule), ends at `at`; where
    the element does)."""
    number, rule = tag
    if not unclosed[number]:
        end = raw_end(data, at, name, name_end)
        if end < len(data):
            if number == TITLE and title[1] == 0:
                title[0], title[1] = at, end
            return end, behind(data, end, 62)
        unclosed[number] = True
    return at, len(data) if rule & RAW else at


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


@inlined
def _wanted(number: int, in_tree: bool, rule: int, level: Any) -> int:
    """What is to be read of a start tag's attributes."""
    wanted = whole(0)
    if in_tree:
        wanted = TREE | LANGUAGE
        if number == FIGURE:
            wanted |= OF_FIGURE
    elif rule & (VOID | RAW | DROPPED):
        return wanted
    else:
        wanted = INLINE
        if number == A:
            wanted |= LINK
            if level.flags & np.uint32(IN_HEADING | IN_CAPTION | IN_LABEL):
                wanted |= INSIDE
        elif number == CODE and level.tag == PRE:
            wanted |= LANGUAGE
    if level.flags & np.uint32(IN_PRE):
        wanted |= LISTING
    return wanted


@inlined
def _takes_language(said: Attributes, elements: np.ndarray, level: Any, now: Any) -> None:
    """The <code> right at the beginning of a <pre> names the listing's language."""
    element = elements[level.element]
    if said.name_end and element.first == now.blocks and not now.is_open:
        element.name, element.name_end = said.name, said.name_end


@uncounted
def _in_formula(written: Written, now: Any) -> bool:
    """Whether a slash closes an element here."""
    for number in range(now.passages):  # noqa: SIM110
        if written.passages[number].kinds & MATH:
            return True
    return False


@uncounted
def _begin_inline(
    written: Written, now: Any, number: int, name: np.uint64, kinds: int, attributes: int
) -> None:  # fmt: skip
    """The start tag of an inline element that begins a passage, or is in one. name: the hash of its name."""
    level = written.levels[now.depth - 1]
    if number == A:
        end_named(written, now, name)  # links are not in links
        if kinds & (FRAGMENT | SELF_LINK) and level.flags & np.uint32(IN_HEADING | IN_CAPTION | IN_LABEL):
            kinds |= LABEL_LINK
    elif number == MATH_TAG:
        kinds |= MATH
    kinds = kinds_of(number, False, kinds, level)
    count_start(written, now, name)
    if kinds:
        begin_passage(written, now, name, kinds, now.depth, attributes)


@uncounted
def _begin_in_tree(written: Written, now: Any, number: int, kinds: int, flags: np.uint32, attributes: int) -> np.uint32:
    """The flags of an element of the tree that may begin a passage."""
    if number == TEMPLATE_TAG:
        if attribute_value(written.data, attributes, SHADOW_ROOT_MODE)[1]:
            flags &= ~np.uint32(IN_TEMPLATE)  # a declarative shadow root, which is shown
        else:
            kinds |= TEMPLATE
    if kinds & SHOWN:
        flags &= ~np.uint32(IN_HIDDEN)
    if kinds & LABEL and number == P:
        flags |= np.uint32(IN_LABEL)
    kinds = kinds_of(number, True, kinds, written.levels[now.depth - 1])
    if kinds:
        begin_passage(written, now, np.uint64(0), kinds, now.depth + 1, attributes)
    return flags


@inlined
def _holds_numbers(text: np.ndarray, blocks: np.ndarray, elements: np.ndarray, level: Any, now: Any) -> bool:
    """Whether a cell has nothing but a <pre> of lines that count up: those of the listing beside it."""
    if elements[level.element].first != now.blocks - 1 or level.flags & np.uint32(IN_PRE):
        return False
    block = blocks[now.blocks - 1]
    return (block.flags & np.uint32(IN_PRE)) != 0 and count_up(text, block.start, block.end)


@kernel
def read_page(data: np.ndarray, tables: Tables) -> Markup:
    """Reads text up to a tag and does what the tag says, until the page is read. `now` is the one row of `place`."""
    size, room = len(data), room_of(data)
    title, opened = np.zeros(2, np.int32), np.zeros(256, np.int32)  # how many elements are open, by tag
    unclosed = np.zeros(256, np.bool_)  # raw elements of this name have no end from here on
    decoded = np.empty(8, np.uint8)
    text, place = np.empty(size + size // 4 + 64, np.uint8), np.zeros(1, PLACE)
    blocks, elements, levels = np.empty(room, BLOCK), np.empty(room, ELEMENT), np.zeros(MAX_DEPTH + 1, LEVEL)
    written = Written(
        data, tables.entities, tables.chars, decoded, text, blocks, elements, levels, np.empty((room, 3), np.int32),
        np.zeros(MOST_PASSAGES, PASSAGE), np.zeros(2 * MOST_PASSAGES + 1, PLACE), place,
    )  # fmt: skip
    rules, xml = tables.rules, is_xml(data)
    slash_closes = RAW | DROPPED if xml else FOREIGN
    begin_page(elements, place)
    at, now = whole(0), place[0]
    while at < size:
        if not is_tag(data, at):
            at = read_text(data, at, text, blocks[now.blocks], levels[now.depth - 1], now, tables.entities, decoded)
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
        in_tree, rule = 0 < number < N_TREE, whole(rules[number])
        wanted = 0 if closing else _wanted(number, in_tree, rule, levels[now.depth - 1])
        said = read_attributes(data, at, wanted, tables.words)
        at, is_void = said.end, said.slash and rule & slash_closes
        if not in_tree and not rule & (VOID | RAW | DROPPED):
            if closing:
                if now.passages:
                    end_named(written, now, hash_lower(data, name, name_end))
            elif (now.passages or said.kinds or number == MATH_TAG) and not (
                said.slash and (xml or number == MATH_TAG or _in_formula(written, now))
            ):
                _begin_inline(written, now, number, hash_lower(data, name, name_end), said.kinds, name_end)
            if said.name_end:
                _takes_language(said, elements, levels[now.depth - 1], now)
        if _is_inline(number, closing, said.flags, now):
            continue
        if rule & (RAW | DROPPED):
            if not closing and not is_void:
                begin, (end, at) = at, _behind_raw(data, at, name, name_end, (number, rule), title, unclosed)
                if number == SCRIPT and end > begin:
                    read_script(written, now, name_end, begin, end)
                elif number == ANNOTATION and end > begin and now.passages:
                    read_annotation(written, now, name_end, begin, end)
            continue
        if number == BR:
            _break_line(closing, text, blocks[now.blocks], levels[now.depth - 1], now)
            continue
        if not in_tree and number != HR:
            continue
        if now.passages and not closing:
            end_formulas(written, now)
        if now.label_end:
            settle_label(written, now)
        ignored = number in (HTML, HEAD, BODY) or (number == FORM and not closing and opened[FORM])
        ignored |= number == HR and not opened[P]
        reduced = now.depth if ignored else _depth_behind(number, closing, levels, now.depth, rules, opened)
        if now.passages:
            end_deeper(written, now, reduced)
        end_block(text, blocks[now.blocks], now)
        now.ruby = False
        now.breaks = 0
        if ignored:
            continue
        while now.depth > reduced:
            level = levels[now.depth - 1]
            if rules[level.tag] & CELL and _holds_numbers(text, blocks, elements, level, now):
                take_back_block(written, now, level.element)
            end_element(elements, levels, opened, now)
        if rule & CELL:
            now.in_link = now.in_place_link = False
        if not closing and number != HR and now.depth <= MAX_DEPTH:
            flags = tables.flags[number] | np.uint32(said.flags & 0x7FFFFFFF)
            if said.kinds or number == TEMPLATE_TAG:
                flags = _begin_in_tree(written, now, number, said.kinds, flags, name_end)
            begin_element(elements, levels, opened, now, number, said, flags)
    end_deeper(written, now, whole(0))
    if now.label_end:
        settle_label(written, now)
    end_block(text, blocks[now.blocks], now)
    while now.depth > 0:
        end_element(elements, levels, opened, now)
    return markup_of(written, title)
