"""Character references (https://html.spec.whatwg.org/#character-reference-state) to UTF-8."""

from functools import cache
from html.entities import html5
from typing import NamedTuple

import numpy as np

from pipeline.html.elements import NAME_PRIME, NAME_SEED, name_table
from pipeline.html.tokens import is_letter
from pipeline.kernels.compiling import kernel, whole
from pipeline.kernels.hash_table import slot_of

LONGEST = 8  # bytes that one may give


class Names(NamedTuple):
    """What names stand for, by slot of a hash table."""

    slots: np.ndarray  # uint64, of the name's FNV-1a
    spelled: np.ndarray  # uint8 (n, 8): number of bytes, bytes


@cache
def named() -> Names:
    """HTML's named references, made once a process."""
    entities = {name: index for index, name in enumerate(html5)}
    spelled = np.zeros((len(entities), LONGEST), np.uint8)
    for name, index in entities.items():
        data = html5[name].encode()
        spelled[index, 0] = len(data)
        spelled[index, 1 : 1 + len(data)] = list(data)
    names = name_table(entities)
    return Names(names.slots, spelled[names.values])


def without_lone_surrogates(text: str) -> str:
    """Character references, as Python's `html` and the engines decode them, can make surrogates, which no file can
    hold."""
    return text.encode("utf-8", "ignore").decode("utf-8")


_C1 = np.array(  # what numeric references to C1 controls mean (the standard's table)
    [0x20AC, 0x81, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8D, 0x017D,
     0x8F, 0x90, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,
     0x017E, 0x0178], np.int64)  # fmt: skip


@kernel
def _put(text: np.ndarray, size: int, point: int) -> int:
    """Appends a code point in UTF-8."""
    if point < 0x80:
        text[size] = point
        return size + 1
    if point < 0x800:
        text[size] = 0xC0 | (point >> 6)
        text[size + 1] = 0x80 | (point & 63)
        return size + 2
    if point < 0x10000:
        text[size] = 0xE0 | (point >> 12)
        text[size + 1] = 0x80 | ((point >> 6) & 63)
        text[size + 2] = 0x80 | (point & 63)
        return size + 3
    text[size] = 0xF0 | (point >> 18)
    text[size + 1] = 0x80 | ((point >> 12) & 63)
    text[size + 2] = 0x80 | ((point >> 6) & 63)
    text[size + 3] = 0x80 | (point & 63)
    return size + 4


@kernel
def reference(data: np.ndarray, at: int, end: int, names: Names, out: np.ndarray) -> tuple[int, int]:
    """Decodes the character reference whose & is at `at` into `out`: bytes written (0: no reference), where it ends."""
    place = at + 1
    if place >= end:
        return 0, at
    if data[place] == 35:  # #
        place += 1
        base = 10
        if place < end and (data[place] | 32) == 120:
            base, place = 16, place + 1
        begin, point = place, whole(0)
        while place < end:
            byte = whole(data[place])
            if 48 <= byte <= 57:
                digit = byte - 48
            elif base == 16 and 97 <= (byte | 32) <= 102:
                digit = (byte | 32) - 87
            else:
                break
            point = min(point * base + digit, whole(0x110000))
            place += 1
        if place == begin:
            return 0, at
        if place < end and data[place] == 59:
            place += 1
        if 0x80 <= point <= 0x9F:
            point = _C1[point - 0x80]
        if point == 0 or point >= 0x110000 or 0xD800 <= point < 0xE000:
            point = whole(0xFFFD)
        return _put(out, 0, point), place
    value = NAME_SEED
    found, stop = -1, at
    while place < end and place - at <= 32:
        byte = data[place]
        if not (is_letter(byte) or 48 <= byte <= 57 or byte == 59):
            break
        value = (value ^ np.uint64(byte)) * NAME_PRIME
        place += 1
        if byte == 59 or place - at <= 8:  # names without semicolon are short
            slot = slot_of(value, names.slots)
            if names.slots[slot] != 0:
                found, stop = slot, place
        if byte == 59:
            break
    if found < 0:
        return 0, at
    length = whole(names.spelled[found, 0])
    for offset in range(length):
        out[offset] = names.spelled[found, 1 + offset]
    return length, stop


@kernel
def character(data: np.ndarray, at: int, names: Names, decoded: np.ndarray) -> tuple[int, int]:
    """(bytes of the character at `at` that now stand in `decoded`, where the next is). A no-break space, which is none
    that collapses, is a space with 0xA0 behind it."""
    byte = data[at]
    decoded[1] = 0
    if byte == 38:
        length, stop = reference(data, at, len(data), names, decoded)
        if length:
            if length == 2 and decoded[0] == 0xC2 and decoded[1] == 0xA0:
                decoded[0], length = 32, 1
            return length, stop
    elif byte == 0xC2 and at + 1 < len(data) and data[at + 1] == 0xA0:
        decoded[0], decoded[1] = 32, 0xA0
        return 1, at + 2
    decoded[0] = byte
    return 1, at + 1
