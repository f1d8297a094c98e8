"""Spikes of the loss: alarms that are due, and none that is not."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from train.loop.spikes import SkippedRange, SpikeDetector

SEEDS = st.integers(0, 2**32 - 1)


def curve(seed: int, logs: int, noise: float) -> NDArray[np.float64]:
    """A loss that falls from 10.5 towards 2 as training does, with normal noise."""
    steps = np.arange(logs)
    return 2.0 + 8.5 * (1 + steps / 10) ** -0.5 + np.random.default_rng(seed).normal(0, noise, logs)


@given(SEEDS, st.sampled_from([0.0, 0.003, 0.05, 0.2]))
def test_no_alarm_on_a_noisy_falling_curve(seed: int, noise: float) -> None:
    detector = SpikeDetector()
    assert all(detector.observe(step, loss) is None for step, loss in enumerate(curve(seed, 600, noise)))


@given(SEEDS, st.integers(60, 300), st.sampled_from([0.003, 0.05]), st.integers(1, 4))
def test_a_jump_that_stays_is_an_alarm_of_the_right_steps(seed: int, at: int, noise: float, patience: int) -> None:
    losses = curve(seed, 400, noise)
    spread = float(np.std(losses[at - 50 : at]))
    losses[at:] = losses[max(0, at - 100) : at].max() + 8 * spread + 1.0
    detector = SpikeDetector(window=100, factor=6.0, patience=patience)
    found = [detector.observe(10 * (number + 1), loss) for number, loss in enumerate(losses[: at + patience])]
    assert found[:-1] == [None] * (at + patience - 1)
    last = found[-1]
    assert last is not None and (last.step_from, last.step_to) == (10 * at + 1, 10 * (at + patience))
    assert last.loss == losses[at] and last.level == np.median(losses[max(0, at - 100) : at])


@given(SEEDS, st.integers(60, 300))
def test_a_single_high_loss_is_no_alarm_and_leaves_no_trace(seed: int, at: int) -> None:
    losses = curve(seed, 400, 0.05)
    one, other = SpikeDetector(patience=2), SpikeDetector(patience=2)
    for step, loss in enumerate(losses):
        if step == at:
            assert one.observe(step, loss + 50) is None and one.suspicious
        else:
            assert one.observe(step, loss) is None and not one.suspicious
            other.observe(step, loss)
    assert one.state() == other.state()


def by_hand(detector: SpikeDetector, losses: list[float]) -> list[SkippedRange | None]:
    return [detector.observe(step, loss) for step, loss in enumerate(losses, 1)]


def test_the_threshold_by_hand() -> None:
    """Median 5, deviations 2 1 0 1 2: their median 1, so that 5 + 2 * 1.4826 = 7.9652 is the threshold."""
    calm = [3.0, 4.0, 5.0, 6.0, 7.0]
    assert by_hand(SpikeDetector(5, 2.0, 1), [*calm, 7.965])[-1] is None
    assert by_hand(SpikeDetector(5, 2.0, 1), [*calm, 7.966])[-1] == SkippedRange(6, 6, 7.966, 5.0)


def test_a_flat_curve_has_room_of_a_share_of_the_loss() -> None:
    assert by_hand(SpikeDetector(10, 6.0, 1), [2.0] * 10 + [2.11]) == [None] * 11
    assert by_hand(SpikeDetector(10, 6.0, 1), [2.0] * 10 + [2.13])[-1] is not None


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_not_finite_is_an_alarm_at_once(bad: float) -> None:
    assert by_hand(SpikeDetector(), [bad]) == [SkippedRange(1, 1, None, None)]
    detector = SpikeDetector(patience=5)
    found = by_hand(detector, [3.0, 3.0, bad, 3.0])
    assert found == [None, None, SkippedRange(3, 3, None, 3.0), None]
    assert detector.state()["losses"] == [3.0] * 3


def test_the_first_half_window_gives_no_alarm() -> None:
    assert by_hand(SpikeDetector(10, 6.0, 1), [2.0] * 4 + [90.0]) == [None] * 5


def test_a_new_level_alarms_again_after_the_same_patience() -> None:
    found = by_hand(SpikeDetector(10, 6.0, 2), [2.0] * 10 + [9.0] * 4)
    assert [number for number, range_ in enumerate(found, 1) if range_] == [12, 14]


@given(SEEDS, st.integers(1, 150), st.integers(60, 120))
def test_a_state_that_was_stored_goes_on_as_if_never_stopped(seed: int, stop: int, at: int) -> None:
    losses = curve(seed, 200, 0.05)
    losses[at : at + 5] += 20
    whole, first, second = (SpikeDetector() for _ in range(3))
    expected = [whole.observe(step, loss) for step, loss in enumerate(losses)]
    found = [first.observe(step, loss) for step, loss in enumerate(losses[:stop])]
    second.restore(json.loads(json.dumps(first.state(), allow_nan=False)))
    found += [second.observe(step, loss) for step, loss in enumerate(losses[stop:], stop)]
    assert found == expected and any(found)
    assert second.state() == whole.state()


def test_a_smaller_window_takes_the_newest() -> None:
    detector, smaller = SpikeDetector(10), SpikeDetector(3)
    by_hand(detector, [1.0, 2.0, 3.0, 4.0, 5.0])
    smaller.restore(detector.state())
    assert smaller.state()["losses"] == [3.0, 4.0, 5.0]


@pytest.mark.parametrize("record", [SkippedRange(3, 9, 7.5, 2.25), SkippedRange(1, 1, None, None)])
def test_a_range_in_json(record: SkippedRange) -> None:
    assert SkippedRange.from_json(json.loads(json.dumps(record.as_json(), allow_nan=False))) == record
