"""Runs of windows as the engine brings them, in pieces that have all runs of their anchors."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.repeats.substring_tasks import CONTEXTS
from pipeline.stages.repeats import shared_substrings


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 9)), max_size=9), st.integers(1, 7))
def test_no_anchor_is_divided(runs: list[tuple[int, int]], rows_a_batch: int) -> None:
    anchors = np.repeat(np.arange(len(runs)), [n for n, _ in runs])
    sizes = np.repeat([size for _, size in runs], [n for n, _ in runs]).astype(int)
    numbers = pa.array(np.arange(len(anchors)))
    cells = pa.array([b"x" * size for size in sizes.tolist()], pa.large_binary())
    rows = pa.table([pa.array(anchors, pa.int64()), numbers, numbers, numbers, cells], schema=CONTEXTS)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(shared_substrings, "CHUNK_BYTES", 200)
        pieces = list(shared_substrings._by_anchor(rows.to_batches(rows_a_batch)))
    assert [n for piece in pieces for n in piece["node"].to_pylist()] == numbers.to_pylist()
    of_pieces = [set(piece["anchor"].to_pylist()) for piece in pieces]
    assert sum(map(len, of_pieces)) == len(set(anchors.tolist()))
    assert len(anchors) < 40 or len(pieces) > 1
