"""Bins of a step: whole sequences, in order, nothing passed over."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from train.data.packing import best_fit, pack_prefix


def test_best_fit_by_hand() -> None:
    # 6 and 5 open both bins; 4 fits only where 6 is; 3 and 2 fill the other; 1 has no room.
    assert best_fit(np.array([2, 6, 3, 1, 5, 4]), 2, 10, 99).tolist() == [1, 0, 1, -1, 1, 0]


def test_prefix_stops_before_what_does_not_fit() -> None:
    # 6 + 6 + 6 in two bins of 10: the third has to wait, and so has the 1 behind it.
    assert pack_prefix(np.array([6, 6, 6, 1]), 2, 10, 99).tolist() == [0, 1]


@given(
    st.lists(st.integers(3, 40), min_size=1, max_size=200), st.integers(1, 8), st.integers(40, 90), st.integers(1, 20)
)
def test_no_bin_overflows_and_no_sequence_is_passed_over(
    lengths: list[int], bins: int, capacity: int, most: int
) -> None:
    values = np.array(lengths)
    assigned = pack_prefix(values, bins, capacity, most)
    assert 1 <= len(assigned) <= len(values)
    assert assigned.min() >= 0 and assigned.max() < bins
    loads = np.bincount(assigned, values[: len(assigned)], minlength=bins)
    assert loads.max() <= capacity and np.bincount(assigned).max() <= most
    assert len(assigned) >= min(bins, len(values))


def test_bins_are_nearly_full() -> None:
    lengths = np.minimum(np.random.default_rng(0).geometric(1 / 300, 4000) + 2, 1024)
    assigned = pack_prefix(lengths, 24, 16384, 512)
    assert lengths[: len(assigned)].sum() > 0.99 * 24 * 16384
