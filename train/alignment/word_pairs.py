"""Dictionaries of words become pairs of numbers, which self-learning begins from."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class KnownPairs(NamedTuple):
    """pairs: int64 [pairs, 2], numbers of the words, by the first, then the second, each once. unknown: how many pairs
    of the dictionary have a word that a side does not know."""

    pairs: NDArray[np.int64]
    unknown: int


def identical_strings(first: Sequence[str], second: Sequence[str]) -> NDArray[np.int64]:
    """int64 [pairs, 2], by the first: words that both sides write the same, a dictionary at no cost (Artetxe et al.
    2017, section 4; MUSE's `identical_char`), compared as they are, upper and lower case. A word that a side lists
    twice is its first.

    Lists that went by other forms of Unicode have other strings: bring both to one. ValueError where there is none."""
    known_first, known_second = _numbers(first), _numbers(second)
    pairs = [(number, known_second[word]) for word, number in known_first.items() if word in known_second]
    if not pairs:
        raise ValueError("no word is written the same on both sides: give a dictionary")
    return np.array(sorted(pairs), np.int64)


def known_pairs(
    dictionary: Iterable[tuple[str, Iterable[str]]], first: Sequence[str], second: Sequence[str]
) -> KnownPairs:
    """Of (source, its targets), those of which both sides know the word as the dictionary writes it, or, where it does
    not, in lower case, as MUSE has all its words. ValueError where there is none."""
    known_first, known_second = _numbers(first), _numbers(second)
    pairs, unknown = set[tuple[int, int]](), 0
    for source, targets in dictionary:
        number = _found(source, known_first)
        for target in targets:
            other = _found(target, known_second)
            if number is None or other is None:
                unknown += 1
            else:
                pairs.add((number, other))
    if not pairs:
        raise ValueError(f"none of {unknown} pairs of the dictionary has two known words")
    return KnownPairs(np.array(sorted(pairs), np.int64), unknown)


def _numbers(words: Sequence[str]) -> dict[str, int]:
    found = dict[str, int]()
    for number, word in enumerate(words):
        found.setdefault(word, number)
    return found


def _found(word: str, known: dict[str, int]) -> int | None:
    return known.get(word, known.get(word.lower()))
