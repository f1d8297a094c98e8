"""MUSE's game: its steps in NumPy, its rates by hand, and whether it finds a rotation."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from train.alignment import unsupervised
from train.alignment.adversarial import Played, play
from train.alignment.adversarial_settings import FULL, REDUCED, GameSettings
from train.alignment.discriminator import Discriminator
from train.alignment.map_rate import MapRate
from train.alignment.unsupervised import MARGIN, align_without_supervision, rotation

Array = NDArray[np.float64]
ONE_STEP = GameSettings(words=1, hidden=5, dropout=0.0, batch=3, epochs=1, epoch_words=3, beta=0.25)


def discriminate(parameters: list[Array], rows: Array, targets: Array) -> tuple[float, list[Array], Array]:
    """(binary cross-entropy, its gradients by parameter, by row): forwards and backwards by hand."""
    A, a, B, b, C, c = parameters
    before = rows @ A.T + a
    first = np.where(before > 0, before, 0.2 * before)
    between = first @ B.T + b
    second = np.where(between > 0, between, 0.2 * between)
    p = 1 / (1 + np.exp(-(second @ C.T + c)))
    loss = float(-(targets * np.log(p[:, 0]) + (1 - targets) * np.log(1 - p[:, 0])).mean())
    back = (p - targets[:, None]) / len(rows)
    of_second = back @ C * np.where(between > 0, 1, 0.2)
    of_first = of_second @ B * np.where(before > 0, 1, 0.2)
    gradients = [
        of_first.T @ rows,
        of_first.sum(0),
        of_second.T @ first,
        of_second.sum(0),
        back.T @ second,
        back.sum(0),
    ]
    return loss, gradients, of_first @ A


def test_a_step_of_the_game_is_numpy_s() -> None:
    """One word a side, so that what is drawn is known."""
    x, y = np.random.default_rng(0).normal(size=(2, 1, 4))
    with torch.random.fork_rng([]):
        torch.manual_seed(3)
        fresh = Discriminator(4, 5, 0.0)
    parameters = [one.detach().numpy().astype(np.float64) for one in fresh.parameters()]
    rows, targets = np.repeat([x[0], y[0]], 3, 0), np.repeat([0.9, 0.1], 3)
    losses = []
    for _ in range(5):
        loss, gradients, _ = discriminate(parameters, rows, targets)
        losses.append(loss)
        parameters = [one - 0.1 * gradient for one, gradient in zip(parameters, gradients, strict=True)]
    _, _, of_rows = discriminate(parameters, rows, 1 - targets)
    W = np.eye(4) - 0.1 * np.repeat(x, 3, 0).T @ of_rows[:3]
    W = 1.25 * W - 0.25 * W @ W.T @ W
    found = play(x, y, ONE_STEP, seed=3)
    assert not np.allclose(found.matrix, np.eye(4), atol=1e-4)
    np.testing.assert_allclose(found.matrix, W, atol=1e-6)
    assert found.losses == pytest.approx([np.mean(losses)], abs=1e-6)


def test_only_the_most_frequent_words_are_drawn() -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 1, 4))
    rare = np.random.default_rng(1).normal(size=(9, 4))
    more = play(np.concatenate([x, rare]), np.concatenate([y, -rare]), ONE_STEP, seed=3)
    np.testing.assert_array_equal(more.matrix, play(x, y, ONE_STEP, seed=3).matrix)


def test_the_input_is_dropped_out_and_nothing_else() -> None:
    discriminator = Discriminator(6, 7, 0.5)
    rows = torch.ones(400, 6)
    discriminator.train()
    assert len(torch.unique(discriminator(rows).detach())) > 30
    discriminator.eval()
    assert len(torch.unique(discriminator(rows).detach().round(decimals=5))) == 1
    assert [module.p for module in discriminator.modules() if isinstance(module, torch.nn.Dropout)] == [0.5]


def test_the_rate_decays_and_shrinks_from_the_second_fall_on() -> None:
    rate = MapRate(FULL)
    seen = [(rate.after_epoch(criterion), rate.value) for criterion in (0.5, 0.4, 0.6, 0.55, 0.6, 0.3)]
    decayed = [0.1 * 0.98**n for n in range(1, 7)]
    expected = [*decayed[:3], decayed[3] / 2, decayed[4] / 2, decayed[5] / 4]
    assert [higher for higher, _ in seen] == [True, False, True, False, False, False]
    assert [value for _, value in seen] == pytest.approx(expected)


def test_the_rate_falls_no_lower_by_decay() -> None:
    rate = MapRate(replace(FULL, rate=1e-6))
    rate.after_epoch(0.5)
    assert rate.value == FULL.least_rate
    rate.after_epoch(0.4)
    rate.after_epoch(0.4)
    assert rate.value < FULL.least_rate


def test_the_published_settings() -> None:
    assert (FULL.words, FULL.hidden, FULL.batch, FULL.discriminator_steps) == (75_000, 2048, 32, 5)
    assert (FULL.epoch_steps, FULL.steps) == (31_250, 156_250)
    assert REDUCED.steps < FULL.steps / 10


def words(count: int, d: int, seed: int = 0) -> Array:
    """Clusters of other sizes and spreads, no two directions alike."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(5, d)) * 1.5
    cluster = rng.choice(5, size=count, p=[0.4, 0.25, 0.2, 0.1, 0.05])
    return np.asarray(centres[cluster] + rng.exponential(size=(count, d)) * np.linspace(1.2, 0.3, d), np.float64)


