"""Kept copies of clusters, beside every text compared with every kept copy."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.duplicates import kept_copies as module
from pipeline.duplicates.kept_copies import Likeness, kept_copies, stream

JACCARD = Likeness(0.5, "jaccard", True)
# A cluster, the shingles, and whether its own crawl kept a document of the text.
TEXTS = st.lists(st.tuples(st.integers(0, 2), st.frozensets(st.integers(0, 6), max_size=5), st.booleans()), max_size=30)
Text = tuple[int, frozenset[int], bool]


def share(one: frozenset[int], other: frozenset[int], measure: str = "jaccard") -> float:
    whole = min(len(one), len(other)) if measure == "containment" else len(one | other)
    return len(one & other) / whole if whole else 0.0


def expected(texts: list[Text], likeness: Likeness) -> list[int]:
    copies: list[int] = []
    for place, (cluster, own, stays) in enumerate(texts):
        kept = [other for other in dict.fromkeys(copies) if texts[other][0] == cluster]
        near = [other for other in kept if share(own, texts[other][1], likeness.measure) >= likeness.threshold]
        if likeness.measure == "none" or not likeness.keep_unlike:
            near = kept
        copies.append(near[0] if near else place if stays or not kept else kept[0])
    return copies


def shingles(texts: list[Text]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    cells = [np.array(sorted(own), np.uint32) for _, own, _ in texts]
    ends = np.cumsum([0, *map(len, cells)])
    return np.concatenate([np.empty(0, np.uint32), *cells]), ends[:-1], ends[1:]


def batches(texts: list[Text], rows: int) -> Iterator[pa.RecordBatch]:
    for begin in range(0, len(texts), rows):
        some = texts[begin : begin + rows]
        yield pa.record_batch(
            {
                "component": pa.array([cluster for cluster, _, _ in some], pa.int64()),
                "stays": pa.array([stays for _, _, stays in some], pa.bool_()),
                "node": pa.array(range(begin, begin + len(some)), pa.int64()),
                "id": pa.array([f"id{n}" for n in range(begin, begin + len(some))]),
                "age": pa.array([0] * len(some), pa.int32()),
                "shingles": pa.array([np.array(sorted(own), "<u4").tobytes() for _, own, _ in some], pa.binary()),
            }
        )


@given(TEXTS, st.sampled_from(["jaccard", "containment", "none"]), st.booleans(), st.integers(1, 9))
def test_each_text_goes_to_the_first_kept_copy_that_it_is_like(
    given_texts: list[Text], measure: str, keep_unlike: bool, rows: int
) -> None:
    """At once, and in batches of any size."""
    texts = sorted(given_texts, key=lambda text: text[0])
    likeness = Likeness(0.5, measure, keep_unlike)
    clusters, stays = (
        np.array([text[place] for text in texts], kind) for place, kind in ((0, np.int64), (2, np.bool_))
    )
    copies, shares = kept_copies(clusters, stays, shingles(texts), likeness)
    assert copies.tolist() == expected(texts, likeness)
    for place, copy in enumerate(copies.tolist()):
        if copy != place and measure == "none":
            assert np.isnan(shares[place])
        else:
            assert shares[place] == (1.0 if copy == place else share(texts[place][1], texts[copy][1], measure))
    parts = list(stream(batches(texts, rows), likeness))
    assert [node for part in parts for node in part.nodes.tolist()] == copies.tolist()
    assert [name for part in parts for name in part.ids.to_pylist()] == [f"id{copy}" for copy in copies.tolist()]
    first = np.searchsorted(clusters, clusters)
    apart = (copies == np.arange(len(texts))) & (first != np.arange(len(texts)))
    assert [one for part in parts for one in part.apart.tolist()] == apart.tolist()
    assert [name for part in parts for name in part.first_ids.to_pylist()] == [f"id{place}" for place in first]
    np.testing.assert_array_equal(np.concatenate([np.empty(0), *(part.shares for part in parts)]), shares)


@pytest.mark.parametrize("rows", [7, 1000])
def test_a_cluster_of_unlike_texts_costs_its_size(rows: int) -> None:
    """A text is compared with the first and the latest kept copies: one that is like the first of all goes to it, one
    that is like a copy long past is kept."""
    many = 3 * module.LATEST
    texts: list[Text] = [(1, frozenset({10 * n, 10 * n + 1}), True) for n in range(many)]
    texts += [(1, texts[place][1], True) for place in (0, 5, many - 5)]
    found = [node for part in stream(batches(texts, rows), JACCARD) for node in part.nodes.tolist()]
    assert found == [*range(many), 0, many + 1, many - 5]
