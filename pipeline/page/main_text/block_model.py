"""Which blocks of a page are main text: gradient-boosted trees (Friedman 2001) in three rounds.

The first round sees each block with its surroundings (`block_features`); the second also sees what the first said of
the neighbours, the elements above and the whole page; the third decides headings, items, cells and other short blocks
by what they belong to (`block_structure`). `tests/bench/train_blocks.py` makes the file beside this module.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.kernels.compiling import kernel, whole
from pipeline.kernels.elementary import exp, log1p
from pipeline.page.blocks.markup import Markup, read_markup
from pipeline.page.main_text.block_features import NAMES, describe, headings
from pipeline.page.main_text.block_measures import KINDS, Measures, measure
from pipeline.page.main_text.block_structure import (
    N_STRUCTURE,
    STRUCTURE_NAMES,
    describe_structure,
    read_structure,
)
from pipeline.page.main_text.choice import SURE, Scores, least_score, together, weights
from pipeline.words.characters import Characters, characters

MODEL = Path(__file__).with_suffix(".npz")
SCORES_AROUND = 4
SCORE_WINDOWS = ((-3, 4), (-10, 11), (-10, 0), (1, 11))
SCORE_LEVELS = 5
# feature -1: a leaf, whose value is the threshold.  right: how many nodes further on the right child is.
NODE = np.dtype([("threshold", np.float32), ("feature", np.int16), ("right", np.uint16)])
ROWS = 16  # blocks that are scored at once: their features stay in the nearest cache while the trees pass
HOPELESS = 0.01  # blocks that the first round gives less are not looked at again: seven in ten
# After so many trees of the first round, blocks whose sum is lower are given up: 52 in 100, which hold seven words of
# the text in ten thousand. The trees that they do not see would have taken from most of them, on average GIVEN_UP.
LOOK, LOST, GIVEN_UP = 45, -4.0, 2.0
# Short blocks that the first round gives less are not looked at in the third, nor those that the second finds hopeless.
CONSIDERED = 0.007

SCORE_NAMES: tuple[str, ...] = (
    *(f"score[{offset:+}]" for offset in range(-SCORES_AROUND, SCORES_AROUND + 1)),
    *(f"score[{begin}:{end}]" for begin, end in SCORE_WINDOWS),
    *(f"score^{level}" for level in range(SCORE_LEVELS)),
    "score_group", "score_page", "score_words", "score_before", "score_max", "score_gap_before", "score_gap_after",
)  # fmt: skip

N_FIRST, N_SECOND = len(NAMES), len(SCORE_NAMES)
ALL_NAMES = NAMES + SCORE_NAMES + STRUCTURE_NAMES


class Trees(NamedTuple):
    """Trees one behind the other; a node's left child, for features at most its threshold, is the node behind it."""

    roots: np.ndarray  # int32
    nodes: np.ndarray  # NODE


class Model(NamedTuple):
    first: Trees
    second: Trees
    third: Trees


@cache
def model() -> Model:
    """The shipped model, read once a process. Raises ValueError for a file that does not fit these features."""
    return load(MODEL)


def load(path: Path) -> Model:
    with np.load(path) as stored:
        if tuple(stored["names"]) != ALL_NAMES:
            raise ValueError(f"{path.name} was trained with other features: run tests/bench/train_blocks.py")
        return Model(*(Trees(*(stored[f"{stage}_{name}"] for name in Trees._fields)) for stage in Model._fields))


def save(path: Path, trained: Model) -> None:
    arrays = {
        f"{stage}_{name}": getattr(getattr(trained, stage), name) for stage in Model._fields for name in Trees._fields
    }
    np.savez_compressed(path, names=np.array(ALL_NAMES), **arrays)


