"""How much pages of one host count: against the sums written out, and against chance."""

import numpy as np
import pytest

from pipeline.drift.correlation import Correlation, Excess, correlation, effective, excesses, together


def by_hand(cluster: np.ndarray, hit: np.ndarray) -> float:
    """Design effect less 1."""
    share, names = hit.mean(), np.unique(cluster)
    squares = sum((hit[cluster == name].sum() - share * (cluster == name).sum()) ** 2 for name in names)
    return float(squares / (len(hit) * share * (1 - share)) * len(names) / (len(names) - 1) - 1)


def test_it_is_the_sum_over_clusters() -> None:
    rng = np.random.default_rng(1)
    group, cluster = rng.integers(0, 3, 500), rng.integers(0, 40, 500)
    category = rng.integers(0, 2, 500) | (cluster % 5 == 0)
    found = excesses(group, cluster, category)
    assert set(found) == {(g, c) for g in range(3) for c in range(2)}
    for (g, c), one in found.items():
        there = group == g
        assert one.over == pytest.approx(max(0.0, by_hand(cluster[there], category[there] == c)))
        assert (one.pages, one.clusters) == (there.sum(), len(np.unique(cluster[there])))


def test_a_row_may_stand_for_many_pages() -> None:
    group, cluster = np.zeros(30, np.int64), np.arange(30) % 12
    size, hits = np.arange(30) % 4 + 1, np.arange(30) % 4
    rows = np.repeat(np.arange(30), size)
    hit = np.concatenate([np.arange(n) < k for n, k in zip(size, hits, strict=True)]).astype(np.int64)
    weighed = excesses(group, cluster, group, size, hits)[0, 0]
    assert weighed.over == pytest.approx(max(0.0, by_hand(cluster[rows], hit)))


def test_copies_of_a_page_are_one_page() -> None:
    """Hosts of ten pages all alike: n pages count as a tenth."""
    cluster = np.repeat(np.arange(400), 10)
    hit = np.repeat(np.arange(400) % 2, 10)
    known = correlation(excesses(np.zeros_like(hit), cluster, hit)[0, 1], None)
    assert effective(4000, known, 2.0) == pytest.approx(400, rel=0.02)


def test_a_tenth_of_the_pages_tells_of_all() -> None:
    """Hosts are spread over archives: in a part of the corpus each has fewer pages, and the whole follows."""
    rng = np.random.default_rng(2)
    cluster = np.repeat(np.arange(3000), 40)
    hit = (rng.random(len(cluster)) < np.repeat(rng.beta(2, 2, 3000), 40)).astype(np.int64)
    part = rng.random(len(cluster)) < 0.1
    zeros = np.zeros_like(hit)
    whole, tenth = (
        correlation(excesses(zeros[rows], cluster[rows], hit[rows])[0, 1], None)
        for rows in (np.ones(len(hit), bool), part)
    )
    assert effective(len(hit), tenth, 2.0) == pytest.approx(effective(len(hit), whole, 2.0), rel=0.1)
    assert effective(len(hit), whole, 2.0) < len(hit) / 7


def test_few_clusters_say_nothing() -> None:
    few = correlation(Excess(0.0, 100, 9), Excess(3.0, 100, 9))
    assert few == Correlation(0.0, 0, 1.0, 0)
    assert effective(100, few, 2.0) == 0
    both = together(few, correlation(Excess(1.0, 100, 50), Excess(3.0, 100, 12)))
    assert both == Correlation(0.01, 50, 4.0, 12)
    assert effective(100, both, 2.0) < 25
