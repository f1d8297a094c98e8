"""Correlations equal scipy's, ties included, and are numbers where scipy has none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.metrics.correlation import pearson, spearman


@pytest.mark.parametrize("count", [2, 3, 10, 500])
@pytest.mark.parametrize("different", [2, 5, 0])
def test_both_equal_scipy(count: int, different: int) -> None:
    import scipy.stats

    generator = np.random.default_rng(count)
    for _ in range(10):
        x, y = generator.normal(size=(2, count))
        if different:  # ties
            x, y = np.floor(x * different), np.floor(y * different)
        if np.ptp(x) and np.ptp(y):
            assert pearson(x, y) == pytest.approx(scipy.stats.pearsonr(x, y).statistic, abs=1e-12)
            assert spearman(x, y) == pytest.approx(scipy.stats.spearmanr(x, y).statistic, abs=1e-12)


@pytest.mark.parametrize("correlation", [pearson, spearman])
def test_a_constant_side_gives_0(correlation) -> None:
    for constant in (0.1, 0, 1e300, -3):
        assert correlation([constant] * 7, [1, 2, 3, 4, 5, 6, 7]) == 0.0
        assert correlation([1, 2, 3, 4, 5, 6, 7], [constant] * 7) == 0.0
    assert correlation([2, 2], [2, 2]) == 0.0


def test_ties_have_the_mean_of_their_ranks() -> None:
    # Ranks 1.5 1.5 3 4 and 1 2 3.5 3.5, less their mean: -1 -1 .5 1.5 and -1.5 -.5 1 1.
    assert spearman([1, 1, 2, 3], [1, 2, 3, 3]) == pytest.approx(4 / 4.5)


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e30, 1e300])
def test_neither_overflows_nor_vanishes(scale: float) -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 20))
    assert pearson(x * scale, y) == pytest.approx(pearson(x, y), abs=1e-12)


@given(st.lists(st.tuples(*[st.floats(-1e6, 1e6, width=32)] * 2), min_size=2, max_size=30))
def test_within_bounds_symmetric_and_true_to_order(pairs: list[tuple[float, float]]) -> None:
    x, y = np.array(pairs).T
    for correlation in (pearson, spearman):
        value = correlation(x, y)
        assert -1 <= value <= 1
        assert correlation(y, x) == pytest.approx(value, abs=1e-9)
    assert spearman(x, y) == spearman(np.arcsinh(x), y)
    assert spearman(x, x) == pytest.approx(1.0 if np.ptp(x) else 0.0)


@pytest.mark.parametrize("correlation", [pearson, spearman])
@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        ([], [], "0 pairs"),
        ([1], [1], "1 pairs"),
        ([1, 2], [1], "two lists of one length"),
        ([[1, 2]], [[1, 2]], "two lists"),
        ([1, float("nan")], [1, 2], "finite"),
        ([1, 2], [float("inf"), 2], "finite"),
    ],
)
def test_what_has_no_correlation_is_refused(correlation, x, y, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        correlation(x, y)
