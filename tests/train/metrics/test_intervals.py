"""Intervals: against scipy, against the distribution that they stand for, and the same each time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.metrics.classification import confusion, f1_by_class
from train.metrics.intervals import bootstrap, mean, student_quantile, t_interval, wilson


def f1(right: np.ndarray, given: np.ndarray) -> float:
    """Of the class 1 of 0 and 1."""
    return float(f1_by_class(confusion(right, given, [0, 1]))[1])


def test_bounds_are_those_of_scipy_s_bootstrap() -> None:
    """Draws differ; with many of them the percentiles do not."""
    import scipy.stats

    generator = np.random.default_rng(1)
    for values in (
        generator.normal(size=300),
        generator.integers(0, 2, 200).astype(bool),
        generator.exponential(size=40),
    ):
        ours = bootstrap(values, samples=8000)
        theirs = scipy.stats.bootstrap(
            (values,), np.mean, n_resamples=8000, method="percentile", rng=np.random.default_rng(2)
        ).confidence_interval
        width = theirs.high - theirs.low
        assert ours.value == pytest.approx(np.mean(values))
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.06 * width)


def test_the_mean_is_drawn_alike_on_its_ways() -> None:
    """By counts where few values differ, by numbers where many do, and through any function."""
    generator = np.random.default_rng(3)
    few = generator.integers(0, 5, 400).astype(float)
    many = few + generator.normal(size=400) * 1e-9
    ways = [
        bootstrap(few, samples=6000),
        bootstrap(many, samples=6000),
        bootstrap(few, lambda v: v.mean(), samples=6000),
    ]
    width = ways[0].high - ways[0].low
    for way in ways[1:]:
        assert way == pytest.approx(ways[0], abs=0.06 * width)


def test_a_figure_of_two_lists_is_drawn_by_numbers() -> None:
    generator = np.random.default_rng(4)
    right = generator.integers(0, 2, 120)
    guess = np.where(generator.random(120) < 0.8, right, 1 - right)
    found = bootstrap(np.arange(120), lambda rows: f1(right[rows], guess[rows]), samples=200)
    assert found.value == f1(right, guess)
    assert found.low < found.value < found.high
    assert found == bootstrap(np.arange(120), lambda rows: f1(right[rows], guess[rows]), samples=200)


@pytest.mark.parametrize("values", [[1.0, 2, 4], np.random.default_rng(0).normal(size=3000)])
def test_the_seed_decides(values) -> None:
    assert bootstrap(values) == bootstrap(values) == bootstrap(values, mean, 1000, 0.95, 0)
    if len(values) > 3:
        assert bootstrap(values, seed=1) != bootstrap(values)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30), st.integers(0, 5))
def test_bounds_lie_within_the_values(values: list[float], seed: int) -> None:
    found = bootstrap(values, samples=50, seed=seed)
    assert min(values) - 1e-6 <= found.low <= found.high <= max(values) + 1e-6
    wider = bootstrap(values, samples=50, seed=seed, level=0.99)
    assert wider.low <= found.low and found.high <= wider.high


def test_one_value_has_no_bounds() -> None:
    assert bootstrap([0.25]) == t_interval([0.25]) == (0.25, None, None)


@pytest.mark.parametrize("interval", [bootstrap, t_interval])
def test_what_has_no_interval_is_refused(interval) -> None:
    with pytest.raises(ValueError, match="no values"):
        interval([])
    with pytest.raises(ValueError, match="finite"):
        interval([1, float("nan")])


def test_a_level_is_a_share() -> None:
    for level in (0, 1, 95):
        with pytest.raises(ValueError, match=r"as 0\.95"):
            bootstrap([1, 2], level=level)


@pytest.mark.parametrize(("hits", "count"), [(0, 1), (1, 1), (0, 10), (10, 10), (3, 10), (500, 1000)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_wilson_equals_scipy(hits: int, count: int, level: float) -> None:
    import scipy.stats

    theirs = scipy.stats.binomtest(hits, count).proportion_ci(level, method="wilson")
    assert wilson(hits, count, level) == pytest.approx((hits / count, theirs.low, theirs.high), abs=1e-12)


@pytest.mark.parametrize(("hits", "count"), [(0, 0), (2, 1), (-1, 3)])
def test_no_share_is_refused(hits: int, count: int) -> None:
    with pytest.raises(ValueError, match="no share"):
        wilson(hits, count)


@pytest.mark.parametrize("freedom", [*range(1, 12), 29, 30, 99, 1000])
def test_student_s_quantile_equals_scipy(freedom: int) -> None:
    import scipy.stats

    for share in (0.5, 0.6, 0.9, 0.975, 0.995, 0.9999):
        assert student_quantile(share, freedom) == pytest.approx(scipy.stats.t.ppf(share, freedom), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("share", "freedom"), [(0.4, 3), (1.0, 3), (0.9, 0)])
def test_no_quantile_is_refused(share: float, freedom: int) -> None:
    with pytest.raises(ValueError, match="no quantile"):
        student_quantile(share, freedom)


def test_an_interval_over_seeds_equals_scipy() -> None:
    import scipy.stats

    for values in ([0.61, 0.64, 0.6], [1.0, 1.0], [3, 1, 4, 1, 5]):
        theirs = scipy.stats.t.interval(
            0.95, len(values) - 1, np.mean(values), np.std(values, ddof=1) / len(values) ** 0.5 or 1e-300
        )
        assert t_interval(values) == pytest.approx((np.mean(values), *theirs))