QUICK = GameSettings(words=400, hidden=48, rate=0.5, epochs=2, epoch_words=200 * 32, scaled=True)


def test_a_rotation_is_found_without_a_dictionary() -> None:
    X = words(400, 10)
    turn = rotation(10, 1)
    Y = (X @ turn)[::-1]
    told = list[int]()
    before = torch.random.get_rng_state()
    found = align_without_supervision(X, Y, QUICK, seeds=(0,), advance=told.append)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert sum(told) == QUICK.steps and max(told) <= 100
    run = found.best
    assert not run.failed and run.criterion > found.threshold == np.median(found.chance) + MARGIN
    np.testing.assert_allclose(run.matrix, turn, atol=1e-3)


def test_the_same_seed_plays_the_same_game_and_another_another() -> None:
    X, short = words(100, 6), replace(QUICK, epochs=1, epoch_words=20 * 32)
    first, again, other = (play(X, X, short, seed).matrix for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-4


def test_what_has_nothing_in_common_fails_and_says_so() -> None:
    """Two sides of noise: the best seed is named, and that it failed."""
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(2, 200, 8))
    found = align_without_supervision(X, Y, replace(QUICK, epochs=1, epoch_words=60 * 32), seeds=(4, 2))
    assert [run.seed for run in found.runs] == [4, 2]
    assert all(run.failed for run in found.runs)
    assert found.best.criterion == max(run.criterion for run in found.runs)


def test_a_game_that_diverges_fails_and_ends() -> None:
    X = words(100, 6)
    settings = replace(QUICK, rate=1e6, epochs=3, epoch_words=60 * 32)
    found = align_without_supervision(1e6 * X, X @ rotation(6, 1), settings, seeds=(0,))
    run = found.runs[0]
    assert run.failed and found.failed and run.played.diverged
    assert run.why == f"the game diverged in epoch {len(run.played.history) + 1}" and len(run.played.history) < 2
    assert np.isfinite(run.matrix).all() and np.isfinite(run.played.losses).all()


def test_a_game_that_diverges_is_not_the_best_though_the_identity_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sides that lie alike from the start: what a lost game leaves has the highest criterion, and has won nothing."""
    X = words(200, 6)
    games = [
        Played(np.eye(6), (), (), diverged=True),
        Played(np.eye(6), (0.9,), (0.7,)),
        Played(np.eye(6), (0.9,), (0.7,), diverged=True),
    ]
    monkeypatch.setattr(unsupervised, "play", lambda X, Y, settings, seed, *more: games[seed])
    found = align_without_supervision(X, X + 0.01, QUICK, seeds=(0, 1, 2))
    assert [run.why for run in found.runs] == ["the game diverged in epoch 1", "", "the game diverged in epoch 2"]
    assert found.best.seed == 1 and not found.failed
    assert all(len(run.refined.history) == 1 for run in found.runs if run.failed)
    lost = align_without_supervision(X, X + 0.01, QUICK, seeds=(2, 0))
    assert lost.failed and lost.best.failed


def test_a_map_that_is_huge_has_diverged() -> None:
    """Finite yet, and no float32 holds what it makes of vectors."""
    X = words(100, 6)
    wild = replace(QUICK, beta=1.0, rate=30.0, epochs=1, epoch_words=2 * 32, scaled=False)
    found = play(1e4 * X, X, wild, 0)
    assert found.diverged and not found.history


def test_vectors_of_any_length_play_the_same_game_where_one_is_set() -> None:
    X, Y = words(50, 6), words(50, 6, seed=1)
    short = replace(QUICK, scaled=True, epochs=1, epoch_words=10 * 32)
    np.testing.assert_allclose(play(X, Y, short, 0).matrix, play(7 * X, Y / 9, short, 0).matrix, atol=1e-5)


def test_bad_input() -> None:
    X = words(30, 6)
    with pytest.raises(ValueError, match="sides of 6 and 5 dimensions"):
        align_without_supervision(X, X[:, 1:], QUICK, seeds=(0,))
    with pytest.raises(ValueError, match="sides of 6 and 5 dimensions"):
        play(X, X[:, 1:], QUICK, seed=0)
    for seeds in ((), (1, 1)):
        with pytest.raises(ValueError, match="one at least is needed, each once"):
            align_without_supervision(X, X, QUICK, seeds)
    with pytest.raises(ValueError, match="row 0 of vectors of the first side is not finite"):
        align_without_supervision(X * np.nan, X, QUICK, seeds=(0,))
