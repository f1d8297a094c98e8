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
from pipeline.html.tokens import find_byte, is_space, lower
from pipeline.kernels.compiling import kernel, whole
from pipeline.kernels.hash_table import slot_of
from pipeline.page.blocks.class_names import ALL_GROUPS, OF_LANGUAGE, OF_PASSAGE, SEPARATOR, SYMBOLS
from pipeline.page.blocks.listings import begins, language_of, named
from pipeline.page.blocks.passage_names import ARIA_HIDDEN, FRAGMENT, HIDDEN, UNSELECTABLE, class_kinds

HAS_HREF, TO_PLACE = 1 << 31, 1 << 32
_USER_SELECT, _NONE = (np.frombuffer(word, np.uint8) for word in (b"user-select", b"none"))


class Attributes(NamedTuple):
    """end: behind the tag's >.  mark: hash of the class, or 0.  groups: bits of class_names.GROUP.  flags: IN_* of
    html_names, HAS_HREF, and TO_PLACE: to a place of this page.  slash: the tag ends in />.  kinds: bits of
    passage_names.  name, name_end: where a listing's language stands, or 0."""

    end: int
    mark: np.uint64
    groups: np.uint64
    flags: int
    slash: bool
    kinds: int
    name: int
    name_end: int


# What is wanted of a tag's attributes: of an element of the tree all, of an inline one what hides it; of a link where
# it leads; whether that is in the page; what no one can select; the language of a listing; that of a figure.
TREE, INLINE, LINK, INSIDE, LISTING, LANGUAGE, OF_FIGURE = (1 << bit for bit in range(7))


class Words(NamedTuple):
    """goto, output: the automaton of class_names.  role_slots, role_flags: of the table of roles' names.
    kind_slots, kinds: of that of classes."""

    goto: np.ndarray
    output: np.ndarray
    role_slots: np.ndarray
    role_flags: np.ndarray
    kind_slots: np.ndarray
    kinds: np.ndarray


_KEY_CLASS, _KEY_ID, _KEY_ROLE, _KEY_STYLE, _KEY_HIDDEN, _KEY_ITEMPROP, _KEY_ARIA, _KEY_HREF, _ARTICLE_BODY, _TRUE = (
    np.uint64(name_hash(name))
    for name in ("class", "id", "role", "style", "hidden", "itemprop", "aria-hidden", "href", "articlebody", "true")
)
_KEY_LANG, _KEY_LANGUAGE, _UNTIL_FOUND = (
    np.uint64(name_hash(name)) for name in ("data-lang", "data-language", "until-found")
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
def _unselectable(data: np.ndarray, start: int, end: int) -> bool:
    """Whether a style attribute says user-select: none, with whatever prefix."""
    at = start
    while at < end:
        if begins(data, at, end, _USER_SELECT):
            at += len(_USER_SELECT)
            while at < end and (is_space(data[at]) or data[at] == 58):
                at += 1
            if begins(data, at, end, _NONE):
                return True
        at += 1
    return False


@kernel
def read_attributes(data: np.ndarray, at: int, wanted: int, words: Words) -> Attributes:
    """Reads from behind the tag's name to behind its >. wanted: bits of TREE and so on; 0 where only the end
    matters."""
    mark, groups, flags, kinds = np.uint64(0), np.uint64(0), whole(0), whole(0)
    classes, classes_end, language, language_end = whole(0), whole(0), 0, 0
    while True:
        name, name_end, start, end, after, slash = next_attribute(data, at)
        if name == name_end:
            if groups & OF_PASSAGE:
                kinds |= class_kinds(data, classes, classes_end, words.kind_slots, words.kinds)
            if groups & OF_LANGUAGE and wanted & LANGUAGE and language_end == 0:
                language, language_end = language_of(data, classes, classes_end, (wanted & OF_FIGURE) != 0)
            return Attributes(
                min(name + 1, len(data)), mark, groups & ALL_GROUPS, flags, slash, kinds, language, language_end
            )
        at = after
        length = name_end - name
        if not wanted or length > 13 or length < 2:
            continue
        if wanted == INLINE and length != 5 and length != 6:  # class, style, hidden
            continue
        key = hash_lower(data, name, name_end)
        if key == _KEY_CLASS:
            classes, classes_end = start, end
            mark = _hash_bytes(data, start, end, NAME_SEED)
            groups |= _groups(data, start, end, words.goto, words.output)
        elif key == _KEY_STYLE:
            if _hides(data, start, end):
                flags |= IN_HIDDEN
                kinds |= HIDDEN
            elif wanted & LISTING and _unselectable(data, start, end):
                kinds |= UNSELECTABLE
        elif key == _KEY_HIDDEN:
            flags |= IN_HIDDEN
            if hash_lower(data, start, end) != _UNTIL_FOUND:
                kinds |= HIDDEN
        elif wanted == INLINE:
            continue
        elif key == _KEY_ID:
            if wanted & TREE:
                groups |= _groups(data, start, end, words.goto, words.output)
        elif key == _KEY_HREF:
            flags |= HAS_HREF
            if start + 1 < end and data[start] == 35:
                flags |= TO_PLACE
            if wanted & INSIDE and find_byte(data[start:end], 0, 35) < end - start:
                kinds |= FRAGMENT
        elif key == _KEY_ROLE:
            flags |= whole(words.role_flags[slot_of(hash_lower(data, start, end), words.role_slots)])  # 0 for others
        elif key == _KEY_ARIA:
            if hash_lower(data, start, end) == _TRUE:
                flags |= IN_ARIA_HIDDEN
                kinds |= ARIA_HIDDEN
        elif key in (_KEY_LANG, _KEY_LANGUAGE):
            if wanted & LANGUAGE:
                language, language_end = named(data, start, end)
        elif key == _KEY_ITEMPROP and hash_lower(data, start, end) == _ARTICLE_BODY:
            flags |= IN_ARTICLE_BODY


@kernel
def attribute_value(data: np.ndarray, at: int, key: np.uint64) -> tuple[int, int]:
    """Where the value of the attribute stands whose name has this hash, in a tag from behind its name on; (0, 0)
    without one, and a place twice for an empty one."""
    while True:
        name, name_end, start, end, after, _ = next_attribute(data, at)
        if name == name_end:
            return 0, 0
        if hash_lower(data, name, name_end) == key:
            return start, end
        at = after
