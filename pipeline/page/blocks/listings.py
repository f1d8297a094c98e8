"""Listings of programs: the name of their language, and the numbers of their lines."""

import numpy as np

from pipeline.html.tokens import is_space, lower
from pipeline.kernels.compiling import kernel

WORDS = "|language| |lang| brush source|code sourcecode highlight"  # for `class_names.automaton`


def _bytes(written: str) -> np.ndarray:
    return np.frombuffer(written.encode(), np.uint8)


_LANGUAGE, _LANG, _SOURCE, _BRUSH = map(_bytes, ("language-", "lang-", "highlight-source-", "brush:"))
_SOURCE_CODE, _HIGHLIGHT, _NUMBER, _LINE = map(_bytes, ("sourcecode", "highlight", "number", "line"))
_NONE = tuple(map(_bytes, ("plaintext", "text", "none", "nohighlight", "plain")))


@kernel
def begins(data: np.ndarray, at: int, end: int, word: np.ndarray) -> bool:
    """Whether `data[at:end]` begins with a word of small letters (ASCII's), however they are written."""
    if end - at < len(word):
        return False
    for offset in range(len(word)):  # noqa: SIM110
        if lower(data[at + offset]) != word[offset]:
            return False
    return True


@kernel
def _is(data: np.ndarray, at: int, end: int, word: np.ndarray) -> bool:
    return end - at == len(word) and begins(data, at, end, word)


@kernel
def _token(data: np.ndarray, at: int, end: int) -> tuple[int, int]:
    """The class at or behind `at`; both its ends are `end` where there is none."""
    while at < end and is_space(data[at]):
        at += 1
    behind = at
    while behind < end and not is_space(data[behind]):
        behind += 1
    return at, behind


@kernel
def named(data: np.ndarray, at: int, end: int) -> tuple[int, int]:
    """`at` and `end` of a language's name; (0, 0) for one that stands for none."""
    if at == end:
        return 0, 0
    for none in _NONE:
        if _is(data, at, end, none):
            return 0, 0
    return at, end


@kernel
def language_of(data: np.ndarray, start: int, end: int, figure: bool) -> tuple[int, int]:
    """Where the classes in `data[start:end]` name a language; (0, 0) where they do not. figure: whether they are a
    figure's, which Hexo writes as `highlight X`."""
    at, behind = _token(data, start, end)
    while at < behind:
        for prefix in (_LANGUAGE, _LANG, _SOURCE):
            if begins(data, at, behind, prefix) and behind - at > len(prefix):
                return named(data, at + len(prefix), behind)
        if begins(data, at, behind, _BRUSH):
            at += len(_BRUSH)
            if at == behind:
                at, behind = _token(data, at, end)
            stop = at
            while stop < behind and data[stop] != 59:
                stop += 1
            return named(data, at, stop)
        following, last = _token(data, behind, end)
        if _is(data, at, behind, _SOURCE_CODE):
            while begins(data, following, last, _NUMBER) or begins(data, following, last, _LINE):
                following, last = _token(data, last, end)
            return named(data, following, last)
        if figure and _is(data, at, behind, _HIGHLIGHT) and _token(data, last, end) == (end, end):
            return named(data, following, last)
        at, behind = following, last
    return 0, 0


@kernel
def are_numbers(text: np.ndarray, start: int, end: int) -> bool:
    """Whether there are digits and nothing else but white space and the signs that stand beside a line's number."""
    digits = False
    for at in range(start, end):
        byte = text[at]
        if 48 <= byte <= 57:
            digits = True
        elif byte > 32 and byte != 46 and byte != 58 and byte != 124:
            return False
    return digits


@kernel
def count_up(text: np.ndarray, start: int, end: int) -> bool:
    """Whether there are lines, two or more, each of which is a number and one more than the line before."""
    at, lines, before = start, 0, 0
    while at < end:
        while at < end and is_space(text[at]):
            at += 1
        number, begin = 0, at
        while at < end and at - begin < 9 and 48 <= text[at] <= 57:
            number = 10 * number + (text[at] - 48)
            at += 1
        while at < end and at > begin and (text[at] == 32 or text[at] == 9):
            at += 1
        if at == begin or (at < end and text[at] != 10) or (lines and number != before + 1):
            return False
        lines, before = lines + 1, number
    return lines > 1
