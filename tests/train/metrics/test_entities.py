"""Spans as conlleval reads them, and their scores: by hand, and against a reading of another make."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.metrics.entities import EntityScores, entity_counts, entity_scores, spans_of


def entity_f1(right: list, given: list) -> EntityScores:
    return entity_scores(entity_counts(right, given))


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ("", []),
        ("O O", []),
        ("B-PER I-PER O B-LOC", [("PER", 0, 2), ("LOC", 3, 4)]),
        ("B-PER B-PER", [("PER", 0, 1), ("PER", 1, 2)]),
        ("I-PER I-PER", [("PER", 0, 2)]),  # begun by I-, as in CoNLL-2003's IOB1
        ("O I-PER O", [("PER", 1, 2)]),
        ("B-PER I-LOC I-LOC", [("PER", 0, 1), ("LOC", 1, 3)]),
        ("I-PER I-LOC", [("PER", 0, 1), ("LOC", 1, 2)]),
        ("I-PER B-PER I-PER", [("PER", 0, 1), ("PER", 1, 3)]),
        ("B-PER O I-PER", [("PER", 0, 1), ("PER", 2, 3)]),
        ("B-X-Y I-X-Y I-X", [("X-Y", 0, 2), ("X", 2, 3)]),
        ("B-PER I-PER E-PER S-LOC S-LOC", [("PER", 0, 3), ("LOC", 3, 4), ("LOC", 4, 5)]),
        ("E-PER I-PER", [("PER", 0, 1), ("PER", 1, 2)]),
        ("PER PER LOC O PER", [("PER", 0, 2), ("LOC", 2, 3), ("PER", 4, 5)]),
        ("B-人 I-人 B-ที่", [("人", 0, 2), ("ที่", 2, 3)]),
    ],
)
def test_spans_by_hand(tags: str, spans: list) -> None:
    assert spans_of(tags.split()) == spans


def brute_spans(tags: list[str]) -> set[tuple[str, int, int]]:
    """BIO: every stretch of one kind, with no B- but at its first tag, that can be made no longer on either side."""

    def whole(first: int, stop: int) -> bool:
        kinds = {tag[2:] for tag in tags[first:stop]}
        return "O" not in tags[first:stop] and len(kinds) == 1 and not any(t[0] == "B" for t in tags[first + 1 : stop])

    found = {(first, stop) for first, stop in itertools.combinations(range(len(tags) + 1), 2) if whole(first, stop)}
    longest = {(f, s) for f, s in found if (f, s + 1) not in found and (f - 1, s) not in found}
    return {(tags[first][2:], first, stop) for first, stop in longest}


BIO = st.sampled_from(["O", "B-A", "I-A", "B-B", "I-B"])


@given(st.lists(BIO, max_size=9))
def test_spans_are_the_longest_stretches(tags: list[str]) -> None:
    found = spans_of(tags)
    assert set(found) == brute_spans(tags) and found == sorted(found, key=lambda span: span[1])
    covered = [place for _, first, stop in found for place in range(first, stop)]
    assert covered == [place for place, tag in enumerate(tags) if tag != "O"]


def test_scores_by_hand() -> None:
    right = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-ORG"], ["O"]]
    given_ = [["B-PER", "I-PER", "O", "B-ORG"], ["B-ORG", "I-ORG"], ["B-LOC"]]
    # Right: PER 0-2, LOC 3-4; ORG 1-2. Given: PER 0-2, ORG 3-4; ORG 0-2; LOC 0-1. One in common.
    assert entity_counts(right, given_).tolist() == [[1, 2, 2], [0, 1, 1], [0, 1, 0]]
    assert entity_f1(right, given_) == pytest.approx((1 / 4, 1 / 3, 2 / 7))
    assert entity_f1(right, right) == (1, 1, 1)


def test_where_there_is_no_span_the_scores_are_0() -> None:
    assert entity_f1([], []) == entity_f1([["O"]], [["O"]]) == (0, 0, 0)
    assert entity_f1([["B-A"]], [["O"]]) == entity_f1([["O"]], [["B-A"]]) == (0, 0, 0)


@given(st.lists(st.lists(st.tuples(BIO, BIO), max_size=8), max_size=4))
def test_precision_and_recall_change_places(sentences: list[list[tuple[str, str]]]) -> None:
    right, given_ = ([[pair[side] for pair in one] for one in sentences] for side in (0, 1))
    one, other = entity_f1(right, given_), entity_f1(given_, right)
    assert (one.precision, one.recall, one.f1) == (other.recall, other.precision, other.f1)
    total = one.precision + one.recall
    assert one.f1 == pytest.approx(2 * one.precision * one.recall / total if total else 0)
    counts = entity_counts(right, given_)
    assert entity_scores(np.concatenate([counts, counts])) == one


def test_sentences_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="1 sentences with right tags and 0"):
        entity_f1([["O"]], [])
    with pytest.raises(ValueError, match="sentence 1 has 2 right tags and 1 given"):
        entity_f1([["O"], ["O", "O"]], [["O"], ["O"]])
