import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.mixture.sums import BINS, bin_of, edge, merged, summed, unit


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(-(10**12), 10**12)), max_size=60), st.integers(1, 5))
def test_sums_are_those_of_a_dict_for_any_parts(pairs: list[tuple[int, int]], parts: int) -> None:
    expected: dict[int, int] = {}
    for key, value in pairs:
        expected[key] = expected.get(key, 0) + value
    keys, values = (
        (np.array(column, np.int64) for column in zip(*pairs, strict=True)) if pairs else (np.empty(0), np.empty(0))
    )
    found = merged([summed(keys[i::parts], values[i::parts], np.ones(len(keys[i::parts]))) for i in range(parts)])
    assert found.keys.tolist() == sorted(expected)
    assert found.values[:, 0].tolist() == [expected[key] for key in sorted(expected)]
    assert found.values[:, 1].sum() == len(pairs)
    assert found.of(3, 6).keys.tolist() == [key - 3 for key in sorted(expected) if 3 <= key < 6]


@given(st.floats(2**-32, 2**7))
def test_a_bin_holds_what_lies_between_its_edges(chance: float) -> None:
    number = int(bin_of(np.array([chance]))[0])
    assert edge(number) <= chance < edge(number + 1)
    assert edge(number + 1) / edge(number) < 1.004


def test_bins_are_in_order_and_have_ends() -> None:
    chances = np.sort(np.random.default_rng(0).random(1000)) + 1e-9
    assert (np.diff(bin_of(chances)) >= 0).all()
    assert bin_of(np.array([1e-30, 1e30])).tolist() == [0, BINS - 1]
    assert unit(np.array([0], np.uint32))[0] > 0 and unit(np.array([2**32 - 1], np.uint32))[0] < 1
