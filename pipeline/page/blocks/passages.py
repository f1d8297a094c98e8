"""Passages: text that is taken back when its element ends, if it turns out to be none of the page.

What is drawn beside a formula's source, numbers of lines, a heading's link to itself, what is hidden. Inline elements
have passages though they do not enter the tree; a passage ends with its tag, and at the latest with the element of the
tree that it is in. Taking back costs no more than the writing did; at most `MOST_PASSAGES` are open at once, and what
begins in them is part of them.
"""

from typing import Any

import numpy as np

from pipeline.html.elements import CODE, IN_PRE, LI, OL, PRE, TABLE, TD, TH
from pipeline.kernels.compiling import uncounted, whole
from pipeline.page.blocks.formulas import note_math, write_alternative
from pipeline.page.blocks.listings import are_numbers, begins
from pipeline.page.blocks.passage_names import (
    ARIA_HIDDEN,
    COPY,
    GONE,
    HIDDEN,
    LABEL_LINK,
    MATH,
    NUMBERS,
    NUMBERS_IN_LISTING,
    NUMBERS_NOT_CELL,
    SELF_LINK,
    SIGNATURE,
    TEMPLATE,
    TREE_COPY,
    UNSELECTABLE,
)
from pipeline.page.blocks.taking_back import clear_around_formula, end_copy, keep, shorten_elements, take_back
from pipeline.page.blocks.writing import CODE_WORDS, MOST_PASSAGES, POST_WORDS, Written
from pipeline.words.characters import RUN, SINGLE, Characters, decode

_NUMBERS = NUMBERS | NUMBERS_NOT_CELL | NUMBERS_IN_LISTING | UNSELECTABLE
_PASSAGES = MATH | COPY | HIDDEN | GONE | _NUMBERS | LABEL_LINK | TEMPLATE

# What links to the heading that they stand in say, where their class tells that they are such; in small letters.
_WHOLE, _BEGINNINGS = (
    tuple(np.frombuffer(word.encode(), np.uint8) for word in words.split("|"))
    for words in (
        "anchor|link|url|direct link|copy link|anchor link|headerlink|enlace|lien|ссылка|رابط|קישור|लिंक|லிங்க்|"
        "ลิงก์|តំណ|ბმული|አገናኝ|링크|链接|連結|鏈接|リンク|bağlantı",
        "permalink|permanent link|permanenter link|permanentlink|link to this|link to heading|link to section|"
        "direct link to|copy link to|anchor for|anchor to|anchor link to|section titled|navigate to|lien permanent|"
        "enlace permanente|enlace a |永久链接|永久連結|链接到|链接至|固定链接|パーマリンク|この見出し|고유 링크|"
        "постоянная ссылка|ссылка на",
    )
)


@uncounted
def kinds_of(number: int, in_tree: bool, kinds: int, above: Any) -> int:
    """What an element's passage may be; 0 where it needs none. number: of its tag.  above: the level that it is in."""
    if in_tree:
        kinds &= ~(HIDDEN if kinds & TREE_COPY else HIDDEN | COPY)  # hidden blocks have a flag
    if number in (TABLE, LI):
        kinds &= ~_NUMBERS
    elif number in (PRE, CODE, OL):
        kinds &= ~NUMBERS_IN_LISTING
    listing = above.flags & np.uint32(IN_PRE) or above.above & CODE_WORDS or above.name_end
    if kinds & NUMBERS_NOT_CELL:
        kinds |= NUMBERS_IN_LISTING if number in (TD, TH) else NUMBERS
    if kinds & NUMBERS_IN_LISTING and listing:
        kinds |= NUMBERS
    if kinds & SIGNATURE and above.above & POST_WORDS:  # documentation calls a function's so
        kinds |= GONE
    return kinds if kinds & _PASSAGES else 0


@uncounted
def begin_passage(written: Written, now: Any, name: np.uint64, kinds: int, depth: int, attributes: int) -> None:
    """name: hash of an inline element's, else 0.  depth: below which it ends.  attributes: where they begin."""
    if now.passages == MOST_PASSAGES:
        return
    if kinds & MATH:
        clear_around_formula(written, now)
    new = written.passages[now.passages]
    new.name, new.kinds, new.depth, new.count = name, kinds, depth, 1
    new.elements, new.kept, new.displayed, new.alternative, new.alternative_end = now.elements, False, False, 0, 0
    if kinds & MATH:
        note_math(new, written.data, attributes)
    written.before[2 * now.passages] = written.place[0]
    now.passages += 1


@uncounted
def count_start(written: Written, now: Any, name: np.uint64) -> None:
    """An inline element begins of which no passage does."""
    for number in range(now.passages):
        passage = written.passages[number]
        if passage.name == name and passage.depth == now.depth:
            passage.count += 1


@uncounted
def end_named(written: Written, now: Any, name: np.uint64) -> None:
    """An inline element ends."""
    ended = now.passages
    for number in range(now.passages - 1, -1, -1):
        passage = written.passages[number]
        if passage.depth != now.depth:
            break
        if passage.name == name:
            passage.count -= 1
            if passage.count == 0:
                ended = number
    while now.passages > ended:
        end_passage(written, now)


