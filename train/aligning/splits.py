"""What is learnt from, what chooses and what judges: lines and entries of dictionaries, divided by hash."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from schemas.errors import UserError
from train.benchmarks.aligned import read_aligned
from train.benchmarks.dictionaries import read_dictionary, sides_of
from train.benchmarks.languages import same_language
from train.corpus.hashing import hash_id

HELD_OUT, DEVELOPMENT = 500, 250  # at most, of lines; MUSE's dictionaries have 1,500 words to be tested by
TESTED, CHOOSING = 1500, 500
FEWEST = 8
Entries = dict[str, set[str]]
"""Words of the pivot, each with what it may be in another language."""


@dataclass(frozen=True)
class Split:
    """Numbers, int64, ascending; no two share a text of the pivot."""

    learnt: NDArray[np.int64]
    development: NDArray[np.int64]
    held_out: NDArray[np.int64]


@dataclass(frozen=True)
class Lines:
    """texts: by language, the pivot among them, line i of all the same."""

    texts: Mapping[str, list[str]]
    split: Split


@dataclass(frozen=True)
class Dictionary:
    """Of one language with the pivot. rest: what is known of held-out words too, so that no right answer counts as
    wrong."""

    learnt: Entries
    development: Entries
    held_out: Entries

    @property
    def everything(self) -> Entries:
        return merged([self.learnt, self.development, self.held_out])


def split_of(keys: Sequence[str], held_out: int, development: int) -> Split:
    """At most so many, an eighth and a quarter of the keys at most, those of the lowest hashes; equal keys lie on the
    same side."""
    hashes = np.array([hash_id(key) for key in keys], np.uint64)
    _, place = np.unique(hashes, return_inverse=True)  # in the order of the hashes
    count = int(place.max()) + 1
    first = min(held_out, count // 4)
    second = first + min(development, count // 8)
    return Split(
        np.flatnonzero(place >= second),
        np.flatnonzero((place >= first) & (place < second)),
        np.flatnonzero(place < first),
    )


def read_lines(folder: Path, pivot: str, wanted: Sequence[str]) -> Lines:
    """Of `<language>.txt[.gz]`. wanted: languages beside the pivot, all where none is named. UserError as
    `read_aligned` says, where the pivot, a wanted language or any other is not there, and for too few lines."""
    there = read_aligned(folder)
    centre = _named(pivot, there, "--pivot", folder)
    chosen = [_named(one, there, "--languages", folder) for one in wanted] or list(there)
    others = [one for one in dict.fromkeys(chosen) if one != centre]
    if not others:
        raise UserError(f"--languages names the pivot {centre} alone: name another of {', '.join(sorted(there))}")
    split = split_of(there[centre], HELD_OUT, DEVELOPMENT)
    if min(map(len, (split.learnt, split.development, split.held_out))) == 0:
        raise UserError(f"{folder} has {len(set(there[centre]))} different lines: {FEWEST} at least are needed")
    return Lines({one: there[one] for one in (centre, *others)}, split)


def read_dictionaries(files: Sequence[Path], pivot: str) -> dict[str, Entries]:
    """By language beside the pivot. UserError where a name tells no languages, none of them is the pivot, or both
    are."""
    found = dict[str, list[Entries]]()
    for path in files:
        sides = sides_of(path)
        ours = [same_language(side, pivot) for side in sides]
        if sum(ours) != 1:
            raise UserError(f"{path} is of {sides[0]} and {sides[1]}: one of them has to be the pivot, --pivot {pivot}")
        entries = dict(read_dictionary(path))
        language = sides[1] if ours[0] else sides[0]
        name = next((one for one in found if same_language(one, language)), language)
        found.setdefault(name, []).append(entries if ours[0] else turned(entries))
    return {language: merged(every) for language, every in sorted(found.items())}


def divided(entries: Entries, test: Entries | None) -> Dictionary:
    """test: a dictionary to judge by; what it has of the pivot's words is learnt no more. None: a part is held out."""
    words = list(entries)
    if test is None:
        split = split_of([word.casefold() for word in words], TESTED, CHOOSING)
        held_out = {words[one]: entries[words[one]] for one in split.held_out.tolist()}
    else:
        tested = {word.casefold() for word in test}
        words = [word for word in words if word.casefold() not in tested]
        split = split_of([word.casefold() for word in words], 0, CHOOSING) if words else _none()
        held_out = test
    learnt, development = (
        {words[one]: entries[words[one]] for one in part.tolist()} for part in (split.learnt, split.development)
    )
    return Dictionary(learnt, development, held_out)


def merged(every: Iterable[Entries]) -> Entries:
    found: Entries = {}
    for entries in every:
        for word, others in entries.items():
            found.setdefault(word, set()).update(others)
    return found


def turned(entries: Entries) -> Entries:
    """The other way round."""
    found: Entries = {}
    for word, others in entries.items():
        for other in sorted(others):
            found.setdefault(other, set()).add(word)
    return found


def _named(language: str, there: Mapping[str, object], flag: str, where: Path) -> str:
    if language in there:
        return language
    same = [one for one in there if same_language(one, language)]
    if len(same) != 1:
        raise UserError(f"{flag} {language}: {where} has no such file; there are {', '.join(sorted(there))}")
    return same[0]


def _none() -> Split:
    return Split(*(np.empty(0, np.int64) for _ in range(3)))
