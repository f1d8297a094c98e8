"""Families of texts with planted near-duplicates, and the exact Jaccard similarity of their pairs.

Similarity is that of the sets of SHINGLE consecutive words, kept as tuples of the words' numbers: it shares no line
with the code that it judges. Texts are their words' ranks in one language's vocabulary (see `bench.zipf_texts`).
"""

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np

from schemas.errors import UserError

SHINGLE = 5
SIZES, SIZE_SHARES = (2, 3, 4, 5, 6), (0.7, 0.15, 0.08, 0.04, 0.03)
EXACT_SHARE = 0.15  # of the copies; the others get a similarity between LOWEST and HIGHEST
LOWEST, HIGHEST = 0.3, 0.95
# An edit of one word in the middle of nowhere: shingles that it takes away, and that it adds.
EDITS = {"replace": (SHINGLE, SHINGLE), "insert": (SHINGLE - 1, SHINGLE), "delete": (SHINGLE, SHINGLE - 1)}

Shingles = set[tuple[int, ...]]
Draw = Callable[[int], np.ndarray]  # ranks of that many fresh words


class Pair(NamedTuple):
    """Of documents by their numbers."""

    a: int
    b: int
    jaccard: float


def shingles(words: np.ndarray) -> Shingles:
    """A text of fewer words is one shingle."""
    listed = words.tolist()
    size = min(SHINGLE, len(listed))
    return set(zip(*(listed[i:] for i in range(size)), strict=False))


def jaccard(one: Shingles, other: Shingles) -> float:
    common = len(one & other)
    return common / (len(one) + len(other) - common)


def near_copy(rng: np.random.Generator, base: np.ndarray, kind: str, target: float, draw: Draw) -> np.ndarray:
    """`base` with as many edits of one of the EDITS as bring its similarity to `target`; one at least.

    Edits lie apart, so that none touches another's shingles.
    """
    n = len(base)
    lost, added = EDITS[kind]
    edits = max(1, round((n - SHINGLE + 1) * (1 - target) / (lost + added * target)))
    # Chosen places are pushed apart by what must lie between them; the first and last words stay.
    room = n - 2 * (SHINGLE - 1) - (edits - 1) * (SHINGLE - 1)
    if room < edits:
        raise UserError(f"a text of {n} words has no room for similarity {target:g}: take more words")
    places = np.sort(rng.choice(room, edits, replace=False)) + (SHINGLE - 1) * np.arange(1, edits + 1)
    if kind == "delete":
        return np.delete(base, places)
    fresh = draw(edits)
    if kind == "insert":
        return np.insert(base, places, fresh)
    edited = base.copy()
    edited[places] = fresh
    return edited


def family_sizes(rng: np.random.Generator, documents: int) -> np.ndarray:
    """Sizes of families that `documents` make up together; none where there is one document or none."""
    if documents < 2:
        return np.empty(0, np.int64)
    drawn = rng.choice(SIZES, documents // 2 + 1, p=SIZE_SHARES)
    ends = np.cumsum(drawn)
    sizes = drawn[: int(np.searchsorted(ends, documents)) + 1]
    sizes[-1] -= sizes.sum() - documents
    if sizes[-1] == 1:  # nobody is a family alone
        sizes = np.append(sizes[:-2], sizes[-2] + 1)
    return sizes


def family(rng: np.random.Generator, base: np.ndarray, size: int, draw: Draw) -> Iterator[np.ndarray]:
    """`base` and `size` - 1 copies of it, exact and near."""
    yield base
    for _ in range(size - 1):
        if rng.random() < EXACT_SHARE:
            yield base
        else:
            kind = tuple(EDITS)[int(rng.integers(len(EDITS)))]
            yield near_copy(rng, base, kind, float(rng.uniform(LOWEST, HIGHEST)), draw)


def pairs_of(members: list[np.ndarray], first: int) -> Iterator[Pair]:
    """All pairs of a family whose documents are numbered from `first` on."""
    found = [shingles(member) for member in members]
    for a, b in combinations(range(len(members)), 2):
        yield Pair(first + a, first + b, jaccard(found[a], found[b]))


def template_pages(
    rng: np.random.Generator, pages: int, words: int, similarity: float, draw: Draw
) -> Iterator[np.ndarray]:
    """Pages of about `words` words with one head and foot and a text of their own between, so that any two have about
    that similarity."""
    common = 2 * similarity / (1 + similarity)  # share of a page's shingles
    shared = round(common * (words - SHINGLE + 1)) + 2 * (SHINGLE - 1)
    if words - shared < 1:
        raise UserError(f"a template of {words} words leaves no word of its own at similarity {similarity:g}")
    head, foot = draw(shared // 2), draw(shared - shared // 2)
    for _ in range(pages):
        own = max(1, round((words - shared) * rng.uniform(0.9, 1.1)))
        yield np.concatenate([head, draw(own), foot])


def ring_of(members: Iterator[np.ndarray], first: int) -> Iterator[tuple[np.ndarray, Pair | None]]:
    """Each page with its pair of it and the page before; of the first there is none. All pairs would be too many."""
    before: Shingles | None = None
    for number, member in enumerate(members, first):
        here = shingles(member)
        yield member, None if before is None else Pair(number - 1, number, jaccard(before, here))
        before = here
