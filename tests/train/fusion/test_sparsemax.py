"""Sparsemax is the nearest point of the simplex, found by trying every support."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from train.fusion.sparsemax import sparsemax

SCORES = st.lists(st.floats(-3, 3, width=32), min_size=1, max_size=6)


def projected(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of all supports the nearest point with these coordinates alone that lies on the simplex."""
    best, found = np.inf, scores
    for size in range(1, len(scores) + 1):
        for support in combinations(range(len(scores)), size):
            point = np.zeros(len(scores))
            point[list(support)] = scores[list(support)] + (1 - scores[list(support)].sum()) / size
            distance = ((point - scores) ** 2).sum()
            if (point >= -1e-12).all() and distance < best:
                best, found = distance, point
    return found


@given(SCORES)
def test_it_is_the_projection_onto_the_simplex(scores: list[float]) -> None:
    values = np.array(scores, np.float64)
    (found,) = sparsemax(values[None])
    assert np.allclose(found, projected(values), atol=1e-9)
    assert found.sum() == pytest.approx(1) and (found >= 0).all()


@given(SCORES, st.floats(-5, 5))
def test_a_shift_changes_nothing_and_order_stays(scores: list[float], shift: float) -> None:
    values = np.array([scores])
    found = sparsemax(values)
    assert np.allclose(found, sparsemax(values + shift), atol=1e-9)
    assert np.allclose(found[:, ::-1], sparsemax(values[:, ::-1]), atol=1e-12)


def test_known_values() -> None:
    """Of the paper: (t, 0) gives ((t + 1) / 2, (1 - t) / 2) between -1 and 1, and a corner beyond."""
    scores = np.array([[0.5, 0.0], [1.5, 0.0], [-2.0, 0.0], [0.2, 0.2]])
    assert sparsemax(scores).tolist() == [[0.75, 0.25], [1, 0], [0, 1], [0.5, 0.5]]


@pytest.mark.parametrize("scores", [np.zeros((2, 0)), np.zeros(3), np.array([[np.nan, 1]]), np.array([[np.inf, 1]])])
def test_what_has_no_projection(scores: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="scores"):
        sparsemax(scores)
