"""Neighbours equal brute force over all pairs in float64, whatever the chunk; ties never help."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from train.metrics.neighbours import METHODS, csls, csls_both_ways, nearest, retrieval_accuracy

Array = NDArray[np.float64]


def cosines(queries: Array, keys: Array) -> Array:
    found = np.zeros((len(queries), len(keys)))
    for i, x in enumerate(queries.astype(np.float64)):
        for j, y in enumerate(keys.astype(np.float64)):
            lengths = np.linalg.norm(x) * np.linalg.norm(y)
            found[i, j] = x @ y / lengths if lengths else 0
    return found


def scores(queries: Array, keys: Array, method: str, k: int) -> Array:
    """The formulas, pair by pair."""
    cos = cosines(queries, keys)
    if method == "cosine":
        return cos
    of_query = [np.mean(sorted(row)[::-1][:k]) for row in cos]
    of_key = [np.mean(sorted(column)[::-1][:k]) for column in cos.T]
    found = np.full_like(cos, -np.inf)
    for i, j in np.ndindex(cos.shape):
        if method == "csls":
            found[i, j] = 2 * cos[i, j] - of_query[i] - of_key[j]
        elif cos[i, j] >= sorted(cos[i])[::-1][:k][-1]:
            found[i, j] = cos[i, j] / ((of_query[i] + of_key[j]) / 2)
    return found


def vectors(seed: int, *sizes: int, dimensions: int = 8) -> list[Array]:
    """Of one cone, as encoders' are, so that no ratio is of a right angle; some keys near to everything."""
    generator = np.random.default_rng(seed)
    found = [generator.normal(size=(size, dimensions)) + 1.5 for size in sizes]
    found[-1][: sizes[-1] // 4] += 4
    return found


@pytest.mark.parametrize(("queries", "keys"), [(1, 1), (1, 7), (7, 1), (5, 3), (40, 40), (33, 60)])
@pytest.mark.parametrize("chunk", [None, 1, 7])
def test_nearest_and_csls_equal_brute_force(queries: int, keys: int, chunk: int | None) -> None:
    x, y = vectors(queries * 100 + keys, queries, keys)
    for k in (1, 3, 10, 100):  # more than there are keys, too
        found = nearest(x, y, k, chunk)
        truth = cosines(x, y)
        order = np.argsort(-truth, axis=1, kind="stable")[:, :k]
        assert found.indices.tolist() == order.tolist() and found.indices.dtype == np.int64
        assert np.allclose(found.scores, np.take_along_axis(truth, order, 1), atol=1e-6)
        found = csls(x, y, k, best=3, chunk=chunk)
        truth = scores(x, y, "csls", k)
        order = np.argsort(-truth, axis=1, kind="stable")[:, :3]
        assert np.allclose(found.scores, np.take_along_axis(truth, order, 1), atol=1e-5)
        assert np.allclose(np.take_along_axis(truth, found.indices, 1), found.scores, atol=1e-5)
        there, back = csls_both_ways(x, y, k, chunk)
        assert np.allclose(truth[np.arange(queries), there], truth.max(1), atol=1e-5) and there.dtype == np.int64
        assert np.allclose(truth[back, np.arange(keys)], truth.max(0), atol=1e-5) and len(back) == keys


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [1, 2, 9, 50])
@pytest.mark.parametrize("k", [None, 1, 3, 100])
def test_retrieval_equals_brute_force(method, size: int, k: int | None) -> None:
    x, y = vectors(size, size, size)
    y += x * 0.5
    truth = scores(x, y, method, k or {"csls": 10, "margin": 4}.get(method, 0))
    expected = (truth.argmax(1) == np.arange(size)).tolist()
    for chunk in (None, 1, 4):
        assert retrieval_accuracy(x, y, method, k=k, chunk=chunk).tolist() == expected
    if size == 50:
        assert 0 < sum(expected) < 50


