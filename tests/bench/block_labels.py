"""Which blocks of a page are its main text, by a text or by segments that people marked.

A gold text is aligned with the page's words as a whole: the longest common subsequence of 3-grams, so that a teaser
that repeats a sentence of the article, far from it, is no part of it. A block's label is the share of its words that
the alignment covers.
"""

import re
from collections import Counter
from urllib.parse import urlsplit

import numpy as np
import regex
import xxhash

from pipeline.kernels.compiling import kernel
from pipeline.page.blocks.markup import Markup

# As the scorer of extractions counts: words, or single characters in scripts without spaces.
WORD = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]|[\p{L}\p{M}\p{N}]+")
SECOND_LEVELS = frozenset({"co", "com", "org", "net", "gov", "gob", "ac", "edu", "ne", "or"})
MAX_CELLS = 600_000_000  # of one alignment; longer texts are cut


def words(text: str) -> list[str]:
    return WORD.findall(text.lower())


def texts(markup: Markup) -> list[str]:
    data = markup.text.tobytes()
    return [data[a:b].decode("utf-8", "replace") for a, b in zip(markup.start, markup.end, strict=True)]


@kernel
def _covered(page: np.ndarray, gold: np.ndarray, size: int) -> np.ndarray:
    """Which positions of `page` lie on a longest common subsequence; both are hashes of `size`-grams."""
    n, m = len(page), len(gold)
    steps = np.zeros((n, m), np.uint8)
    before, row = np.zeros(m + 1, np.int32), np.zeros(m + 1, np.int32)
    for i in range(n):
        for j in range(m):
            if page[i] == gold[j]:
                row[j + 1] = before[j] + 1
                steps[i, j] = 1
            elif before[j + 1] >= row[j]:
                row[j + 1] = before[j + 1]
                steps[i, j] = 2
            else:
                row[j + 1] = row[j]
                steps[i, j] = 3
        before, row = row, before
    found = np.zeros(n, np.bool_)
    i, j = n - 1, m - 1
    while i >= 0 and j >= 0:
        if steps[i, j] == 1:
            found[i] = True
            i -= 1
            j -= 1
        elif steps[i, j] == 2:
            i -= 1
        else:
            j -= 1
    return found


def _grams(tokens: list[str], size: int) -> np.ndarray:
    return np.array(
        [xxhash.xxh3_64_intdigest(" ".join(tokens[at : at + size]).encode()) for at in range(len(tokens) - size + 1)],
        np.uint64,
    )


def by_text(blocks: list[str], gold: str, size: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """(share of each block's words in the gold text, number of its words), float64 of shape (blocks,)."""
    tokens = [words(block) for block in blocks]
    counts = np.array([len(block) for block in tokens], np.float64)
    page, target = [token for block in tokens for token in block], words(gold)
    covered = np.zeros(len(page) + size, bool)
    if len(page) >= size and len(target) >= size:
        left, right = _grams(page, size), _grams(target, size)
        known = np.flatnonzero(np.isin(left, right))  # what the gold text does not have cannot be aligned
        right = right[np.isin(right, left)][: MAX_CELLS // max(len(known), 1)]
        hits = known[_covered(left[known], right, size)] if len(right) else known[:0]
        for offset in range(size):
            covered[hits + offset] = True
    lines = {" ".join(words(line)) for line in gold.splitlines()}
    shares, at = np.zeros(len(blocks)), 0
    for index, block in enumerate(tokens):
        if block:
            shares[index] = covered[at : at + len(block)].mean()
            if shares[index] < 1 and len(block) < 2 * size and " ".join(block) in lines:
                near = covered[max(at - 30, 0) : at + len(block) + 30]
                shares[index] = 1.0 if near.any() else shares[index]
        at += len(block)
    return shares, counts


def by_segments(blocks: list[str], wanted: list[str], unwanted: list[str]) -> np.ndarray:
    """1 for blocks that hold a wanted segment, 0 for an unwanted one, NaN for the rest and where both are met."""
    labels = np.full(len(blocks), np.nan)
    folded = [" ".join(words(block)) for block in blocks]
    for segments, value in ((wanted, 1.0), (unwanted, 0.0)):
        for segment in (" ".join(words(segment)) for segment in segments):
            for index, block in enumerate(folded):
                if segment and segment in block:
                    labels[index] = value if np.isnan(labels[index]) or labels[index] == value else 0.5
    labels[labels == 0.5] = np.nan
    return labels


def host(url: str, source: str) -> str:
    """What pages of one template have in common: the registrable domain, near enough."""
    if source == "waddle_daniel" and (found := re.search(r"/\d{8}_([^_/]+)_", url)):
        name = found.group(1)
    elif source == "htmltotext_benchmark":
        return "-".join(url.rsplit("/", 1)[-1].split("-")[:2])
    else:
        name = urlsplit(url).hostname or url
    labels = name.removeprefix("www.").split(".")
    return ".".join(labels[-3:] if len(labels) > 2 and labels[-2] in SECOND_LEVELS else labels[-2:])


def page_f1(found: str, gold: str, size: int = 4) -> float:
    """Over multisets of 4-grams of words, as the scorer of extractions has it."""
    left, right = (Counter(_tuples(words(text), size)) for text in (found, gold))
    both = sum((left & right).values())
    return 2 * both / (left.total() + right.total()) if both else 0.0


def _tuples(tokens: list[str], size: int) -> list[tuple[str, ...]]:
    return [tuple(tokens[at : at + size]) for at in range(max(1, len(tokens) - size + 1))] if tokens else []
