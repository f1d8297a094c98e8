"""Chooses the stop words of a language from trusted texts.

FineWeb-2 (Penedo et al. 2025, arXiv 2506.20920, 4.4.1) takes the words above a share of all words of a cleaned
Wikipedia. A word that fills few texts is frequent too, so here a word counts once a window of WINDOW words, its share
is the mean over sources (sites, collections), and most sources of some size must have it. Scripts without spaces and
without function characters (Thai, Lao, Khmer, Myanmar, where a word is one letter) get none.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import regex

from pipeline.words.words import words

WINDOW = 50  # words, Gopher's shortest document: what follows then says how often it has a stop word
WINDOWS_A_TEXT = 8  # of a long text, spread evenly
MIN_WINDOWS = 20  # of a language; fewer say nothing
SOURCE_WINDOWS = 200  # a source weighs by its windows, up to this
KNOWN_SOURCE = 40  # windows from which on a source must have the word
MIN_SHARE = 0.10  # of windows, mean of sources
LOWEST_SHARE, HITS_A_WINDOW = 0.02, 8.0  # rarer words join until a window has so many stop words, in the mean
MIN_SOURCE_SHARE = 0.01
MOST_STOP_WORDS, FEWEST_STOP_WORDS = 60, 8
WITHOUT_STOP_WORDS = frozenset({"Thai", "Laoo", "Khmr", "Mymr"})
# Japanese writes its grammar in hiragana; katakana and Han characters spell names and things.
_NOT_GRAMMAR = {"Jpan": regex.compile(r"\P{scx=Hira}|ー")}


class Source(NamedTuple):
    """Windows of one source, and in how many of them each word occurs."""

    windows: int
    counts: Counter[str]


def windows(texts: Iterable[str]) -> Iterator[list[str]]:
    """Runs of WINDOW words: of a long text up to WINDOWS_A_TEXT of them, short texts end to end."""
    rest: list[str] = []
    for text in texts:
        found = words(text)
        whole = len(found) // WINDOW
        if not whole:
            rest += found
            if len(rest) >= WINDOW:
                yield rest[:WINDOW]
                rest = []
            continue
        chosen = min(whole, WINDOWS_A_TEXT)
        for i in range(chosen):
            start = (len(found) - WINDOW) * i // max(1, chosen - 1)
            yield found[start : start + WINDOW]


def count_windows(texts: Iterable[tuple[str, str]]) -> dict[str, Source]:
    """Of pairs of source and text, in order: the windows of each source."""
    by_source: dict[str, list[str]] = defaultdict(list)
    for source, text in texts:
        by_source[source].append(text)
    found = {}
    for source in sorted(by_source):
        counts: Counter[str] = Counter()
        n = 0
        for window in windows(by_source[source]):
            n += 1
            counts.update({word for word in window if _is_word(word)})
        found[source] = Source(n, counts)
    return found


def _is_word(word: str) -> bool:
    """Letters and their marks, no digit: no number, no list mark."""
    return any(map(str.isalpha, word)) and not any(map(str.isnumeric, word))


def choose_stop_words(sources: Mapping[str, Source], script: str) -> tuple[str, ...]:
    """The stop words, commonest first; none where there are too few windows or too few such words.

    share(w) = sum over sources of weight x share of its windows with w, weight ~ min(windows, SOURCE_WINDOWS).
    """
    if script in WITHOUT_STOP_WORDS or sum(one.windows for one in sources.values()) < MIN_WINDOWS:
        return ()
    weights = {name: min(one.windows, SOURCE_WINDOWS) for name, one in sources.items() if one.windows}
    known = [name for name in weights if sources[name].windows >= KNOWN_SOURCE]
    total = sum(weights.values())
    shares: dict[str, float] = {}
    no_grammar = _NOT_GRAMMAR.get(script)
    for word in sorted(set(itertools.chain.from_iterable(one.counts for one in sources.values()))):
        if no_grammar and no_grammar.search(word):
            continue
        parts = {name: sources[name].counts[word] / sources[name].windows for name in weights}
        missing = sum(parts[name] < MIN_SOURCE_SHARE for name in known)
        if 3 * missing <= len(known):  # none of two, one of three
            shares[word] = sum(weights[name] * share for name, share in parts.items()) / total
    common = sorted((w for w in shares if shares[w] >= LOWEST_SHARE), key=lambda word: (-round(shares[word], 9), word))
    expected = itertools.accumulate((shares[word] for word in common), initial=0.0)
    chosen = [w for w, hits in zip(common, expected, strict=False) if shares[w] >= MIN_SHARE or hits < HITS_A_WINDOW]
    chosen = chosen[:MOST_STOP_WORDS]
    return tuple(chosen) if len(chosen) >= FEWEST_STOP_WORDS else ()
