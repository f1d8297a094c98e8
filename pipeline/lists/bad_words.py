"""Words and phrases that the user's lists call bad, counted in texts of the list's language.

A list is a folder with a file a language, called by its ISO 639-1 or 639-3 code (`de`, `deu.txt`, `zh.txt.gz`; the
layout of https://github.com/LDNOOBW/List-of-Dirty-Naughty-Obscene-and-Otherwise-Bad-Words), a phrase a line; one such
file; or a file of `language<TAB>phrase` lines. Lines that begin with `# ` are comments. Many words have two or three
letters, so a file is called by a language only where we know the code; in a folder one such file vouches for the others
(LDNOOBW has Klingon), and in a table every code is taken.

Phrases are sequences of whole words as `pipeline.words.words` has them, so case and punctuation do not count and `ass`
is in neither `assess` nor `Scunthorpe`; nor is it in its own plural, which a list must name. In scripts without spaces
a word is a character. There a phrase is found inside a longer word too, so single characters are left out, and the
characters must stand side by side as they do in the list. Phrases of more than `MAX_WORDS` words are left out.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache

import numpy as np
import pyarrow as pa

from pipeline.kernels.arrow_text import from_strings
from pipeline.kernels.compiling import kernel
from pipeline.kernels.hash_table import HashTable, find, hash_table, may_have
from pipeline.language import evidence
from pipeline.language.labels import ISO_639_3, LANGUAGES, OTHER_CODES
from pipeline.lists import list_files
from pipeline.privacy.repair import repair
from pipeline.store import storage
from pipeline.words.words import FIRST, IS_SINGLE, Words, mix, words_of
from schemas.errors import UserError

MAX_WORDS = 32  # in an unspaced script, a sentence

_FILE = re.compile(r"(?:.*/)?([a-z]{2,3})(?:[-_][\w-]+)?(?:\.(?:txt|lst|list))?(?:\.gz)?")
_TABLE_LINE = re.compile(r"([A-Za-z]{2,3})\t(.+)", re.S)
BESIDE = np.uint64(0xD6E8FEB86659FD93)  # says that a character stands right behind the one before it


class BadWords:
    """Lists of bad words, a language at a time. Pickles to arrays: load once, then broadcast.

    paths: files or folders, added up. UserError for what is missing, not UTF-8, names no language or has no phrase.
    n_phrases: by language, ISO 639-3.  n_ignored: entries that no text can be tested for.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        phrases: dict[str, dict[str, None]] = {}
        for path in paths:
            for language, phrase in _entries(path):
                phrases.setdefault(language, {})[repair(phrase)] = None
        self.languages = sorted(phrases)
        listed = [(index, phrase) for index, language in enumerate(self.languages) for phrase in phrases[language]]
        words = words_of(from_strings(phrase for _, phrase in listed))
        owners = np.array([index for index, _ in listed], np.int64)
        firsts, lengths, keys = _phrase_keys(words.offsets, words.starts, words.ends, words.hashes, words.flags, owners)
        usable = lengths > 0
        distinct, inverse = np.unique(firsts[usable], return_inverse=True)
        length_bits = np.zeros(len(distinct), np.int64)
        np.bitwise_or.at(length_bits, inverse, np.int64(1) << (lengths[usable] - 1))
        self._firsts = hash_table(distinct, length_bits)
        kept = np.unique(keys[usable])
        self._phrases = hash_table(kept, np.zeros(len(kept), np.int64))
        self.n_ignored = int((~usable).sum())
        counts = np.bincount(owners[usable], minlength=len(self.languages)).tolist()
        self.n_phrases = dict(zip(self.languages, counts, strict=True))

    def count(self, words: Words, languages: pa.Array | Iterable[str | None]) -> pa.Array:
        """Hits by document, int32: the longest phrase at each place, reading on behind it; null where the document's
        language, ISO 639-3, has no list."""
        given = languages.to_pylist() if isinstance(languages, (pa.Array, pa.ChunkedArray)) else list(languages)
        number = {language: index for index, language in enumerate(self.languages)}
        owners = np.fromiter((number.get(language or "", -1) for language in given), np.int64, len(given))
        hits = _count(words.offsets, words.starts, words.ends, words.hashes, words.flags, owners, self._firsts,
                      self._phrases)  # fmt: skip
        return pa.array(hits, pa.int32(), mask=owners < 0)

    def summary(self) -> list[str]:
        """A line for the log."""
        total = sum(self.n_phrases.values())
        left_out = f"; {self.n_ignored:,} are left out: no words, one character, or too long" if self.n_ignored else ""
        by_language = ", ".join(f"{language} {count:,}" for language, count in self.n_phrases.items())
        return [f"bad words: {total:,} phrases: {by_language}{left_out}"] if self.languages else []


def code(name: str) -> str:
    """ISO 639-3 of a list's ISO 639-1 or 639-3 code."""
    lower = name.lower()
    known = ISO_639_3.get(lower) if len(lower) == 2 else None
    return known or OTHER_CODES.get(lower, lower)


