"""Small pieces of HTML's tokens (https://html.spec.whatwg.org/#tokenization), over a page's UTF-8 bytes."""

import numpy as np

from pipeline.kernels.compiling import kernel

BLOCK = 32  # bytes that are looked through at once


@kernel
def lower(byte: np.uint8) -> np.uint8:
    return byte | np.uint8(32) if 65 <= byte <= 90 else byte


@kernel
def is_space(byte: int) -> bool:
    return byte <= 32 and (byte == 32 or byte == 10 or byte == 9 or byte == 13 or byte == 12)


@kernel
def is_letter(byte: int) -> bool:
    return 97 <= (byte | 32) <= 122


@kernel
def is_xml(data: np.ndarray) -> bool:
    """Whether the page begins with an XML declaration: then a slash closes raw text too."""
    at, size = 0, len(data)
    while at < size and is_space(data[at]):
        at += 1
    if at + 5 >= size or data[at] != 60 or data[at + 1] != 63:
        return False
    return data[at + 2] == 120 and data[at + 3] == 109 and data[at + 4] == 108 and is_space(data[at + 5])


@kernel
def find_byte(data: np.ndarray, at: int, wanted: int) -> int:
    """The next place from `at` with a byte; the page's size without one. Blocks are looked through all at once."""
    size = len(data)
    while at + BLOCK <= size:
        hit = np.uint8(0)
        for byte in data[at : at + BLOCK]:
            hit |= np.uint8(byte == wanted)
        if hit:
            break
        at += BLOCK
    while at < size and data[at] != wanted:
        at += 1
    return at


@kernel
def behind(data: np.ndarray, at: int, wanted: int) -> int:
    """One behind the next place of a byte; the page's size without one."""
    return min(len(data), find_byte(data, at, wanted) + 1)


@kernel
def comment_end(data: np.ndarray, at: int) -> int:
    """Behind the comment whose text begins at `at`."""
    size = len(data)
    if at < size and data[at] == 62:
        return at + 1
    if at + 1 < size and data[at] == 45 and data[at + 1] == 62:
        return at + 2
    while True:
        at = find_byte(data, at, 45)
        if at + 2 >= size:
            return size
        if data[at + 1] == 45:
            if data[at + 2] == 62:
                return at + 3
            if at + 3 < size and data[at + 2] == 33 and data[at + 3] == 62:
                return at + 4
        at += 1


@kernel
def raw_end(data: np.ndarray, at: int, name: int, name_end: int) -> int:
    """Where the end tag of a raw text element begins whose name stands at data[name:name_end]; the size without one."""
    size, length = len(data), name_end - name
    while True:
        at = find_byte(data, at, 60)
        if at + 2 + length >= size:
            return size
        if data[at + 1] == 47:
            same = True
            for offset in range(length):
                if lower(data[at + 2 + offset]) != lower(data[name + offset]):
                    same = False
                    break
            if same:
                after = data[at + 2 + length]
                if is_space(after) or after == 47 or after == 62:
                    return at
        at += 1
