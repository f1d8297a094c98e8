"""The probe's regression against plain gradient descent in NumPy, and what it says of features made for it."""

import time

import numpy as np
import pytest

from train.corpus.hashing import combine
from train.telemetry.probe import STRENGTH, centred, fit, probe


def clusters(counts: list[int], width: int, distance: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Normal clouds, one a language, whose means are so far from each other."""
    draw = np.random.default_rng(seed)
    means = draw.normal(size=(len(counts), width))
    means *= distance / np.linalg.norm(means, axis=1, keepdims=True)
    language = np.repeat(np.arange(len(counts)), counts)
    return means[language] + draw.normal(size=(len(language), width)), language


def keys_of(count: int) -> np.ndarray:
    return combine(7, np.arange(count))


def test_the_regression_is_the_minimum_of_its_loss() -> None:
    """By gradient descent to the end, all classes alike; only their bias' common part is free."""
    features, classes = clusters([40, 10, 25], 4, 1.0)
    weight, bias = fit(features, classes)
    rows, counts = len(classes), np.bincount(classes)
    share = 1 / (3 * counts[classes])
    onehot = np.eye(3)[classes]
    w, b = np.zeros((3, 4)), np.zeros(3)
    for _ in range(20_000):
        logits = features @ w.T + b
        powers = np.exp(logits - logits.max(1, keepdims=True))
        error = share[:, None] * (powers / powers.sum(1, keepdims=True) - onehot)
        w -= 0.5 * (error.T @ features + w / (STRENGTH * rows))
        b -= 0.5 * error.sum(0)
    np.testing.assert_allclose(weight, w, atol=1e-4)
    np.testing.assert_allclose(bias - bias.mean(), b - b.mean(), atol=1e-4)


def test_the_regression_is_scikit_learn_s() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model", reason="no scikit-learn: pip install scikit-learn")
    features, classes = clusters([40, 10, 25], 4, 1.0)
    theirs = linear_model.LogisticRegression(C=STRENGTH, class_weight="balanced", tol=1e-8, max_iter=1000)
    theirs.fit(features, classes)
    weight, bias = fit(features, classes)
    np.testing.assert_allclose(weight, theirs.coef_, atol=1e-3)
    np.testing.assert_allclose(bias - bias.mean(), theirs.intercept_ - theirs.intercept_.mean(), atol=1e-3)


def test_languages_that_lie_apart_are_told_and_centring_takes_that_away() -> None:
    features, language = clusters([400, 300, 300], 12, 6.0)
    found = probe(features.astype(np.float32), language, keys_of(1000))
    assert found is not None
    assert found["accuracy"] > 0.99 and found["balanced_accuracy"] > 0.99
    test = (keys_of(1000) & np.uint64(1)) == 1
    assert found["majority"] == np.bincount(language[test]).max() / test.sum()
    assert abs(found["centred_accuracy"] - 1 / 3) < 0.1 and found["sequences"] == 1000


def test_noise_is_told_no_better_than_chance() -> None:
    features, language = clusters([900, 100], 8, 0.0)
    found = probe(features, language, keys_of(1000))
    assert found is not None and found["majority"] > 0.85
    assert abs(found["balanced_accuracy"] - 0.5) < 0.12
    # Balanced in its training, it does not gain by naming the larger one.
    assert found["accuracy"] < found["majority"]


def test_balanced_accuracy_is_a_mean_over_languages_and_unknown_ones_are_missed() -> None:
    features, language = clusters([60, 60, 1], 6, 8.0, seed=3)
    keys = keys_of(121)
    keys[-1] = 1  # the only one of its language is in the half that is asked
    found = probe(features, language, keys)
    test = (keys & np.uint64(1)) == 1
    assert found is not None
    assert found["accuracy"] == pytest.approx(1 - 1 / test.sum())
    assert found["balanced_accuracy"] == pytest.approx(2 / 3)


def test_where_there_is_nothing_to_tell() -> None:
    features, language = clusters([10, 10], 3, 1.0)
    keys = keys_of(20)
    even = np.zeros(20, np.uint64)
    assert probe(features, np.zeros(20, np.int64), keys) is None
    assert probe(features, language, even) is None and probe(features, language, even + np.uint64(1)) is None
    assert probe(np.full_like(features, np.nan), language, keys) is None
    assert probe(features[:0], language[:0], keys[:0]) is None
    constant = probe(np.ones_like(features), language, keys)
    assert constant is not None and 0 <= constant["accuracy"] <= 1


def test_centring_by_hand() -> None:
    features = np.array([[1.0, 2], [3, 4], [10, 10], [5, 5]])
    train = np.array([True, True, False, False])
    found = centred(features, np.array([0, 0, 0, 1]), train)
    assert found.tolist() == [[-1, -1], [1, 1], [8, 7], [5, 5]]


def test_it_is_quick_and_the_same_each_time_and_near_for_features_that_are() -> None:
    features, language = clusters([50] * 100, 128, 4.0)
    keys = keys_of(5000)
    began = time.process_time()
    found = probe(features, language, keys)
    assert time.process_time() - began < 10
    assert found == probe(features, language, keys) and found is not None
    other = probe(features + 1e-7 * np.random.default_rng(1).normal(size=features.shape), language, keys)
    assert other is not None
    assert all(other[key] == pytest.approx(found[key], abs=1e-3) for key in found)