@kernel
def score(trees: Trees, rows: np.ndarray, scores: np.ndarray, look: int = -1) -> None:
    """Writes the probability that a block is main text, for each row, into `scores`. look: after how many trees rows
    below LOST get no more."""
    totals, going, n_going = np.zeros(len(rows), np.float64), np.arange(len(rows)), len(rows)
    for number in range(len(trees.roots)):
        if number == look:
            n_going = 0
            for row in range(len(rows)):
                if totals[row] >= LOST:
                    going[n_going] = row
                    n_going += 1
                else:
                    totals[row] -= GIVEN_UP
            if n_going == 0:
                break
        for place in range(n_going):
            row = going[place]
            at = whole(trees.roots[number])
            node = trees.nodes[at]
            while node.feature >= 0:
                at += 1 if rows[row, node.feature] <= node.threshold else whole(node.right)
                node = trees.nodes[at]
            totals[row] += node.threshold
    for row in range(len(rows)):
        scores[row] = 1.0 / (1.0 + exp(-totals[row]))


@kernel
def describe_scores(
    block: int, markup: Markup, measures: Measures, scores: np.ndarray, sums: np.ndarray, groups: np.ndarray,
    sure: np.ndarray, row: np.ndarray,
) -> None:  # fmt: skip
    """Writes the features of SCORE_NAMES into `row`. sums, groups, sure: of `sum_scores`."""
    n = len(scores)
    k = 0
    for offset in range(-SCORES_AROUND, SCORES_AROUND + 1):
        other = block + offset
        row[k] = scores[other] if 0 <= other < n else -0.1
        k += 1
    for begin, end in SCORE_WINDOWS:
        low = min(max(block + begin, 0), n)
        high = max(min(block + end, n), low)
        row[k] = _mean(sums, low, high)
        k += 1
    level = whole(markup.element[block])
    for _ in range(SCORE_LEVELS):
        row[k] = _mean(sums, markup.first[level], markup.last[level])
        level = max(whole(markup.parent[level]), 0)
        k += 1
    group = measures.group[block]
    row[k] = groups[group, 0] / groups[group, 1]
    row[k + 1] = _mean(sums, 0, n)
    row[k + 2] = log1p(sums[n, 0])
    row[k + 3] = sums[block, 0] / max(sums[n, 0], 1e-9)
    row[k + 4] = sums[n, 2]
    row[k + 5] = log1p(block - sure[block, 0]) if sure[block, 0] >= 0 else -1.0
    row[k + 6] = log1p(sure[block, 1] - block) if sure[block, 1] >= 0 else -1.0


@kernel
def _mean(sums: np.ndarray, low: int, high: int) -> float:
    weight = sums[high, 1] - sums[low, 1]
    return (sums[high, 0] - sums[low, 0]) / weight if weight > 0 else -0.1


