"""What the attributes of a start tag say about its element."""

from typing import NamedTuple

import numpy as np

from pipeline.html.attributes import next_attribute
from pipeline.html.elements import (
    IN_ARIA_HIDDEN,
    IN_ARTICLE_BODY,
    IN_HIDDEN,
    NAME_PRIME,
    NAME_SEED,
    name_hash,
)
from pipeline.html.tokens import is_space, lower
from pipeline.kernels.compiling import kernel, whole
from pipeline.kernels.hash_table import slot_of
from pipeline.page.main_text.class_names import SEPARATOR, SYMBOLS

HAS_HREF = 1 << 31


class Attributes(NamedTuple):
    """end: behind the tag's >.  mark: hash of the class, or 0.  groups: bits of class_names.GROUP.  flags: IN_* of
    html_names, and HAS_HREF.  slash: the tag ends in />."""

    end: int
    mark: np.uint64
    groups: np.uint64
    flags: int
    slash: bool


class Words(NamedTuple):
    """goto, output: the automaton of class_names.  role_slots, role_flags: of the table of roles' names."""

    goto: np.ndarray
    output: np.ndarray
    role_slots: np.ndarray
    role_flags: np.ndarray


_KEY_CLASS, _KEY_ID, _KEY_ROLE, _KEY_STYLE, _KEY_HIDDEN, _KEY_ITEMPROP, _KEY_ARIA, _KEY_HREF, _ARTICLE_BODY, _TRUE = (
    np.uint64(name_hash(name))
    for name in ("class", "id", "role", "style", "hidden", "itemprop", "aria-hidden", "href", "articlebody", "true")
)


@kernel
def hash_lower(data: np.ndarray, start: int, end: int) -> np.uint64:
    value = NAME_SEED
    for at in range(start, end):
        value = (value ^ np.uint64(lower(data[at]))) * NAME_PRIME
    return value if value else np.uint64(1)


@kernel
def _hash_bytes(data: np.ndarray, start: int, end: int, value: np.uint64) -> np.uint64:
    for at in range(start, end):
        value = (value ^ np.uint64(data[at])) * NAME_PRIME
    return value


@kernel
def _groups(data: np.ndarray, start: int, end: int, goto: np.ndarray, output: np.ndarray) -> np.uint64:
    """Groups of the words in a class or id."""
    state = whole(goto[0, SEPARATOR])
    groups = np.uint64(0)
    before = 0
    for at in range(start, end):
        byte = whole(data[at])
        if 65 <= byte <= 90:
            if 97 <= before <= 122:  # camelCase
                state = whole(goto[state, SEPARATOR])
                groups |= output[state]
            symbol = byte - 65
        elif 97 <= byte <= 122:
            symbol = byte - 97
        elif 48 <= byte <= 57:
            symbol = whole(26)
        elif byte < 128:
            symbol = whole(SEPARATOR)
        else:
            symbol = whole(SYMBOLS - 1)
        state = whole(goto[state, symbol])
        groups |= output[state]
        before = byte
    return groups | output[whole(goto[state, SEPARATOR])]


@kernel
def _hides(data: np.ndarray, start: int, end: int) -> bool:
    """Whether a style attribute says display: none."""
    at = start
    while at + 7 < end:
        byte = data[at] | 32
        if byte == 100 and (data[at + 1] | 32) == 105 and (data[at + 2] | 32) == 115 and (data[at + 3] | 32) == 112:
            while at < end and data[at] != 58:
                at += 1
            at += 1
            while at < end and is_space(data[at]):
                at += 1
            if at + 3 < end and (data[at] | 32) == 110 and (data[at + 1] | 32) == 111 and (data[at + 2] | 32) == 110:
                return True
        at += 1
    return False


@kernel
def read_attributes(data: np.ndarray, at: int, wanted: bool, words: Words) -> Attributes:
    """Reads from behind the tag's name to behind its >. wanted: whether anything but the end matters."""
    mark, groups, flags = np.uint64(0), np.uint64(0), whole(0)
    while True:
        name, name_end, start, end, after, slash = next_attribute(data, at)
        if name == name_end:
            return Attributes(min(name + 1, len(data)), mark, groups, flags, slash)
        at = after
        length = name_end - name
        if not wanted or length > 11 or length < 2:
            continue
        key = hash_lower(data, name, name_end)
        if key == _KEY_CLASS:
            mark = _hash_bytes(data, start, end, NAME_SEED)
            groups |= _groups(data, start, end, words.goto, words.output)
        elif key == _KEY_ID:
            groups |= _groups(data, start, end, words.goto, words.output)
        elif key == _KEY_HREF:
            flags |= HAS_HREF
        elif key == _KEY_ROLE:
            flags |= whole(words.role_flags[slot_of(hash_lower(data, start, end), words.role_slots)])  # 0 for others
        elif key == _KEY_STYLE:
            if _hides(data, start, end):
                flags |= IN_HIDDEN
        elif key == _KEY_HIDDEN:
            flags |= IN_HIDDEN
        elif key == _KEY_ARIA:
            if hash_lower(data, start, end) == _TRUE:
                flags |= IN_ARIA_HIDDEN
        elif key == _KEY_ITEMPROP and hash_lower(data, start, end) == _ARTICLE_BODY:
            flags |= IN_ARTICLE_BODY
