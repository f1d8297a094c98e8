"""Dictionaries out of vectors and of words, and what self-learning makes of them."""

import numpy as np
import pytest
from numpy.typing import NDArray

from train.alignment.criterion import criterion
from train.alignment.mutual_pairs import mutual_pairs
from train.alignment.normalising import normalised
from train.alignment.procrustes import procrustes
from train.alignment.self_learning import refined, self_learning
from train.alignment.unsupervised import rotation

Array = NDArray[np.float64]


def scores(X: Array, Y: Array) -> Array:
    """CSLS with 10 neighbours, by sorting all cosines."""
    cos = (X / np.linalg.norm(X, axis=1)[:, None]) @ (Y / np.linalg.norm(Y, axis=1)[:, None]).T
    near = [np.sort(one, axis=1)[:, -10:].mean(1) for one in (cos, cos.T)]
    return np.asarray(2 * cos - near[0][:, None] - near[1])


def words(count: int, d: int = 20, seed: int = 0) -> Array:
    """Vectors in clusters with some far words, as those of words are."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(12, d)) * np.linspace(2, 0.3, d)
    found = centres[rng.integers(12, size=count)] + 0.7 * rng.standard_t(4, size=(count, d)) * np.linspace(1.5, 0.5, d)
    return np.asarray(normalised(found).vectors, np.float64)


@pytest.mark.parametrize(("rank", "chunk"), [(1000, None), (40, 7), (25, 1)])
def test_mutual_pairs_are_those_of_all_scores(rank: int, chunk: int | None) -> None:
    X = words(90)
    Y = (X + 0.1 * np.random.default_rng(1).normal(size=X.shape))[np.random.default_rng(2).permutation(90)][:70]
    table = scores(X[:rank], Y[:rank])
    expected = [
        (i, j)
        for i, j in np.ndindex(table.shape)
        if table[i].argmax() == j and table[:, j].argmax() == i
    ]  # fmt: skip
    found = mutual_pairs(X, Y, rank, chunk)
    assert expected and found.dtype == np.int64
    assert [tuple(one) for one in found.tolist()] == expected


def test_the_criterion_is_the_mean_cosine_of_the_nearest() -> None:
    X, Y = words(60), words(50, seed=3)
    for count in (1000, 30):
        nearest = scores(X[:count], Y[:count]).argmax(1)
        cosines = [x @ Y[j] / np.linalg.norm(x) / np.linalg.norm(Y[j]) for x, j in zip(X[:count], nearest, strict=True)]
        assert criterion(3 * X, Y, count) == pytest.approx(np.mean(cosines), abs=1e-6)
    assert criterion(X, X) == pytest.approx(1)
    assert criterion(np.zeros((3, 20)), Y) == 0


def test_self_learning_takes_a_few_pairs_to_the_whole_rotation() -> None:
    X = words(400)
    turn, order = rotation(20, 5), np.random.default_rng(6).permutation(400)
    Y = (X @ turn + 0.02 * np.random.default_rng(7).normal(size=X.shape))[order]
    right = np.argsort(order)
    seed_pairs = np.stack([np.arange(12), right[:12]], 1)

    def precision(W: Array) -> float:
        return float((scores(X @ W, Y).argmax(1) == right).mean())

    told = list[tuple[int, float]]()
    found = self_learning(X, Y, seed_pairs, told=lambda number, value: told.append((number, value)))
    assert precision(procrustes(X[:12], Y[right[:12]])) < 0.9 < 0.99 < precision(found.matrix)
    assert found.criterion == max(found.history) == pytest.approx(criterion(X @ found.matrix, Y))
    assert told == list(enumerate(found.history))[1:] and len(found.pairs) == len(told)
    # It ended as soon as the criterion grew no more, and has grown until then.
    assert all(later > before for before, later in zip(found.history[:-2], found.history[1:-1], strict=True))
    assert found.history[-1] - found.history[-2] < 1e-6
    assert found.pairs[-1] > 390


@pytest.mark.parametrize(("rank", "count"), [(15_000, 10_000), (200, 120), (120, 200), (120, 120)])
def test_what_the_criterion_and_the_dictionary_share_changes_neither(rank: int, count: int) -> None:
    """Every round against mutual pairs and the criterion asked one by one."""
    X = words(250)
    Y = words(230, seed=4)
    W = rotation(20, 9)
    found = refined(X, Y, W, rounds=3, rank=rank, words=count)
    history, pairs = [criterion(X @ W, Y, count)], []
    for _ in range(3):
        known = mutual_pairs(X @ W, Y, rank)
        W = procrustes(X[known[:, 0]], Y[known[:, 1]])
        history.append(criterion(X @ W, Y, count))
        pairs.append(len(known))
    assert found.history == pytest.approx(history, abs=1e-6) and found.pairs == tuple(pairs)


def test_refinement_has_all_its_rounds_and_keeps_the_best() -> None:
    X = words(300)
    turn = rotation(20, 8)
    found = refined(X, X @ turn, turn, rounds=3)
    assert found.best == 0 and len(found.history) == 4, "nothing is better than the truth"
    np.testing.assert_array_equal(found.matrix, turn)
    worse = refined(X, X @ turn, rotation(20, 9), rounds=4)
    assert len(worse.history) == 5 and worse.best == int(np.argmax(worse.history))
    assert worse.criterion < found.criterion


def test_sides_of_other_widths() -> None:
    X = words(300)
    wide = X @ rotation(26, 1)[:20]
    pairs = np.stack([np.arange(60)] * 2, 1)
    found = self_learning(X, wide, pairs)
    assert found.matrix.shape == (20, 26)
    assert (scores(X @ found.matrix, wide).argmax(1) == np.arange(300)).mean() > 0.99


def test_bad_input() -> None:
    X, Y = words(30), words(30, seed=1)
    for pairs in ([], [[0, 30]], [[-1, 0]], [[0.0, 1.0]], [0, 1]):
        with pytest.raises(ValueError, match=r"pairs have the shape|a pair names a row"):
            self_learning(X, Y, np.array(pairs))
    with pytest.raises(ValueError, match="a map of"):
        refined(X, Y, np.eye(19))
    with pytest.raises(ValueError, match="queries have 20 dimensions and keys 19"):
        mutual_pairs(X, Y[:, 1:])
    broken = Y.copy()
    broken[7] = np.nan
    for learn in (
        lambda: mutual_pairs(X, broken),
        lambda: criterion(X, broken),
        lambda: self_learning(X, broken, [[0, 0]]),
    ):
        with pytest.raises(ValueError, match="row 7 of vectors of the second side is not finite"):
            learn()