@cache
def _known() -> frozenset[str]:
    """ISO 639-3 codes that the embedded model or our lists of words have."""
    return LANGUAGES | evidence.load(evidence.SHIPPED).keys()


def _entries(path: str) -> Iterator[tuple[str, str]]:
    inside = list_files.files(path)
    if not inside:
        match = _FILE.fullmatch(path.replace("\\", "/"))
        if match is None or _is_table(path):
            yield from _table(path)
        elif (language := code(match.group(1))) in _known():
            yield from _lines(path, language)
        else:
            raise UserError(
                f"{path}: there is no language {language!r}; call the file by its language, such as eng.txt, or write "
                "`language<TAB>phrase` lines"
            )
        return
    language_files = [
        (name, code(match.group(1))) for name in inside if "/" not in name and (match := _FILE.fullmatch(name))
    ]
    if _known().isdisjoint(language for _, language in language_files):
        raise UserError(f"{path}: no file called by a language in this folder, such as en, deu.txt or zh.txt.gz")
    for name, language in language_files:
        yield from _lines(storage.join(path, name), language)


def _is_table(path: str) -> bool:
    return "\t" in list_files.text(path)


def _phrases(path: str) -> list[tuple[int, str]]:
    """With the numbers of their lines."""
    lines = enumerate(list_files.text(path).split("\n"), 1)
    phrases = [(number, line.strip()) for number, line in lines if line.strip() and not line.startswith("# ")]
    if not phrases:
        raise UserError(f"{path}: no phrase in this list; write one a line, or leave the file out")
    return phrases


def _lines(path: str, language: str) -> Iterator[tuple[str, str]]:
    for _, line in _phrases(path):
        yield language, line


def _table(path: str) -> Iterator[tuple[str, str]]:
    for number, line in _phrases(path):
        match = _TABLE_LINE.fullmatch(line)
        if match is None:
            raise UserError(
                f"{path}: line {number} is not `language<TAB>phrase`; write it so, or call the file by its language, "
                "such as deu.txt"
            )
        yield code(match.group(1)), match.group(2)


@kernel
def _beside(place: int, begin: int, starts: np.ndarray, ends: np.ndarray, flags: np.ndarray) -> bool:
    """Whether a character of an unspaced script follows another without a gap."""
    return place > begin and (flags[place] & flags[place - 1] & IS_SINGLE) != 0 and starts[place] == ends[place - 1]


@kernel
def _add(state: np.uint64, word: np.uint64, beside: bool) -> np.uint64:
    return mix((state ^ (word + (BESIDE if beside else np.uint64(0)))) * FIRST)


@kernel
def _begin(owner: int) -> np.uint64:
    """Of the phrases of a language."""
    return mix(np.uint64(owner + 1))


@kernel
def _phrase_keys(
    offsets: np.ndarray, starts: np.ndarray, ends: np.ndarray, hashes: np.ndarray, flags: np.ndarray,
    owners: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """By phrase: the key of its first word, its length in words (0: left out), its own key."""
    n_phrases = len(offsets) - 1
    firsts, keys = np.zeros(n_phrases, np.uint64), np.zeros(n_phrases, np.uint64)
    lengths = np.zeros(n_phrases, np.int64)
    for phrase in range(n_phrases):
        begin, end = offsets[phrase], offsets[phrase + 1]
        if end == begin or end - begin > MAX_WORDS or (end - begin == 1 and (flags[begin] & IS_SINGLE) != 0):
            continue
        state = _begin(owners[phrase])
        for place in range(begin, end):
            state = _add(state, hashes[place], _beside(place, begin, starts, ends, flags))
            if place == begin:
                firsts[phrase] = state
        lengths[phrase], keys[phrase] = end - begin, state
    return firsts, lengths, keys


@kernel
def _count(
    offsets: np.ndarray, starts: np.ndarray, ends: np.ndarray, hashes: np.ndarray, flags: np.ndarray,
    owners: np.ndarray, firsts: HashTable, phrases: HashTable,
) -> np.ndarray:  # fmt: skip
    hits = np.zeros(len(offsets) - 1, np.int32)
    for text in range(len(offsets) - 1):
        if owners[text] < 0:
            continue
        seed = _begin(owners[text])
        place, end = offsets[text], offsets[text + 1]
        while place < end:
            state = _add(seed, hashes[place], False)
            lengths = find(state, firsts) if may_have(state, firsts.seen) else -1
            longest = 0
            if lengths >= 0:
                for length in range(1, min(MAX_WORDS, end - place) + 1):
                    if length > 1:
                        last = place + length - 1
                        state = _add(state, hashes[last], _beside(last, place, starts, ends, flags))
                    if (lengths >> (length - 1)) & 1 and find(state, phrases) >= 0:
                        longest = length
                    if lengths >> length == 0:
                        break
            hits[text] += longest > 0
            place += max(1, longest)
    return hits
