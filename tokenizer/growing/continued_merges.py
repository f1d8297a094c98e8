"""Byte-pair encoding that goes on where a vocabulary ended: the pairs of its pieces that stand side by side most often
in new text become pieces (Sennrich et al. 2016, arXiv 1508.07909), its own merges first.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import regex

from tokenizer.model import SPACE

_WORD = regex.compile(r" +[^ ]*|[^ ]+")
_MARKS = regex.compile(r"[\p{M}\u200c\u200d]")
_CJK = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}ー]")
_DIGIT = regex.compile(r"\p{N}")


def continued_merges(
    sentences: Iterable[str], encode: Callable[[list[str]], list[list[str]]], known: Sequence[str], added: int
) -> list[str]:
    """Up to `added` new pieces, first ones first. encode: texts to pieces of the vocabulary; known: these.

    As SentencePiece has it, no piece crosses a space, a digit or a script. Ties go to the pair that comes first in the
    alphabet.
    """
    counts: Counter[str] = Counter()
    for sentence in sentences:
        counts.update(_WORD.findall(sentence))
    words = sorted(counts)
    parts = encode(words)
    weights = [counts[word] for word in words]
    pairs: Counter[tuple[str, str]] = Counter()
    where: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for number, pieces in enumerate(parts):
        for pair in pairwise(pieces):
            pairs[pair] += weights[number]
            where[pair].add(number)
    held, found = set(known), list[str]()
    heap = [(-count, pair) for pair, count in pairs.items() if _joins(*pair)]
    heapq.heapify(heap)
    while heap and len(found) < added:
        negative, pair = heapq.heappop(heap)
        count = pairs.get(pair, 0)
        if count != -negative:  # an entry of before
            if count > 1:
                heapq.heappush(heap, (-count, pair))
            continue
        if count < 2:
            break
        piece = pair[0] + pair[1]
        if piece not in held:
            held.add(piece)
            found.append(piece)
        for number in sorted(where.pop(pair)):
            _merge(parts, number, pair, weights[number], pairs, where, heap)
        pairs.pop(pair, None)
    return found


def _merge(
    parts: list[list[str]],
    number: int,
    pair: tuple[str, str],
    weight: int,
    pairs: Counter[tuple[str, str]],
    where: defaultdict[tuple[str, str], set[int]],
    heap: list[tuple[int, tuple[str, str]]],
) -> None:
    before, after = parts[number], []
    place = 0
    while place < len(before):
        if place + 1 < len(before) and (before[place], before[place + 1]) == pair:
            after.append(pair[0] + pair[1])
            place += 2
        else:
            after.append(before[place])
            place += 1
    for old in pairwise(before):
        pairs[old] -= weight
    parts[number] = after
    for new in pairwise(after):
        pairs[new] += weight
        where[new].add(number)
        if pair[0] + pair[1] in new and _joins(*new):
            heapq.heappush(heap, (-pairs[new], new))


def _joins(left: str, right: str) -> bool:
    if right.startswith(SPACE) and left.strip(SPACE):
        return False
    text = (left + right).lstrip(SPACE)
    if _DIGIT.search(text):
        return False
    return len({_script(character) for character in text if not _MARKS.match(character)}) <= 1


def _script(character: str) -> str:
    if _CJK.match(character):
        return "Hani"
    for code, pattern in _SCRIPTS:
        if pattern.match(character):
            return code
    return "Zyyy"


_NAMES = (
    "Latin Cyrillic Greek Armenian Georgian Hebrew Arabic Syriac Thaana Nko Ethiopic Tifinagh Devanagari Bengali "
    "Gurmukhi Gujarati Oriya Tamil Telugu Kannada Malayalam Sinhala Thai Lao Khmer Myanmar Tibetan Bopomofo Hangul "
    "Mongolian Cherokee Canadian_Aboriginal Ol_Chiki Meetei_Mayek Vai Javanese Balinese Sundanese"
)
_SCRIPTS = tuple((name, regex.compile(rf"\p{{Script={name}}}")) for name in _NAMES.split())
