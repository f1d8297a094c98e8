"""Histograms are true to their counts, and bounds lie where they are."""

import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.pictures.histograms import ABOVE, AXIS, BELOW, NEAR, OUTSIDE, histogram, place
from schemas.distributions import Distribution, Histogram, Threshold


def drawn(edges: list[float], kept: list[int], dropped: list[int], *bounds: tuple[str, str, float]) -> Any:
    thresholds = [Threshold(rule=rule, operator=operator, value=value) for rule, operator, value in bounds]
    whole = Histogram(edges=edges, kept=kept, dropped=dropped)
    found = Distribution(signal="n_words", language="", histogram=whole, thresholds=thresholds)
    return histogram(found, {"n_words": "words"})


def test_by_hand() -> None:
    one = drawn([0, 10, 50, 100, 1_000], [0, 2, 4, 1], [3, 0, 0, 0], ("few", "<", 30), ("many", ">", 5_000))
    assert one.kept == "M0 62H1V18.2H2V0H3V31H4V62Z"
    assert one.dropped == "M0 62H0V96H1V62H4V62Z"
    assert one.ticks == [(0, "0"), (25, "10"), (50, "50"), (75, "100"), (100, "1,000")]
    assert [(mark.at, mark.text, mark.rule) for mark in one.marks] == [(37.5, "< 30", "few")]
    assert [(mark.text, mark.rule, mark.row) for mark in one.outside] == [("> 5,000", "many", OUTSIDE)]
    assert one.words == "7 kept, the middle one from 50 to 100; 3 dropped, the middle one below 10"
    assert one.meaning == "words"


def test_nothing_dropped() -> None:
    one = drawn([0, 1, 2], [0, 5], [0, 0])
    assert one.dropped == "" and one.words == "5 kept, the middle one from 1 on; none dropped"


def test_bounds_that_say_the_same_are_one_and_neighbours_stand_apart() -> None:
    one = drawn([0, 10], [1], [1], ("a", "<", 4), ("b", "<", 4), ("c", ">", 5), ("d", ">", 9))
    assert [(mark.rule, mark.row) for mark in one.marks] == [("a, b", 0), ("c", 1), ("d", 0)]


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20, unique=True).map(sorted), st.floats(0, 1))
def test_places_rise_with_values(edges: list[float], part: float) -> None:
    value = edges[0] + part * (edges[-1] - edges[0])
    assert place(edges[0], edges) == 0 and place(edges[-1], edges) == 100
    assert place(edges[0] - 1, edges) is None and place(edges[-1] + 1, edges) is None
    if edges[0] <= value <= edges[-1]:
        at = place(value, edges)
        assert at is not None and 0 <= at <= 100
        below = [place(edge, edges) for edge in edges if edge <= value]
        assert all(before is not None and before <= at + 0.01 for before in below)


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), min_size=1, max_size=40))
def test_bars_stay_in_the_picture_and_no_document_is_unseen(bins: list[tuple[int, int]]) -> None:
    kept, dropped = ([one[side] for one in bins] for side in (0, 1))
    one = drawn([float(at) for at in range(len(bins) + 1)], kept, dropped)
    for path, counts, far in ((one.kept, kept, AXIS - ABOVE), (one.dropped, dropped, AXIS + BELOW)):
        assert bool(path) == any(counts)
        heights = [float(value) for value in re.findall(r"V(-?[\d.]+)", path)]
        assert all(min(AXIS, far) <= value <= max(AXIS, far) for value in heights)
        if any(counts):
            assert far in heights
            seen = sum(value != AXIS for value in _by_bin(path, len(bins)))
            assert seen == sum(count > 0 for count in counts)


def _by_bin(path: str, bins: int) -> list[float]:
    """The height over each bin, read from the path."""
    steps = [(int(at), float(value)) for at, value in re.findall(r"H(\d+)V(-?[\d.]+)", path)]
    return [next((value for at, value in reversed(steps) if at <= number), AXIS) for number in range(bins)]


@given(st.lists(st.floats(0, 100), min_size=1, max_size=8, unique=True))
def test_texts_of_neighbours_are_in_two_rows(values: list[float]) -> None:
    one = drawn([0, 50, 100], [1, 1], [0, 0], *[(f"r{n}", "<", value) for n, value in enumerate(values)])
    for before, after in pairwise(one.marks):
        assert after.at - before.at >= NEAR or after.row != before.row


def test_edges_that_fit_no_bins_are_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="4 edges are too few or too many for 2 bins"):
        drawn([0, 1, 2, 3], [1, 2], [1, 2])
