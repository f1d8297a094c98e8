"""Taking back what is written, and what stays of it: the sources of formulas within and beside their drawn copies."""

from typing import Any

from pipeline.kernels.compiling import uncounted, whole
from pipeline.page.blocks.passage_names import COPY, COPY_BEHIND, HIDDEN, MATH
from pipeline.page.blocks.writing import MOST_PASSAGES, NO_SPACE, Written

_COPIES = 2 * MOST_PASSAGES  # row of `before`


@uncounted
def take_back(written: Written, now: Any, then: Any) -> None:
    """All text and blocks since `then`, a former state of the place."""
    now.formulas, now.links, now.images, now.breaks = then.formulas, then.links, then.images, then.breaks
    now.place_links = then.place_links
    now.link_bytes, now.bold_bytes, now.begun = then.link_bytes, then.bold_bytes, then.begun
    if now.label_end > then.used:
        now.label_end = 0
    if not then.is_open:
        now.blocks, now.used, now.is_open, now.space = then.blocks, then.used, False, NO_SPACE
        return
    block = written.blocks[then.blocks]
    if now.is_open and now.blocks == then.blocks and block.begun == then.begun:
        now.used, now.space = then.used, then.space
        return
    used = whole(block.start)
    if now.blocks > then.blocks and block.begun == then.begun:  # else it had nothing but white space
        used = min(whole(block.end), then.used)
        while used > block.start and written.text[used - 1] <= 32:
            used -= 1
    now.blocks, now.used, now.is_open, now.space = then.blocks, used, False, NO_SPACE
    if used > block.start:
        block.end, block.link_bytes, block.bold_bytes = used, then.link_bytes, then.bold_bytes
        block.links = min(then.links, 65535)
        block.place_links = min(then.place_links, 65535)
        now.blocks += 1


@uncounted
def shorten_elements(written: Written, now: Any, first: int) -> None:
    """Elements from `first` on have no blocks but those there still are."""
    for number in range(first, now.elements):
        element = written.elements[number]
        element.first = min(whole(element.first), now.blocks)
        element.last = min(whole(element.last), now.blocks)


@uncounted
def take_back_block(written: Written, now: Any, first: int) -> None:
    """The last block, which is ended. first: the element that is to be without it, and all within."""
    now.blocks -= 1
    now.used = written.blocks[now.blocks].start
    shorten_elements(written, now, first)


@uncounted
def keep(written: Written, now: Any) -> None:
    """A formula ends here: it stays in the passages around it."""
    for number in range(now.passages):
        if written.passages[number].kinds & (COPY | HIDDEN | MATH):
            written.before[2 * number + 1] = written.place[0]
            written.passages[number].kept = True


@uncounted
def clear_around_formula(written: Written, now: Any) -> None:
    """What stands before a formula in its drawn copy, or in a hidden element, goes; the formula will stay."""
    for number in range(now.passages):
        passage = written.passages[number]
        if passage.kinds & (COPY | HIDDEN):
            take_back(written, now, written.before[2 * number + (1 if passage.kept else 0)])
            for inner in range(number + 1, now.passages):
                written.before[2 * inner] = written.place[0]
                written.passages[inner].kept = False
            break
    if now.copy_end >= 0 and not now.copy_has_formula and _stands_behind_copies(now):
        _take_back_copies(written, now)


@uncounted
def _stands_behind_copies(now: Any) -> bool:
    return now.used == now.copy_end and now.begun == now.copy_begun


@uncounted
def _take_back_copies(written: Written, now: Any) -> None:
    then = written.before[_COPIES]
    take_back(written, now, then)
    shorten_elements(written, now, then.elements)
    for number in range(now.passages):  # those within which the copies are not
        if written.before[2 * number].used > now.used or written.before[2 * number].blocks > now.blocks:
            written.before[2 * number] = written.place[0]
        if written.before[2 * number + 1].used > now.used or written.before[2 * number + 1].blocks > now.blocks:
            written.passages[number].kept = False
    now.copy_end = -1


@uncounted
def clear_before_source(written: Written, now: Any) -> None:
    """A script with a formula's source follows: its drawn copies go, if nothing stands between."""
    if now.copy_end >= 0 and _stands_behind_copies(now):
        _take_back_copies(written, now)


@uncounted
def end_copy(written: Written, now: Any, number: int) -> None:
    passage, then = written.passages[number], written.before[2 * number]
    formulas = then.formulas
    if passage.kept:
        take_back(written, now, written.before[2 * number + 1])
    elif passage.kinds & COPY_BEHIND and formulas and written.formulas[formulas - 1, 1] == then.used:
        take_back(written, now, then)
        return
    follows = now.copy_end == then.used and now.copy_begun == then.begun and not now.copy_has_formula
    if not follows:
        written.before[_COPIES] = then
    now.copy_end, now.copy_begun, now.copy_has_formula = now.used, now.begun, passage.kept
