"""Against published figures, and what one works out by hand."""

import math

import pytest

from pipeline.drift.correlation import student
from pipeline.drift.intervals import (
    aligned,
    joined,
    median,
    newcombe,
    stability,
    stability_by_chance,
    two_sided,
    wilson,
)

Z = two_sided(0.05)


def test_wilson_s_interval_is_that_of_newcombe_s_table() -> None:
    """Newcombe 1998, Stat. Med. 17:857, table I, method 3."""
    assert wilson(81 / 263, 263, Z) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15 / 148, 148, Z) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0.0, 20, Z) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(1 / 29, 29, Z) == pytest.approx((0.0061, 0.1718), abs=5e-5)


def test_newcombe_s_interval_is_that_of_his_table() -> None:
    """Newcombe 1998, Stat. Med. 17:873, table II, method 10."""
    assert newcombe(56 / 70, 70, 48 / 80, 80, Z) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert newcombe(9 / 10, 10, 3 / 10, 10, Z) == pytest.approx((0.1705, 0.8090), abs=5e-5)
    assert newcombe(10 / 10, 10, 0 / 20, 20, Z) == pytest.approx((0.6791, 1.0), abs=5e-5)


@pytest.mark.parametrize(("p", "free", "value"), [(0.05, 10, 2.2281), (0.01, 20, 2.8453), (0.001, 30, 3.6460)])
def test_student_s_quantile_is_that_of_tables(p: float, free: int, value: float) -> None:
    assert student(two_sided(p), free) == pytest.approx(value, abs=2e-3)


def test_stability_by_hand() -> None:
    """Shares 1/2, 1/2 and, with half a document in each bin, 3/4, 1/4."""
    assert stability([99.5, 99.5], [149.5, 49.5]) == pytest.approx(-0.25 * math.log(2 / 3) + 0.25 * math.log(2))
    assert stability([5, 6, 7], [5, 6, 7]) == 0
    assert math.isfinite(stability([0, 10], [10, 0]))


def test_stability_by_chance_is_a_chi_square_s_quantile() -> None:
    """21.666 is that of nine degrees of freedom for 0.01."""
    assert stability_by_chance(10, 1000, 500, 0.01) == pytest.approx(21.666 * 0.003, rel=2e-3)
    assert stability_by_chance(1, 10, 10, 0.01) == 0


def test_histograms_that_leave_out_empty_bins() -> None:
    assert aligned(([0, 1, 2], [3, 4]), ([2, 5, 9], [6, 7])) == ([3, 4, 0, 0], [0, 0, 6, 7])
    assert aligned(([0, 1, 2, 5], [3, 4, 1]), ([1, 2], [6])) == ([3, 4, 1], [0, 6, 0])
    assert aligned(([0, 1, 5], [3, 4]), ([1, 2], [6])) is None


def test_bins_are_joined_up_to_a_tenth() -> None:
    new, old = joined([1, 1, 98, 0, 0, 100], [1, 0, 99, 0, 1, 99])
    assert (new, old) == ([100, 100], [100, 100])
    assert joined([0, 0, 0], [0, 0, 0]) == ([0], [0])


@pytest.mark.parametrize(
    ("counts", "middle"),
    [([0, 4, 0], 15.0), ([1, 2, 1], 15.0), ([4, 0, 0], 10.0), ([0, 0, 9], 20.0), ([0, 0, 0], None)],
)
def test_the_median_of_a_histogram(counts: list[int], middle: float | None) -> None:
    """Of open bins at the ends, the edge that there is."""
    assert median([-math.inf, 10, 20, math.inf], counts) == middle
