"""Documents that hold a piece of an evaluation set, by shared n-grams of words (Brown et al. 2020, arXiv 2005.14165,
appendix C, with 13 words).

Words are `pipeline.words.words`': case, punctuation and spacing do not count. In scripts without spaces a word is a
character, so each kind of script has its own length for as much content as n words: a Han or kana character weighs 1/2
of a word, a Thai, Lao, Khmer or Myanmar one 1/4, and an n-gram is what weighs n words or just more (13 words, 26
characters, 52 characters, or a mixture). By the same news sentences in 18 languages (NTREX) and the same encyclopedic
ones in 37 (SIB-200), an English word stands against 1.6 characters of Chinese, 2.4 of Japanese, 3.1 of Burmese, 3.8 of
Khmer and 4.1 to 4.4 of Thai; a spaced language takes 0.7 (Korean) to 1.4 (Vietnamese) words for one of English.

An item shorter than an n-gram is looked for as a whole where it weighs at least `MIN_WORDS`; shorter ones are counted
and left out, because people write them by themselves. So are n-grams with a letter in fewer than half of their words.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.kernels.arrow_text import from_strings, utf8
from pipeline.kernels.compiling import kernel
from pipeline.kernels.hash_table import HashTable, find, hash_table, may_have
from pipeline.lists import list_files
from pipeline.privacy import masks
from pipeline.privacy.repair import repair
from pipeline.store import storage
from pipeline.store.parquet_files import open_parquet
from pipeline.words.words import FIRST, HAS_LETTER, IS_SINGLE, Words, mix, words_of
from schemas.errors import UserError

MIN_WORDS = 8  # of an item that is looked for as a whole
EAST_ASIAN, SOUTH_EAST_ASIAN = 2, 4  # characters that weigh a word
MAX_NGRAM = 100

_BATCH = 4096  # items
_SOURCE = re.compile(r"(.*?\.(?:jsonl?|ndjson|parquet)(?:\.gz)?)#([^#/]+)", re.I | re.S)
_JSON_LINES = re.compile(r"\.(?:jsonl|ndjson)(?:\.gz)?$", re.I)
_JSON = re.compile(r"\.json(?:\.gz)?$", re.I)
_PARQUET = re.compile(r"\.parquet$", re.I)


class Source(NamedTuple):
    """An evaluation set: a name for reasons, a file or folder, and the fields that count (none: every string)."""

    name: str
    path: str
    fields: tuple[str, ...]


def source(given: str) -> Source:
    """Of `path` or `name=path`; behind a JSON or Parquet path `#question,answer` names fields."""
    fields: tuple[str, ...] = ()
    if (match := _SOURCE.fullmatch(given)) is not None:
        given, fields = match.group(1), tuple(field.strip() for field in match.group(2).split(","))
    name, path = list_files.named(given)
    return Source(name, path, fields)


def items(wanted: Source) -> Iterator[str]:
    """The texts of a file, or of all files below a folder in the order of their names.

    Text: each line is an item, each cell where there are tabs. JSON (.json, .jsonl, .ndjson): every string in it, keys
    left out, or those under `fields` at any depth. Parquet: every string of every column, or of the columns `fields`.
    UserError names the file, and the line where there is one.
    """
    inside = list_files.files(wanted.path)
    for path in [storage.join(wanted.path, name) for name in inside] or [wanted.path]:
        if _PARQUET.search(path):
            yield from _parquet_items(path, wanted.fields)
        elif _JSON_LINES.search(path):
            for number, line in enumerate(list_files.text(path).split("\n"), 1):
                if line.strip():
                    yield from _strings(_json(line, path, number), wanted.fields)
        elif _JSON.search(path):
            yield from _strings(_json(list_files.text(path), path, 1), wanted.fields)
        else:
            for line in list_files.text(path).split("\n"):
                yield from line.split("\t")


def _json(text: str, path: str, line: int) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise UserError(f"{path}: line {line} is nested too deeply; give the texts alone, a line each") from None
    except ValueError as error:
        at = line + getattr(error, "lineno", 1) - 1
        raise UserError(f"{path}: line {at} is not JSON: {error}; mend it, or name a text file") from None


def _parquet_items(path: str, fields: tuple[str, ...]) -> Iterator[str]:
    try:
        with open_parquet(path) as file:
            columns = file.schema_arrow.names
            if missing := sorted(set(fields) - set(columns)):
                raise UserError(f"{path}: no column {missing[0]}; it has {', '.join(columns)}")
            for batch in file.iter_batches(_BATCH, columns=list(fields) or None):
                for name, column in zip(batch.schema.names, batch.columns, strict=True):
                    for value in _values(column, f"{path}: column {name}"):
                        yield from _strings(value, ())
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: not readable as Parquet: {' '.join(str(error).split())[:200]}") from None


def _values(column: pa.Array, where: str) -> list[Any]:
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        raise UserError(f"{where} has text that is not UTF-8; write it again as UTF-8") from None


def _strings(value: Any, fields: tuple[str, ...]) -> Iterator[str]:
    """Every string in a JSON value, or only those under one of the fields; without recursion, in order."""
    waiting = [(value, not fields)]
    while waiting:
        node, wanted = waiting.pop()
        if isinstance(node, str):
            if wanted:
                yield node
        elif isinstance(node, dict):
            waiting.extend((inner, wanted or key in fields) for key, inner in reversed(node.items()))
        elif isinstance(node, (list, tuple)):
            waiting.extend((inner, wanted) for inner in reversed(node))


class Contamination:
    """N-grams of evaluation sets. Pickles to arrays: load once, then broadcast.

    sources: in the order in which they are named for a document that shares n-grams with several.
    n_items, n_ignored: items of each, and those of them too short (or without letters) to be told from chance.
    n_ngrams: all that are looked for.
    """

    def __init__(
        self, ngram_size: int, sources: list[str], grams: np.ndarray, owners: np.ndarray, heads: np.ndarray,
        short: np.ndarray, kinds: tuple[int, ...], n_items: list[int], n_ignored: list[int],
    ) -> None:  # fmt: skip
        self.ngram_size, self.sources, self.n_items, self.n_ignored = ngram_size, sources, n_items, n_ignored
        self.n_ngrams = len(grams)
        self._grams, self._heads = hash_table(grams, owners), hash_table(heads, np.zeros(len(heads), np.int64))
        self._short, self._kinds = short, np.array(kinds, np.int64)

    @classmethod
    def load(cls, sources: Iterable[str], ngram_size: int = 13, mask: Collection[str] = ()) -> "Contamination":
        """Reads every source (`source`, `items`). UserError for one that is missing, broken or without a usable item.

        Items are repaired (`pipeline.privacy.repair`), and the kinds `mask` of personal data in them masked
        (`pipeline.privacy.masks`) as in documents, so that both have the same words.
        """
        if not 1 <= ngram_size <= MAX_NGRAM:
            raise UserError(f"ngram_size is {ngram_size}; give 1 to {MAX_NGRAM} words, 13 is usual")
        names: list[str] = []
        n_items: list[int] = []
        n_ignored: list[int] = []
        grams: list[np.ndarray] = []
        owners: list[np.ndarray] = []
        heads: list[np.ndarray] = []
        short = np.zeros(SOUTH_EAST_ASIAN * MAX_NGRAM + 1, np.bool_)
        kinds: set[int] = set()
        for given in sources:
            wanted = source(given)
            texts, count, used = items(wanted), 0, 0
            while batch := list(islice(texts, _BATCH)):
                kept = [masks.mask(repair(text), mask).text for text in batch if text.strip()]
                ngrams = _ngrams_of(kept, ngram_size, short)
                count += ngrams.n_items
                used += ngrams.n_used
                grams.append(ngrams.grams)
                owners.append(np.full(len(ngrams.grams), len(names), np.int64))
                heads.append(ngrams.heads)
                kinds.update(ngrams.kinds)
            if not used:
                raise UserError(
                    f"{wanted.path}: none of {count} items has {min(MIN_WORDS, ngram_size)} words or more; "
                    f"check the file{' and its fields' if wanted.fields else ''}"
                )
            names.append(wanted.name)
            n_items.append(count)
            n_ignored.append(count - used)
        every = np.concatenate([np.empty(0, np.uint64), *grams])
        distinct, first = np.unique(every, return_index=True)
        owned = np.concatenate([np.empty(0, np.int64), *owners])[first]
        begun = np.unique(np.concatenate([np.empty(0, np.uint64), *heads]))
        return cls(ngram_size, names, distinct, owned, begun, short, tuple(sorted(kinds)) or (EAST_ASIAN,),
                   n_items, n_ignored)  # fmt: skip

    def flag(self, words: Words) -> list[str | None]:
        """By document the first source that shares an n-gram or a whole short item with it, None without one."""
        indices = _flag(words.offsets, words.hashes, words.flags, self.ngram_size, min(MIN_WORDS, self.ngram_size),
                        self._kinds, self._heads, self._grams, self._short)  # fmt: skip
        return [None if index < 0 else self.sources[index] for index in indices.tolist()]

    def summary(self) -> list[str]:
        """A line a source, for the log."""
        least = min(MIN_WORDS, self.ngram_size)
        return [
            f"decontaminate: {name}: {count - ignored:,} items in n-grams of {self.ngram_size} words"
            + (f"; {ignored:,} shorter than {least} words are ignored" if ignored else "")
            for name, count, ignored in zip(self.sources, self.n_items, self.n_ignored, strict=True)
        ]


class _Ngrams(NamedTuple):
    grams: np.ndarray
    heads: np.ndarray
    kinds: set[int]
    n_items: int
    n_used: int


def _ngrams_of(texts: list[str], ngram_size: int, short: np.ndarray) -> _Ngrams:
    array = from_strings(texts)
    words = words_of(array)
    data, places = utf8(array)
    # By the first byte of its UTF-8 a character of an unspaced script is Thai or Lao (E0), Khmer or Myanmar (E1, EA),
    # or else Han or kana.
    counts = np.diff(words.offsets)
    single = (words.flags & IS_SINGLE) != 0
    first = data[words.starts + np.repeat(places[:-1], counts)] if len(words.starts) else np.empty(0, np.uint8)
    southern = single & ((first == 0xE0) | (first == 0xE1) | (first == 0xEA))
    total = np.concatenate(([0], np.cumsum(single)))
    south = np.concatenate(([0], np.cumsum(southern)))
    of_item, of_south = (part[words.offsets[1:]] - part[words.offsets[:-1]] for part in (total, south))
    kinds = np.where(2 * of_south > of_item, SOUTH_EAST_ASIAN, EAST_ASIAN)
    grams, heads, used = _collect(
        words.offsets, words.hashes, words.flags, kinds, ngram_size, min(MIN_WORDS, ngram_size), short
    )
    return _Ngrams(grams, heads, set(kinds[of_item > 0].tolist()), len(texts), used)


LENGTH = np.uint64(0x9E3779B97F4A7C15)


# A run of words is hashed as a polynomial of their hashes: a word behind it multiplies and adds, one in front is taken
# off by the power of its place. All windows of a text cost a few operations a word.
@kernel
def _close(polynomial: np.uint64, length: int) -> np.uint64:
    return mix(polynomial + np.uint64(length) * LENGTH)


@kernel
def _weight(flag: int, kind: int) -> int:
    """Of a word, in characters of the kind."""
    return 1 if flag & IS_SINGLE else kind


@kernel
def _collect(
    offsets: np.ndarray, hashes: np.ndarray, flags: np.ndarray, kinds: np.ndarray, size: int, least: int,
    short: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, int]:  # fmt: skip
    """N-grams of items, the windows of `least` words that they begin with, and how many items gave any. `short` gets
    the lengths of items taken as a whole."""
    grams, heads = np.empty(len(hashes), np.uint64), np.empty(len(hashes), np.uint64)
    count = used = 0
    for item in range(len(offsets) - 1):
        begin, end, kind = offsets[item], offsets[item + 1], kinds[item]
        before = count
        for start in range(begin, end):
            polynomial, head, weight, letters, at = np.uint64(0), np.uint64(0), 0, 0, start
            while at < end and weight < size * kind:
                polynomial = polynomial * FIRST + hashes[at]
                weight_before = weight
                weight += _weight(flags[at], kind)
                letters += (flags[at] & HAS_LETTER) != 0
                at += 1
                if weight_before < least * kind <= weight:
                    head = _close(polynomial, at - start)
            whole = start == begin and at == end and weight >= least * kind
            if weight < size * kind and not whole:
                break  # nor does what begins later weigh enough
            if 2 * letters >= at - start:
                if weight < size * kind:
                    short[at - start] = True
                heads[count], grams[count] = head, _close(polynomial, at - start)
                count += 1
        used += count > before
    return grams[:count], heads[:count], used


@kernel
def _flag(
    offsets: np.ndarray, hashes: np.ndarray, flags: np.ndarray, size: int, least: int, kinds: np.ndarray,
    heads: HashTable, grams: HashTable, short: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """The least value among the n-grams of each text, int64 of shape (n_texts,), -1 without one."""
    lowest = np.full(len(offsets) - 1, -1, np.int64)
    powers = np.ones(least * SOUTH_EAST_ASIAN + 1, np.uint64)
    for exponent in range(1, len(powers)):
        powers[exponent] = powers[exponent - 1] * FIRST
    room = 0
    for text in range(len(offsets) - 1):
        room = max(room, offsets[text + 1] - offsets[text])
    windows = np.empty(room, np.uint64)
    for text in range(len(offsets) - 1):
        begin, end = offsets[text], offsets[text + 1]
        for kind in kinds:
            # All windows first, then all questions: the processor fetches many answers at a time.
            polynomial, weight, at, count, single = np.uint64(0), 0, begin, 0, False
            for start in range(begin, end):
                while at < end and weight < least * kind:
                    polynomial = polynomial * FIRST + hashes[at]
                    weight += _weight(flags[at], kind)
                    single |= (flags[at] & IS_SINGLE) != 0
                    at += 1
                if weight < least * kind:
                    break
                windows[count] = _close(polynomial, at - start)
                count += 1
                polynomial -= hashes[start] * powers[at - start - 1]
                weight -= _weight(flags[start], kind)
            candidates = 0
            for place in range(count):
                window = windows[place]
                windows[candidates] = np.uint64(place)  # behind what is still to be asked
                candidates += may_have(window, heads.seen)
            for candidate in range(candidates):
                start = begin + np.int64(windows[candidate])
                value = _longest(start, end, hashes, flags, size, least, kind, heads, grams, short)
                if value >= 0 and (lowest[text] < 0 or value < lowest[text]):
                    lowest[text] = value
                    if value == 0:
                        break
            if not single or lowest[text] == 0:
                break  # without unspaced scripts all kinds are one
    return lowest


@kernel
def _longest(
    start: int, end: int, hashes: np.ndarray, flags: np.ndarray, size: int, least: int, kind: int, heads: HashTable,
    grams: HashTable, short: np.ndarray,
) -> int:  # fmt: skip
    """The least value of the n-gram and of the whole items that begin at `start`, -1 without one."""
    polynomial, weight, known, lowest = np.uint64(0), 0, False, -1
    for at in range(start, end):
        polynomial = polynomial * FIRST + hashes[at]
        weight += _weight(flags[at], kind)
        if weight < least * kind:
            continue
        closed = _close(polynomial, at + 1 - start)
        if not known and find(closed, heads) < 0:
            return -1
        known = True
        full = weight >= size * kind
        if full or short[at + 1 - start]:
            value = find(closed, grams)
            if value >= 0 and (lowest < 0 or value < lowest):
                lowest = value
        if full:
            break
    return lowest
