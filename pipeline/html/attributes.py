"""The attributes of a tag, as HTML's tokenizer reads them (https://html.spec.whatwg.org/#before-attribute-name-state)."""

import re
from typing import NamedTuple

import numpy as np

from pipeline.html.tokens import find_byte, is_space
from pipeline.kernels.compiling import inlined, whole


class Attribute(NamedTuple):
    """Where an attribute stands in the page: its name, its value without quotes (empty where it has none), and what
    follows it, from `end`. At the tag's end there is none: `name` and `name_end` are both the place of the tag's >, or
    the page's size where the page ends first, and `slash` tells whether the tag ends in />."""

    name: int
    name_end: int
    value: int
    value_end: int
    end: int
    slash: bool


@inlined
def next_attribute(data: np.ndarray, at: int) -> Attribute:
    """The attribute at or behind `at`, which is behind the tag's name or behind another attribute."""
    size, slash = len(data), False
    while at < size and data[at] != 62 and (is_space(data[at]) or data[at] == 47):
        slash = data[at] == 47
        at += 1
    if at == size or data[at] == 62:
        return Attribute(at, at, at, at, at, slash)
    name = at
    at += 1  # = can be a name's first character
    while at < size:
        byte = data[at]
        if byte <= 62 and (byte == 61 or byte == 62 or byte == 47 or is_space(byte)):
            break
        at += 1
    name_end = at
    while at < size and is_space(data[at]):
        at += 1
    if at >= size or data[at] != 61:
        return Attribute(name, name_end, at, at, at, False)
    at += 1
    while at < size and is_space(data[at]):
        at += 1
    if at < size and (data[at] == 34 or data[at] == 39):
        value = at + 1
        value_end = find_byte(data, value, whole(data[at]))
        return Attribute(name, name_end, value, value_end, min(value_end + 1, size), False)
    value = at
    while at < size and not (is_space(data[at]) or data[at] == 62):
        at += 1
    return Attribute(name, name_end, value, at, at, False)


# The same of a tag by itself: a process that only asks for a page's charset need not load a kernel.
_ATTRIBUTE = re.compile(
    rb"""[\t\n\f\r /]*([^\t\n\f\r />][^\t\n\f\r />=]*)
         (?:[\t\n\f\r ]*=[\t\n\f\r ]*(?:"([^"]*)"?|'([^']*)'?|([^\t\n\f\r >]*)))?""",
    re.VERBOSE,
)


def attributes(source: bytes) -> dict[bytes, bytes]:
    """Values by name in small letters (ASCII's), of what stands in a tag behind its name, up to its > or the source's
    end. Of attributes of one name the first counts, as the standard says. Character references are left as they are."""
    values: dict[bytes, bytes] = {}
    at = 0
    while attribute := _ATTRIBUTE.match(source, at):
        name, *forms = attribute.groups()
        values.setdefault(name.lower(), b"".join(form for form in forms if form))
        at = attribute.end()
    return values