@uncounted
def end_deeper(written: Written, now: Any, depth: int) -> None:
    """Elements of the tree end, down to this depth, and passages in them."""
    while now.passages and written.passages[now.passages - 1].depth > depth:
        end_passage(written, now)


@uncounted
def end_formulas(written: Written, now: Any) -> None:
    """An element of the tree begins, which is in no formula."""
    ended = now.passages
    for number in range(now.passages):
        if written.passages[number].kinds & MATH:
            ended = min(ended, number)
    while now.passages > ended:
        end_passage(written, now)


@uncounted
def end_passage(written: Written, now: Any) -> None:
    """The innermost one; what is none of the page's text goes."""
    number = now.passages - 1
    passage = written.passages[number]
    kinds, then = passage.kinds, written.before[2 * number]
    if kinds & MATH:
        write_alternative(written, now)
    now.passages -= 1
    used, blocks = now.used, now.blocks
    if kinds & (TEMPLATE | GONE):
        take_back(written, now, then)
    elif kinds & (MATH | HIDDEN):
        if passage.kept:
            take_back(written, now, written.before[2 * number + 1])
        elif kinds & HIDDEN:
            take_back(written, now, then)
        elif used > then.used or blocks > then.blocks:
            keep(written, now)  # a formula without TeX
    elif kinds & COPY:
        end_copy(written, now, number)
    elif kinds & _NUMBERS and _are_numbers(written, now, then, kinds):
        take_back(written, now, then)
    elif kinds & LABEL_LINK:
        _end_label_link(written, now, then, kinds)
    if now.used != used or now.blocks != blocks:
        shorten_elements(written, now, passage.elements)


@uncounted
def _are_numbers(written: Written, now: Any, then: Any, kinds: int) -> bool:
    if not kinds & (NUMBERS | UNSELECTABLE):
        listing = False
        for block in range(then.blocks, now.blocks + now.is_open):
            listing |= (written.blocks[block].flags & np.uint32(IN_PRE)) != 0
        if not listing:
            return False
    return are_numbers(written.text, then.used, now.used)


@uncounted
def _has_letters(text: np.ndarray, at: int, end: int, chars: Characters) -> bool:
    """Whether there are letters or digits."""
    while at < end:
        point, at = decode(text, at, end)
        word = chars.flags[chars.kinds[chars.pages[point >> 8], point & 255]] & 3
        if word in (RUN, SINGLE):
            return True
    return False


@uncounted
def _says_link(text: np.ndarray, at: int, end: int) -> bool:
    """Whether the words are those of a link to the heading they stand in."""
    while at < end and text[at] < 128 and not 97 <= (text[at] | 32) <= 122:
        at += 1
    while end > at and text[end - 1] < 128 and not 97 <= (text[end - 1] | 32) <= 122:
        end -= 1
    for word in _BEGINNINGS:
        if begins(text, at, end, word):
            return True
    for word in _WHOLE:  # noqa: SIM110
        if end - at == len(word) and begins(text, at, end, word):
            return True
    return False


@uncounted
def _end_label_link(written: Written, now: Any, then: Any, kinds: int) -> None:
    """A link in a heading goes that leads to the heading: a sign, or words where its class tells and others stand
    beside them, which may yet follow."""
    text, start = written.text, then.used
    if now.used <= start:
        return
    if not _has_letters(text, start, now.used, written.chars):
        take_back(written, now, then)
        return
    if not kinds & ARIA_HIDDEN and not (kinds & SELF_LINK and _says_link(text, start, now.used)):
        return
    if then.is_open and _has_letters(text, whole(written.blocks[then.blocks].start), start, written.chars):
        take_back(written, now, then)
    elif now.is_open and now.label_end == 0:
        now.label, now.label_end, now.label_begun = start, now.used, now.begun
        now.label_link = now.link_bytes - (then.link_bytes if then.is_open else 0)
        now.label_bold = now.bold_bytes - (then.bold_bytes if then.is_open else 0)


@uncounted
def settle_label(written: Written, now: Any) -> None:
    """A heading's block ends that began with the words of a link to itself: they go if others have followed."""
    text, start, end = written.text, now.label, now.label_end
    now.label_end = 0
    if not now.is_open or now.begun != now.label_begun or not _has_letters(text, end, now.used, written.chars):
        return
    while text[end] <= 32:
        end += 1
    for at in range(end, now.used):
        text[start + at - end] = text[at]
    now.used -= end - start
    now.link_bytes -= now.label_link
    now.bold_bytes -= now.label_bold
    now.links -= min(now.links, 1)
    now.place_links -= min(now.place_links, 1)
    for number in range(now.formulas - 1, -1, -1):
        if written.formulas[number, 0] < end:
            break
        written.formulas[number, 0] -= end - start
        written.formulas[number, 1] -= end - start