@kernel
def sum_scores(measures: Measures, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(float64 (blocks + 1, 3): weight times score and weight before a block, the largest score so far;
    float64 (groups, 2): the same two by group; int32 (blocks, 2): the nearest sure block before and behind, or -1)."""
    n = len(scores)
    weight = weights(measures)
    sums = np.zeros((n + 1, 3), np.float64)
    groups = np.zeros((len(measures.groups), 2), np.float64)
    sure = np.full((n, 2), -1, np.int32)
    seen = -1
    for block in range(n):
        sums[block + 1, 0] = sums[block, 0] + weight[block] * scores[block]
        sums[block + 1, 1] = sums[block, 1] + weight[block]
        sums[block + 1, 2] = max(sums[block, 2], scores[block])
        groups[measures.group[block], 0] += weight[block] * scores[block]
        groups[measures.group[block], 1] += weight[block]
        sure[block, 0] = seen
        if scores[block] >= SURE:
            seen = block
    seen = -1
    for place in range(n):
        block = n - 1 - place
        sure[block, 1] = seen
        if scores[block] >= SURE:
            seen = block
    return sums, groups, sure


@kernel
def score_blocks(markup: Markup, measures: Measures, first: Trees, second: Trees, third: Trees) -> Scores:
    """The scores of a page's blocks."""
    n = len(measures.words)
    marks = headings(measures)
    scores = np.zeros(n, np.float32)
    rows = np.zeros((ROWS, N_FIRST + N_SECOND + N_STRUCTURE), np.float32)
    for begin in range(0, n, ROWS):
        end = min(begin + ROWS, n)
        for block in range(begin, end):
            describe(block, markup, measures, marks, rows[block - begin])
        score(first, rows[: end - begin], scores[begin:end], whole(LOOK))
    text = scores.copy()
    sums, groups, sure = sum_scores(measures, scores)
    waiting, places = 0, np.zeros(ROWS, np.int64)
    for block in range(n):
        if scores[block] >= HOPELESS:
            describe(block, markup, measures, marks, rows[waiting])
            describe_scores(block, markup, measures, scores, sums, groups, sure, rows[waiting, N_FIRST:])
            places[waiting] = block
            waiting += 1
        if waiting == ROWS or block == n - 1:
            _score_waiting(second, rows[:waiting], places, text)
            waiting = 0
    choice = text.copy()
    weight = weights(measures)
    least = least_score(text, weight)
    seen = read_structure(markup, measures, text, weight, least)
    sums, groups, sure = sum_scores(measures, text)
    for block in range(n):
        if seen.kind[block] and scores[block] >= CONSIDERED and text[block] >= HOPELESS:
            describe(block, markup, measures, marks, rows[waiting])
            describe_scores(block, markup, measures, text, sums, groups, sure, rows[waiting, N_FIRST:])
            describe_structure(block, markup, measures, text, least, seen, rows[waiting, N_FIRST + N_SECOND :])
            places[waiting] = block
            waiting += 1
        if waiting == ROWS or block == n - 1:
            _score_waiting(third, rows[:waiting], places, choice)
            waiting = 0
    together(markup, measures, seen, text, choice)
    return Scores(text, choice)


@kernel
def _score_waiting(trees: Trees, rows: np.ndarray, places: np.ndarray, scores: np.ndarray) -> None:
    """Scores rows, and writes what they get where their blocks have their place."""
    found = np.zeros(len(rows), np.float32)
    score(trees, rows, found, whole(-1))
    for row in range(len(rows)):
        scores[places[row]] = found[row]


@kernel
def _score_features(page: np.ndarray, markup: Markup, scores: np.ndarray, chars: Characters) -> np.ndarray:
    measures = measure(page, markup, chars, KINDS)
    sums, groups, sure = sum_scores(measures, scores)
    rows = np.zeros((len(scores), N_SECOND), np.float32)
    for block in range(len(scores)):
        describe_scores(block, markup, measures, scores, sums, groups, sure, rows[block])
    return rows


def score_features(page: bytes, scores: np.ndarray) -> np.ndarray:
    """What the second round sees of the first's scores, float32 of shape (blocks, len(SCORE_NAMES))."""
    return _score_features(np.frombuffer(page, np.uint8), read_markup(page), scores, characters())


@kernel
def _structure_features(page: np.ndarray, markup: Markup, text: np.ndarray, chars: Characters) -> np.ndarray:
    measures = measure(page, markup, chars, KINDS)
    weight = weights(measures)
    least = least_score(text, weight)
    seen = read_structure(markup, measures, text, weight, least)
    rows = np.zeros((len(text), N_STRUCTURE), np.float32)
    for block in range(len(text)):
        describe_structure(block, markup, measures, text, least, seen, rows[block])
    return rows


def structure_features(page: bytes, text: np.ndarray) -> np.ndarray:
    """What the third round sees of the page's structure and of the second's scores, float32 of shape
    (blocks, len(STRUCTURE_NAMES))."""
    return _structure_features(np.frombuffer(page, np.uint8), read_markup(page), text, characters())


@kernel
def _stand_together(page: np.ndarray, markup: Markup, choice: np.ndarray, text: np.ndarray, chars: Characters) -> None:
    measures = measure(page, markup, chars, KINDS)
    weight = weights(measures)
    seen = read_structure(markup, measures, text, weight, least_score(text, weight))
    together(markup, measures, seen, text, choice)


def stand_together(page: bytes, text: np.ndarray, choice: np.ndarray) -> None:
    """Changes the third round's scores as `together` does."""
    _stand_together(np.frombuffer(page, np.uint8), read_markup(page), choice, text, characters())