def test_neighbours_of_a_key_may_be_looked_for_among_more_than_the_queries() -> None:
    """A few words that are asked, of many: as if all were asked, and the others' answers left out."""
    every, noise = vectors(7, 90, 90)
    keys, asked = every + noise, np.arange(5, 65)
    truth = retrieval_accuracy(every, keys, "csls")
    found = retrieval_accuracy(every[asked], keys, "csls", asked, around=every, chunk=8)
    assert found.tolist() == truth[asked].tolist() and 0 < found.sum() < len(found)
    cos = scores(every, keys, "csls", 10)
    assert found.tolist() == [cos[one].argmax() == one for one in asked]
    assert found.tolist() != retrieval_accuracy(every[asked], keys, "csls", asked).tolist()
    with pytest.raises(ValueError, match="dimensions"):
        retrieval_accuracy(every[asked], keys, "csls", asked, around=every[:, :3])


def test_methods_differ_and_csls_takes_from_what_is_near_to_everything() -> None:
    """One key lies in the middle of all queries; each query's own is a little further than that."""
    queries = np.eye(6) + 0.35
    own = np.eye(6) * 1.05 + np.roll(np.eye(6), 1, 1) * 0.95
    keys = np.concatenate([own, np.ones((1, 6))])
    right = np.arange(6)
    assert retrieval_accuracy(queries, keys, "cosine", right).sum() == 0
    assert retrieval_accuracy(queries, keys, "csls", right, k=3).sum() == 6


def test_nearest_equals_scikit_learn() -> None:
    from sklearn.neighbors import NearestNeighbors

    x, y = vectors(3, 30, 200)
    theirs = NearestNeighbors(n_neighbors=5, metric="cosine", algorithm="brute").fit(y).kneighbors(x)
    assert nearest(x, y, 5).indices.tolist() == theirs[1].tolist()


def test_equal_keys_come_by_their_number() -> None:
    keys = np.array([[0, 1], [1, 0], [2, 0], [1, 0], [0, -1], [3, 0], [1, 0]], np.float32)
    assert nearest([[1, 0]], keys, 3).indices.tolist() == [[1, 2, 3]]
    assert nearest([[1, 0]], keys, 7).indices.tolist() == [[1, 2, 3, 5, 6, 0, 4]]
    assert nearest([[1, 0]], keys).indices.tolist() == [[1]]
    assert nearest(np.ones((3, 4)), np.ones((9, 4)), 4).indices.tolist() == [[0, 1, 2, 3]] * 3


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [2, 17, 130])
def test_vectors_that_are_all_the_same_find_nothing(method, size: int) -> None:
    row = np.random.default_rng(0).normal(size=300)
    for same in (np.tile(row, (size, 1)), np.ones((size, 5)), np.zeros((size, 5))):
        assert not retrieval_accuracy(same, same, method).any()
        assert not retrieval_accuracy(same * np.arange(1, size + 1)[:, None], same, method).any()


@pytest.mark.parametrize("method", METHODS)
def test_a_wrong_key_as_near_as_the_right_one_is_a_miss(method) -> None:
    keys = np.concatenate([np.eye(4), np.eye(4)[:1]])
    assert retrieval_accuracy(np.eye(4), keys, method, right=[0, 1, 2, 3]).tolist() == [False, True, True, True]
    assert retrieval_accuracy(np.eye(4), keys, method, right=[{0, 4}, 1, 2, 3]).all()


@pytest.mark.parametrize("method", METHODS)
def test_several_keys_may_be_right_and_none(method) -> None:
    x, y = vectors(5, 6, 9)
    found = scores(x, y, method, {"csls": 10, "margin": 4}.get(method, 0)).argmax(1)
    right = [{int(best), 0} for best in found]
    assert retrieval_accuracy(x, y, method, right).all()
    wrong = [set(range(9)) - {int(best)} for best in found]
    assert not retrieval_accuracy(x, y, method, wrong).any()
    assert not retrieval_accuracy(x, y, method, [set()] * 6).any()
    assert retrieval_accuracy(x, y, method, found).all()
    assert retrieval_accuracy(x, y, method, [set(range(9))] * 6, chunk=4).all()


