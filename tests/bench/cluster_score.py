"""Clusters of documents against the exact similarities of planted pairs.

Recall: share of the true pairs that have one cluster. Precision: of all pairs that have one cluster, the share that is
alike: joined by a chain of pairs that are no further than SLACK below the threshold. All in groups: no loop over pairs
of a cluster, so a template of 10^5 pages costs what 10^5 documents cost.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.errors import UserError

SLACK = 0.1
BINS = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)  # the last: the same shingles, exact copies for one


class Truth(NamedTuple):
    """`ids` string (n,) of all documents and `groups` (n,), a language and its script for one, which are scored apart
    too. `pairs`: a, b, jaccard, kind; those of the kind `template` do not count for recall, but apart."""

    ids: pa.Array
    groups: pa.Array
    pairs: pa.Table


def score(truth: Truth, clusters: pa.Table, threshold: float) -> dict[str, Any]:
    """Of `clusters` with columns id, cluster_id and kept_id (who is not among them is alone): counts, recall by bin of
    similarity, at the threshold and above, and precision. UserError for an id that no document has."""
    n = len(truth.ids)
    a, b, rows = (_places(column, truth.ids) for column in (truth.pairs["a"], truth.pairs["b"], clusters.column("id")))
    cluster = np.arange(n)  # who is in none is its own
    codes = _codes(clusters.column("cluster_id"))
    cluster[rows] = n + codes
    joined = cluster[a] == cluster[b]
    stays = np.ones(n, bool)
    stays[rows] = pc.equal(clusters["id"], clusters["kept_id"]).to_numpy()
    jaccard = truth.pairs["jaccard"].to_numpy()
    planted = pc.equal(truth.pairs["kind"], "family").to_numpy()
    alike = jaccard >= threshold
    near = jaccard >= threshold - SLACK
    family = components(n, zip(a[near].tolist(), b[near].tolist(), strict=True))
    groups = truth.groups.dictionary_encode()
    group = groups.indices.to_numpy()
    together, right = _pairs_in(codes), _pairs_in(codes, family[rows])
    found: dict[str, Any] = {
        "documents": n,
        "clustered": len(rows),
        "clusters": len(np.unique(codes)),
        "bins": {
            f"{low:.1f}" + (f"-{high:.1f}" if high else ""): _recall(
                joined, planted & (jaccard >= low) & ((jaccard < high) if high else True)
            )
            for low, high in zip(BINS, (*BINS[1:], None), strict=True)
        },
        "at_threshold": _recall(joined, planted & alike),
        "both_stay": int((stays[a] & stays[b] & planted & alike).sum()),  # pairs at the threshold and above
        "joined_pairs": together,
        "wrong_pairs": together - right,
        "precision": right / together if together else 1.0,
        "groups": {},
    }
    if not planted.all():
        found["template"] = _recall(joined, ~planted)
    for code, name in enumerate(groups.dictionary.to_pylist()):
        here = group[rows] == code
        # Pairs of two groups are wrong, and none's own.
        of, own = _pairs_in(codes[here]), _pairs_in(codes[here], family[rows][here])
        found["groups"][name] = {
            **_recall(joined, planted & alike & (group[a] == code)),
            "joined_pairs": of,
            "precision": own / of if of else 1.0,
        }
    return found


def components(n: int, edges: Iterable[tuple[int, int]]) -> np.ndarray:
    """By node of 0 to n - 1 the smallest node that edges join it with, int64."""
    parent = list(range(n))

    def top(node: int) -> int:
        while parent[node] != node:
            parent[node] = node = parent[parent[node]]
        return node

    for a, b in edges:
        one, other = top(a), top(b)
        parent[max(one, other)] = min(one, other)
    return np.array([top(node) for node in range(n)], np.int64)


def _places(wanted: pa.ChunkedArray, ids: pa.Array) -> np.ndarray:
    found = pc.index_in(wanted, value_set=ids)
    if found.null_count:
        strange = wanted.filter(pc.is_null(found))[0]
        raise UserError(f"no document has the id {strange}: give the clusters of this very table")
    return np.asarray(found.to_numpy(), np.int64)


def _codes(values: pa.ChunkedArray) -> np.ndarray:
    """Equal numbers for equal values, from 0 on."""
    return np.asarray(values.combine_chunks().dictionary_encode().indices, np.int64)


def _pairs_in(*keys: np.ndarray) -> int:
    """Pairs of rows that are equal in every key."""
    code = keys[0]
    for key in keys[1:]:
        code = code * (int(key.max(initial=0)) + 1) + key
    counts = np.unique(code, return_counts=True)[1]
    return int((counts * (counts - 1) // 2).sum())


def _recall(joined: np.ndarray, among: np.ndarray) -> dict[str, Any]:
    """Without a pair there is no recall: None."""
    pairs = int(among.sum())
    return {"pairs": pairs, "recall": int((joined & among).sum()) / pairs if pairs else None}
