"""Which tokens of a text are pieces of one word, by its characters alone, whatever tokenizer cut it."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_BLANK = r"\s\u200b\ufeff"
# Scripts that write no space between words: Thai, Lao, Tibetan, Myanmar, Khmer, the Tai scripts, Balinese and Javanese,
# Yi, kana, bopomofo, Han (its marks of repetition among it), and the Han-like scripts beyond the first plane.
_UNSPACED = (
    r"\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\u1b00-\u1b7f\ua980-\ua9ff\uaa60-\uaadf"
    r"\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u303b\u3041-\u30ff\u3105-\u312f\u31a0-\u31bf\u31f0-\u31ff"
    r"\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uf900-\ufaff\uff66-\uff9f\U00016f00-\U0001b2ff\U00020000-\U000323af"
)
_UNIT = re.compile(rf"([{_BLANK}]*)(?:([{_UNSPACED}])|[^{_BLANK}{_UNSPACED}]+|$)")


def word_numbers(text: str, offsets: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """Of each token the number of its word, from 0, rising: int64 [tokens].

    offsets: the characters (first, behind the last) of each token in the text. A word is a run of characters without
    blanks, with the blanks before it, its punctuation included. In scripts that write no space between words (Han,
    kana, Thai, Khmer ...) a character is a unit of its own. Tokens that have a part of one unit are pieces of one word:
    there a token stands alone, while the bytes of one character belong together; one token over several words makes
    these one. A token without characters, such as a lone mark of a word's beginning, belongs to the token behind it.
    """
    units, blank = _units(text)
    numbers = np.zeros(len(offsets), np.int64)
    word, reach = -1, -1  # the last unit that the present word has
    waiting = 0  # tokens without characters before this one
    for place, (begin, end) in enumerate(offsets):
        if end <= begin:
            waiting += 1
            continue
        seen = np.flatnonzero(~blank[begin:end]) + begin
        first, last = (int(units[seen[0]]), int(units[seen[-1]])) if len(seen) else (int(units[end - 1]),) * 2
        word += first > reach
        reach = max(reach, last)
        numbers[place - waiting : place + 1] = word
        waiting = 0
    if waiting:
        numbers[len(offsets) - waiting :] = max(word, 0)
    return numbers


def word_ends(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of each token the place behind the last token of its word, of rising numbers: int64 [tokens]."""
    return np.searchsorted(numbers, numbers, side="right")


def _units(text: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Of each character the number of its unit, and whether it is blank."""
    units, blank = np.zeros(len(text), np.int64), np.zeros(len(text), np.bool_)
    number = 0
    for found in _UNIT.finditer(text):
        begin, end = found.span()
        inner = found.end(1)
        blank[begin:inner] = True
        units[begin:end] = number
        if found[2] is not None and inner > begin:  # blanks belong to no word here
            number += 1
            units[inner:end] = number
        number += 1
    return units, blank
