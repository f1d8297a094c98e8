import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.duplicates.similarity import similarities

SETS = st.lists(st.tuples(st.sets(st.integers(0, 30)), st.sets(st.integers(0, 30))), max_size=8)


def cells(sets: list[set[int]]) -> pa.Array:
    return pa.array([np.array(sorted(one), "<u4").tobytes() for one in sets], pa.binary())


@given(SETS)
def test_both_measures_are_those_of_sets(pairs: list[tuple[set[int], set[int]]]) -> None:
    first, second = cells([a for a, _ in pairs]), cells([b for _, b in pairs])
    jaccard = [len(a & b) / len(a | b) if a | b else 0.0 for a, b in pairs]
    containment = [len(a & b) / min(len(a), len(b)) if a and b else 0.0 for a, b in pairs]
    assert similarities(first, second, "jaccard").tolist() == jaccard
    assert similarities(first, second, "containment").tolist() == containment


def test_slices_and_the_largest_values() -> None:
    top = (1 << 32) - 1
    first, second = cells([{1}, {top, 5, 1 << 31}, {9}]), cells([{1}, {top, 1 << 31}, {8}])
    assert similarities(first.slice(1), second.slice(1), "jaccard").tolist() == pytest.approx([2 / 3, 0])


def test_exact_fractions_meet_the_threshold() -> None:
    """0.8 of ten shingles is 0.8, not a little less."""
    for n, shared in ((5, 4), (10, 8), (1000, 800)):
        first, second = cells([set(range(n))]), cells([set(range(shared))])
        assert similarities(first, second, "jaccard")[0] >= 0.8
