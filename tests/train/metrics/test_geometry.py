"""Isotropy against brute force, and against what is known of vectors made so."""

import numpy as np
import pytest

from train.metrics.geometry import effective_rank, isoscore, mean_cosine, partition_ratio

ALL = (mean_cosine, partition_ratio, isoscore, effective_rank)


def normal(seed: int, count: int, dimensions: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, dimensions))


def isoscore_by_the_paper(points: np.ndarray) -> float:
    """Its algorithm, step by step, through scikit-learn's PCA."""
    from sklearn.decomposition import PCA

    n = points.shape[1]
    covariance = np.cov(PCA(n_components=n).fit_transform(points).T)
    diagonal = np.diag(covariance) * np.sqrt(n) / np.linalg.norm(np.diag(covariance))
    defect = np.linalg.norm(diagonal - np.ones(n)) / np.sqrt(2 * (n - np.sqrt(n)))
    dimensions = (n - defect**2 * (n - np.sqrt(n))) ** 2 / n
    return (dimensions - 1) / (n - 1)


@pytest.mark.parametrize("seed", range(5))
def test_mean_cosine_is_over_all_pairs(seed: int) -> None:
    from sklearn.metrics.pairwise import cosine_similarity

    vectors = normal(seed, 40, 7) + seed
    vectors[3] = 0
    cosines = cosine_similarity(vectors)
    assert mean_cosine(vectors) == pytest.approx(cosines[~np.eye(40, dtype=bool)].mean())


def test_mean_cosine_of_one_way_and_of_opposites() -> None:
    assert mean_cosine(np.ones((9, 4)) * np.arange(1, 10)[:, None]) == pytest.approx(1)
    assert mean_cosine([[1, 2], [-1, -2]]) == pytest.approx(-1)
    assert mean_cosine(np.eye(6)) == pytest.approx(0)


@pytest.mark.parametrize("seed", range(5))
def test_partition_ratio_by_its_formula(seed: int) -> None:
    vectors = normal(seed, 50, 6) * 0.5 + 0.2 * seed
    _, directions = np.linalg.eig(vectors.T @ vectors)
    sums = [np.exp(sign * (vectors @ c)).sum() for c in directions.T for sign in (1, -1)]
    assert partition_ratio(vectors) == pytest.approx(min(sums) / max(sums))


def test_partition_ratio_tells_a_cone_and_does_not_overflow() -> None:
    ball = normal(0, 20_000, 5) * 0.3
    assert partition_ratio(ball) > 0.9 > 0.1 > partition_ratio(ball + 2)
    assert partition_ratio((ball + 2) * 1e3) == 0
    assert partition_ratio(np.zeros((3, 2))) == 1


@pytest.mark.parametrize("seed", range(5))
def test_isoscore_by_the_paper_s_algorithm(seed: int) -> None:
    vectors = normal(seed, 60, 6) * (np.arange(6) + 1) ** seed + seed
    assert isoscore(vectors) == pytest.approx(isoscore_by_the_paper(vectors))


@pytest.mark.parametrize("dimensions", [2, 3, 10])
def test_isoscore_is_the_share_of_dimensions_in_use(dimensions: int) -> None:
    """(k - 1) / (d - 1) for variance that is the same in k directions; where the vectors lie does not matter."""
    for used in range(1, dimensions + 1):
        axes = np.zeros((2 * used, dimensions))
        axes[np.arange(used), np.arange(used)] = 3
        axes[used + np.arange(used), np.arange(used)] = -3
        assert isoscore(axes) == pytest.approx((used - 1) / (dimensions - 1), abs=1e-9)
        assert isoscore(axes * 1e-6 + 0.5) == pytest.approx((used - 1) / (dimensions - 1), abs=1e-4)


def test_isoscore_of_vectors_that_are_one_is_0() -> None:
    assert isoscore(np.full((100, 4), 0.1)) == isoscore(np.zeros((2, 4))) == 0.0
    assert isoscore(np.array([[1.0, 0, 0], [0, 0, 0]])) == pytest.approx(0, abs=1e-9)  # fewer than dimensions


@pytest.mark.parametrize(("count", "dimensions"), [(30, 8), (8, 30), (1, 5), (5, 1)])
def test_effective_rank_by_singular_values(count: int, dimensions: int) -> None:
    vectors = normal(count, count, dimensions) * (np.arange(dimensions) + 1)
    values = np.linalg.svd(vectors, compute_uv=False)
    shares = values / values.sum()
    assert effective_rank(vectors) == pytest.approx(np.exp(-(shares * np.log(shares)).sum()), rel=1e-6)


def test_effective_rank_of_what_is_known() -> None:
    assert effective_rank(np.eye(5)) == pytest.approx(5)
    assert effective_rank(np.ones((7, 3))) == pytest.approx(1, abs=1e-5)
    assert effective_rank(np.zeros((4, 3))) == 0
    assert effective_rank(np.eye(3) * 1e-200) == pytest.approx(3)


@pytest.mark.parametrize("measure", ALL)
def test_order_and_turns_change_nothing(measure) -> None:
    vectors = normal(9, 50, 6) * 0.4 + 0.3
    turned, _ = np.linalg.qr(normal(10, 6, 6))
    value = measure(vectors)
    assert measure(vectors[::-1]) == pytest.approx(value)
    assert measure(vectors @ turned) == pytest.approx(value)
    assert measure(vectors.astype(np.float32)) == pytest.approx(value, rel=1e-4)


@pytest.mark.parametrize("measure", ALL)
def test_what_has_no_geometry_is_refused(measure) -> None:
    for vectors, said in (
        (np.ones(3), "shape"),
        (np.ones((2, 0)), "shape"),
        (np.ones((0, 3)), "0 vectors"),
        ([[1, 2], [np.nan, 1]], "finite"),
    ):
        with pytest.raises(ValueError, match=said):
            measure(vectors)


def test_what_needs_two_says_so() -> None:
    for measure in (mean_cosine, isoscore):
        with pytest.raises(ValueError, match="1 vectors: 2 are needed"):
            measure(np.ones((1, 3)))
    with pytest.raises(ValueError, match="one dimension"):
        isoscore(np.ones((3, 1)))
