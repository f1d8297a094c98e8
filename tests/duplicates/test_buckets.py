from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.duplicates import buckets
from pipeline.duplicates.buckets import Entries, pairs

Row = tuple[int, int, int, int, bool]  # bucket, order, node, size, earlier


def entries(rows: list[Row]) -> Entries:
    columns = [list(column) for column in zip(*rows, strict=True)] if rows else [[], [], [], [], []]
    kinds = (np.int64, np.int64, np.int64, np.int32, np.bool_)
    return Entries(*(np.array(column, kind) for column, kind in zip(columns, kinds, strict=True)))


def found(rows: list[Row], max_bucket: int = 8, least: float = 0.0, batch: int = 1000) -> list[tuple[int, int]]:
    ordered = sorted(rows)
    batches = [entries(ordered[at : at + batch]) for at in range(0, len(ordered), batch)]
    return [(int(a), int(b)) for part in pairs(batches, max_bucket, least) for a, b in part]


def bucket(size: int, number: int = 1, orders: int = 1) -> list[Row]:
    return [(number, i % orders, 100 * i + number, 10, False) for i in range(size)]


ROWS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 40), st.integers(1, 20), st.booleans()),
    max_size=60, unique_by=lambda row: (row[0], row[2]),
)  # fmt: skip


@given(ROWS, st.integers(1, 7), st.sampled_from([0.0, 0.5, 0.8]))
def test_small_buckets_are_compared_all_with_all(rows: list[Row], batch: int, least: float) -> None:
    expected = sorted(
        (min(one[2], other[2]), max(one[2], other[2]))
        for one, other in combinations(rows, 2)
        if one[0] == other[0] and not (one[4] and other[4])
        and min(one[3], other[3]) >= least * max(one[3], other[3]) - 1e-6
    )  # fmt: skip
    assert sorted(found(rows, 64, least, batch)) == expected


@given(ROWS, st.integers(2, 5), st.integers(1, 9))
@settings(max_examples=200)
def test_large_buckets_stay_linear_and_in_one_piece(rows: list[Row], max_bucket: int, batch: int) -> None:
    plain = [(one, order, node, 1, False) for one, order, node, _, _ in rows]
    edges = found(plain, max_bucket, 0.0, batch)
    assert len(edges) <= len(plain) * (max_bucket / 2 + 3)
    assert edges == found(plain, max_bucket, 0.0, 1000)
    for number in {row[0] for row in plain}:
        inside = {row[2] for row in plain if row[0] == number}
        reached, waiting = set(), {min(inside)}
        while waiting:
            node = waiting.pop()
            reached.add(node)
            waiting |= {b if a == node else a for a, b in edges if node in (a, b)} & inside - reached
        assert reached == inside


def test_a_hot_bucket_is_linear() -> None:
    for size in (1_000, 10_000):
        assert size <= len(found(bucket(size, orders=5), max_bucket=24, batch=999)) <= 15 * size


def test_texts_that_agree_in_the_order_too_are_compared_within_a_hot_bucket() -> None:
    """Two copies among many pages of one template share the next band: they lie side by side and meet."""
    rows = [(1, 1000 + i, node, 10, False) for i, node in enumerate(range(500))]
    rows += [(1, 7, 900, 10, False), (1, 7, 1900, 10, False)]
    assert (900, 1900) in found(rows)


def test_one_odd_text_breaks_no_chain() -> None:
    """Without all edges of any single text the others still hang together."""
    rows = bucket(60)
    edges = found(rows, max_bucket=6)
    nodes = [row[2] for row in rows]
    for odd in nodes:
        left = [edge for edge in edges if odd not in edge]
        reached, waiting = set(), {next(node for node in nodes if node != odd)}
        while waiting:
            node = waiting.pop()
            reached.add(node)
            waiting |= {b if a == node else a for a, b in left if node in (a, b)} - reached
        assert reached == set(nodes) - {odd}


def test_nothing_in() -> None:
    assert found([]) == []
    assert list(pairs([entries([]), entries([])], 8, 0.0)) == []


def test_a_bucket_of_far_too_many_texts_is_cut_and_its_parts_hang_together() -> None:
    """Half a million texts that agree in two bands: no part has many more than PART_TEXTS, and what the one band parts
    the other joins. A bucket beside it stays as it is."""
    names = np.random.default_rng(1).integers(0, 1 << 63, 500_000).astype(np.uint64)
    found = np.array([[7, 8]] * len(names), np.int64)
    found[:1000] = 9
    parts = buckets.hot(found[buckets.is_sampled(names)].ravel())
    assert parts[0].tolist() == [7, 8] and set(parts[1].tolist()) <= {2, 3}
    first, second = (buckets.cut(band, found[:, band], names, parts) for band in (0, 1))
    assert set(first[:1000].tolist()) == {9}
    for one, other in ((first, second), (second, first)):
        sizes = np.unique(one[1000:], return_counts=True)[1]
        assert len(sizes) >= 4 and sizes.max() <= 1.2 * buckets.PART_TEXTS
        for part in np.unique(one[1000:]):
            assert len(np.unique(other[1000:][one[1000:] == part])) > 1
    assert not len(buckets.hot(np.array([1, 2, 3]))[0])
