"""Runs of text between tags: characters are decoded, white space collapses, line feeds between wide characters go."""

from typing import Any

import numpy as np

from pipeline.html.elements import IN_PRE
from pipeline.html.references import Names, character
from pipeline.html.tokens import is_letter, is_space
from pipeline.kernels.compiling import borrowing, inlined, whole
from pipeline.page.blocks.segment_breaks import divides
from pipeline.page.blocks.writing import FEED, FIRM, NO_SPACE, SPACE, begin_block, put


@inlined
def is_tag(data: np.ndarray, at: int) -> bool:
    """Whether markup begins at `at`, and not text."""
    if data[at] != 60 or at + 1 >= len(data):
        return False
    after = data[at + 1]
    return is_letter(after) or after == 47 or after == 33 or after == 63


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
        return divides(text, used, decoded, whole(0), length)
    return divides(text, used, data, at, len(data))


@borrowing
def read_text(
    data: np.ndarray, at: int, text: np.ndarray, new: Any, level: Any, now: Any, entities: Names, decoded: np.ndarray
) -> int:  # fmt: skip
    """Adds the text from `at` on to the open block, or to one that it begins; answers where the next tag is."""
    pre = (level.flags & np.uint32(IN_PRE)) != 0
    ruby, is_open, space, used, letters = now.ruby, now.is_open, now.space, now.used, 0
    while at < len(data):
        byte, begin = data[at], at
        if byte == 38 or byte == 0xC2:
            length, at = character(data, at, entities, decoded)
            byte = decoded[0]
        elif byte == 60 and is_tag(data, at):
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
        used = put(text, used, byte, decoded, length)
        letters += length
    now.is_open, now.space, now.used = is_open, space, used
    if now.in_link:
        now.link_bytes += letters
    if now.bold:
        now.bold_bytes += letters
    return at
