"""Normalising, Procrustes and ridge against other formulations; what makes them fail is a ValueError."""

import numpy as np
import pytest
import scipy.linalg
from numpy.typing import NDArray

from train.alignment.normalising import normalised, unit
from train.alignment.procrustes import procrustes
from train.alignment.ridge import Score, ridge, ridge_by_development
from train.alignment.unsupervised import rotation
from train.maps.map_folder import LanguageMap, Origin, VectorMap

Array = NDArray[np.float64]


def sides(seed: int, n: int = 60, d: int = 7, k: int = 7) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    return X, X @ rng.normal(size=(d, k)) + 0.3 * rng.normal(size=(n, k))


def test_normalising_is_unit_centre_unit_by_hand() -> None:
    vectors, mean = normalised([[3.0, 4.0], [0.0, 2.0]])
    np.testing.assert_allclose(mean, [0.3, 0.9], atol=1e-7)
    side = np.array([0.3, -0.1]) / np.sqrt(0.1)  # (0.6, 0.8) less the mean
    np.testing.assert_allclose(vectors, [side, -side], atol=1e-6)


def test_normalised_vectors_are_those_that_a_map_makes() -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 6)) * 5 + 1
    vectors[3] = 0
    found = normalised(vectors)
    identity = LanguageMap(found.mean, np.eye(6, dtype=np.float32))
    applied = VectorMap("vectors", "none", "eng", {"eng": identity}, {"eng": Origin("A", "1")}).apply("eng", vectors)
    np.testing.assert_allclose(found.vectors, applied, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), np.arange(50) != 3, atol=1e-6)
    np.testing.assert_array_equal(unit(np.zeros((1, 3))), np.zeros((1, 3)))


@pytest.mark.parametrize("seed", range(5))
def test_procrustes_is_scipy_s(seed: int) -> None:
    X, Y = sides(seed)
    np.testing.assert_allclose(procrustes(X, Y), scipy.linalg.orthogonal_procrustes(X, Y)[0], atol=1e-6)


def test_procrustes_in_the_plane_is_the_angle_of_the_sums() -> None:
    """A closed form without singular values: atan2 of summed cross and dot products; a mirror here does worse."""
    X = np.random.default_rng(3).normal(size=(30, 2))
    turn = np.array([[np.cos(0.7), np.sin(0.7)], [-np.sin(0.7), np.cos(0.7)]])
    Y = X @ turn + 0.1 * np.random.default_rng(4).normal(size=(30, 2))
    angle = np.arctan2((X[:, 0] * Y[:, 1] - X[:, 1] * Y[:, 0]).sum(), (X * Y).sum())
    expected = [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
    np.testing.assert_allclose(procrustes(X, Y), expected, atol=1e-6)


@pytest.mark.parametrize(("d", "k"), [(4, 6), (6, 4), (5, 5)])
def test_no_other_orthonormal_matrix_does_better_than_procrustes(d: int, k: int) -> None:
    X, Y = sides(1, d=d, k=k)
    W = procrustes(X, Y)
    short = min(d, k)
    np.testing.assert_allclose(W @ W.T if d <= k else W.T @ W, np.eye(short), atol=1e-9)

    def loss(V: Array) -> float:
        """d > k: of the way back, whose rows keep their lengths."""
        return float(np.square(X @ V - Y).sum() if d <= k else np.square(X - Y @ V.T).sum())

    for seed in range(20):
        near = rotation(d, seed) @ W  # anywhere
        turned = scipy.linalg.expm(0.01 * (rotation(d, seed) - rotation(d, seed).T)) @ W  # nearby
        assert loss(W) < min(loss(near), loss(turned))


@pytest.mark.parametrize("penalty", [0.0, 0.1, 30.0])
def test_ridge_is_least_squares_of_longer_matrices(penalty: float) -> None:
    X, Y = sides(2, d=7, k=4)
    longer = np.concatenate([X, np.sqrt(penalty) * np.eye(7)])
    expected = np.linalg.lstsq(longer, np.concatenate([Y, np.zeros((7, 4))]), rcond=None)[0]
    np.testing.assert_allclose(ridge(X, Y, penalty), expected, atol=1e-6)


def test_ridge_has_no_slope_at_its_map() -> None:
    X, Y = sides(5)
    W = ridge(X, Y, 2.0)
    np.testing.assert_allclose(X.T @ (X @ W - Y) + 2.0 * W, 0, atol=1e-9)


def test_ridge_with_fewer_lines_than_dimensions_needs_a_penalty() -> None:
    X, Y = sides(6, n=4)
    assert np.isfinite(ridge(X, Y, 0.1)).all()
    with pytest.raises(ValueError, match="the lines determine no map of 7 dimensions"):
        ridge(X, Y, 0.0)


def test_the_penalty_is_chosen_by_lines_held_out() -> None:
    """Few noisy lines: the least penalty fits the noise, the largest is too small a map to err less."""
    rng = np.random.default_rng(7)
    map_ = rng.normal(size=(30, 30))
    X = rng.normal(size=(35, 30))
    held = rng.normal(size=(200, 30))
    noisy, right = X @ map_ + 4 * rng.normal(size=X.shape), held @ map_
    found = ridge_by_development(X, noisy, held, right, penalties=(1e-6, 3.0, 1e6))
    assert [one.penalty for one in found.scores] == [1e-6, 3.0, 1e6]
    assert found.penalty == max(found.scores, key=lambda one: (one.accuracy, -one.error)).penalty == 3.0
    np.testing.assert_allclose(found.matrix, ridge(X, noisy, 3.0), atol=1e-9)
    errors = [np.square(held @ ridge(X, noisy, one.penalty) - right).sum(1).mean() for one in found.scores]
    np.testing.assert_allclose([one.error for one in found.scores], errors)


def test_of_equal_accuracy_the_error_decides() -> None:
    X, Y = sides(8)
    found = ridge_by_development(X, Y, [[1.0] * 7], [[1.0] * 7], penalties=(0.0, 1.0, 50.0))
    assert {one.accuracy for one in found.scores} == {1.0}
    assert found.penalty == min(found.scores, key=lambda one: one.error).penalty
    assert isinstance(found.scores[0], Score)


def test_bad_input() -> None:
    X, Y = sides(9)
    broken = X.copy()
    broken[5, 2] = np.nan
    for learn in (procrustes, lambda a, b: ridge(a, b, 1.0)):
        with pytest.raises(ValueError, match="row 5 of vectors of the first side is not finite"):
            learn(broken, Y)
        with pytest.raises(ValueError, match="60 vectors and 59"):
            learn(X, Y[1:])
        with pytest.raises(ValueError, match=r"shape \(0, 7\)"):
            learn(X[:0], Y[:0])
        with pytest.raises(ValueError, match=r"shape \(7,\)"):
            learn(X[0], Y)
    with pytest.raises(ValueError, match="row 5 of vectors is not finite"):
        normalised(broken)
    with pytest.raises(ValueError, match="a penalty of -1"):
        ridge(X, Y, -1)
    with pytest.raises(ValueError, match="no penalty"):
        ridge_by_development(X, Y, X, Y, penalties=())
    with pytest.raises(ValueError, match="lines held out have 6 and 7 dimensions, not 7 and 7"):
        ridge_by_development(X, Y, X[:, 1:], Y)