def test_a_vector_of_zeros_is_near_to_nothing() -> None:
    keys = np.array([[0.0, 0.0], [-1.0, 0.0], [1.0, 0.0]])
    found = nearest([[1.0, 0.0], [0.0, 0.0]], keys, 3)
    assert found.indices.tolist() == [[2, 0, 1], [0, 1, 2]]
    assert found.scores.tolist() == [[1, 0, -1], [0, 0, 0]]
    assert np.isfinite(csls(np.zeros((3, 2)), keys).scores).all()


@pytest.mark.parametrize("scale", [1e-40, 1e-20, 1e30])
def test_lengths_do_not_matter(scale: float) -> None:
    x, y = vectors(4, 10, 12)
    found = nearest(x * scale, y, 3)
    assert found.indices.tolist() == nearest(x, y, 3).indices.tolist()
    assert np.allclose(found.scores, nearest(x, y, 3).scores, atol=1e-4)


def test_what_is_given_is_left_as_it_is() -> None:
    x, y = (one.astype(np.float32) for one in vectors(6, 5, 5))
    before = x.copy(), y.copy()
    for method in METHODS:
        retrieval_accuracy(x, y, method)
    assert (x == before[0]).all() and (y == before[1]).all()


def test_no_queries_have_no_neighbours() -> None:
    none = np.empty((0, 4))
    assert nearest(none, np.ones((3, 4)), 2).indices.shape == (0, 2)
    assert csls(none, np.ones((3, 4))).scores.shape == (0, 1)
    assert retrieval_accuracy(none, np.ones((3, 4)), right=[]).shape == (0,)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 5), st.integers(0, 1000), st.sampled_from(METHODS))
@example(11, 2, 1, 684, "margin")  # means near 0, over which rounding is large
def test_the_chunk_changes_nothing(queries: int, keys: int, chunk: int, seed: int, method) -> None:
    generator = np.random.default_rng(seed)
    x, y = generator.integers(-2, 3, (queries, 3)), generator.integers(-2, 3, (keys, 3))
    right = generator.integers(keys, size=queries)
    whole = retrieval_accuracy(x, y, method, right)
    assert whole.tolist() == retrieval_accuracy(x, y, method, right, chunk=chunk).tolist()
    shuffled = generator.permutation(keys)  # as no order of the keys does
    places = np.argsort(shuffled)[right]
    assert whole.tolist() == retrieval_accuracy(x, y[shuffled], method, places).tolist()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: nearest(np.ones((2, 3)), np.ones((2, 4))), "queries have 3 dimensions and keys 4"),
        (lambda: nearest(np.ones((2, 3)), np.ones((0, 3))), "no keys"),
        (lambda: nearest(np.ones(3), np.ones((2, 3))), r"queries have the shape \(3,\)"),
        (lambda: nearest(np.ones((2, 3)), [[1, 1, 1], [1, np.nan, 1]]), "row 1 of keys is not finite"),
        (lambda: nearest([[1, np.inf]], np.ones((2, 2))), "row 0 of queries is not finite"),
        (lambda: nearest(np.ones((2, 3)), np.ones((2, 3)), 0), "0 neighbours"),
        (lambda: csls(np.ones((2, 3)), np.ones((2, 3)), 0), "0 neighbours"),
        (lambda: csls(np.ones((2, 3)), np.ones((2, 3)), best=0), "0 neighbours"),
        (lambda: retrieval_accuracy(np.ones((2, 3)), np.ones((3, 3))), "2 queries and 3 keys: say which"),
        (lambda: retrieval_accuracy(np.ones((2, 3)), np.ones((3, 3)), right=[0]), "1 right keys for 2 queries"),
        (lambda: retrieval_accuracy(np.ones((2, 3)), np.ones((3, 3)), right=[0, 3]), "0 to 3, and there are 3 keys"),
        (lambda: retrieval_accuracy(np.ones((2, 3)), np.ones((3, 3)), right=[-1, 0]), "-1 to 0"),
        (lambda: retrieval_accuracy(np.ones((2, 3)), np.ones((2, 3)), "dot"), "'dot' is no method: cosine, csls"),
    ],
)
def test_what_does_not_fit_is_refused(call, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        call()
