"""The attributes of a tag, as HTML's tokenizer reads them (https://html.spec.whatwg.org/#before-attribute-name-state)."""

from typing import NamedTuple

import numpy as np

from pipeline.html.tokens import find_byte, is_space
from pipeline.kernels.compiling import inlined, kernel, whole


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


def attributes(source: bytes) -> dict[bytes, bytes]:
    """Values by name in small letters (ASCII's), of what stands in a tag behind its name, up to its > or the source's
    end. Of attributes of one name the first counts, as the standard says. Character references are left as they are."""
    spans = _spans(np.frombuffer(source, np.uint8)).tolist()
    return {source[name:name_end].lower(): source[value:end] for name, name_end, value, end in reversed(spans)}


@kernel
def _spans(data: np.ndarray) -> np.ndarray:
    """Begin and end of each attribute's name and value, int64 of shape (n, 4)."""
    spans, n, at = np.empty((8, 4), np.int64), 0, 0
    while True:
        attribute = next_attribute(data, at)
        if attribute.name == attribute.name_end:
            return spans[:n]
        if n == len(spans):
            more = np.empty((2 * n, 4), np.int64)
            more[:n] = spans
            spans = more
        spans[n, 0], spans[n, 1] = attribute.name, attribute.name_end
        spans[n, 2], spans[n, 3] = attribute.value, attribute.value_end
        n += 1
        at = attribute.end
