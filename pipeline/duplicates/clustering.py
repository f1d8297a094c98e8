"""Clusters of one crawl's signatures in the memory of one process: the same answer as `pipeline.stages.dedup.clusters`
gives in as many tasks as there are, without a shuffle.

About a kilobyte a document, and the shingles of those that have a candidate.
"""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh64_intdigest

from pipeline.duplicates import buckets, similarity, union_find
from schemas.dedup import CLUSTERS

COLUMNS = ["id", "text_hash", "n_shingles", "bands", "quality", "n_chars", "date", "language", "language_script"]
Shingles = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def cluster(
    signed: pa.Table, shingles_of: Shingles, threshold: float, verify: str, max_bucket: int, salt: int
) -> pa.Table:
    """Rows of schemas.dedup.CLUSTERS, in no order that matters.

    `signed`: COLUMNS of schemas.dedup.SIGNATURES, ids distinct, in any order. `shingles_of`: of rows, ascending, the
    shingles, uint32, and their places, one more than rows. `salt`: as in the stage.
    """
    nodes = node_hashes(signed["id"].combine_chunks(), salt)
    order = np.argsort(nodes)  # from here on a document is its place in the order of nodes
    signed = signed.take(pa.array(order))
    reps = _representatives(signed)
    pairs = _candidates(signed, reps, threshold if verify == "jaccard" else 0.0, max_bucket)
    shingles = _Shingles(shingles_of, order, pairs, verify)
    edges = pairs[shingles.similarities(pairs) >= threshold] if verify != "none" else pairs
    components = np.arange(len(signed))
    linked, roots = union_find.components(edges[:, 0].copy(), edges[:, 1].copy())
    components[linked] = roots
    components = components[reps]
    sizes = np.bincount(components, minlength=len(signed))
    members = np.flatnonzero(sizes[components] > 1)
    kept = _best(signed, members, components[members])  # of each member
    same = reps[members] == reps[kept]
    alike = np.where(same, 1.0, shingles.similarities(np.stack([reps[members], reps[kept]], 1), ~same))
    rows = signed.take(pa.array(members))
    reason = np.where(same, "exact", "minhash")
    none = pa.nulls(len(members), pa.string())
    columns = {
        "id": rows["id"],
        "cluster_id": signed["id"].take(pa.array(kept)),
        "minhash_cluster_size": pa.array(sizes[components[members]].astype(np.int64)),
        "drop_reason": pa.array(reason, pa.string(), mask=members == kept),
        "similarity": pa.array(alike, mask=np.isnan(alike)),
        "crawl": none,
        "cluster_crawl": none,
        "language": rows["language"],
        "language_script": rows["language_script"],
    }
    return pa.table([columns[name] for name in CLUSTERS.names], schema=CLUSTERS)


def node_hashes(ids: pa.Array, salt: int) -> np.ndarray:
    """Spark's xxhash64(salt, 0, id), int64: XXH64 of the parts, each seeded with the hash before it, from 42 on."""
    seed = xxh64_intdigest(salt.to_bytes(4, "little"), 42)
    seed = xxh64_intdigest(bytes(4), seed)
    return np.fromiter(
        (xxh64_intdigest(one, seed) for one in ids.cast(pa.binary()).to_pylist()), np.uint64, len(ids)
    ).view(np.int64)


def _representatives(signed: pa.Table) -> np.ndarray:
    """Of each document the preferred one of those with its text."""
    hashes = np.frombuffer(b"".join(signed["text_hash"].to_pylist()), "<u8").reshape(-1, 2)
    groups = _group_numbers(hashes)
    reps = np.arange(len(signed))
    shared = np.flatnonzero(np.bincount(groups, minlength=1)[groups] > 1)
    reps[shared] = _best(signed, shared, groups[shared])
    return reps


def _group_numbers(hashes: np.ndarray) -> np.ndarray:
    """A number for each row, equal for equal rows."""
    order = np.lexsort((hashes[:, 1], hashes[:, 0]))
    ordered = hashes[order]
    fresh = np.ones(len(hashes), bool)
    fresh[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    numbers = np.empty(len(hashes), np.int64)
    numbers[order] = np.cumsum(fresh) - 1
    return numbers


def _best(signed: pa.Table, rows: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """For each of the rows the preferred one of its group, by the order that `pipeline.stages.dedup` states."""
    few = signed.select(["quality", "n_chars", "date", "id"]).take(pa.array(rows))
    few = few.append_column("unknown", pc.equal(few["date"], ""))
    directions = ["descending", "descending", "ascending", "ascending", "ascending"]
    keys = list(zip(["quality", "n_chars", "unknown", "date", "id"], directions, strict=True))
    best_first = pc.sort_indices(few, sort_keys=keys).to_numpy()
    first = np.empty(int(groups.max(initial=-1)) + 1, np.int64)
    first[groups[best_first[::-1]]] = rows[best_first[::-1]]  # the last one written is the best
    return first[groups]


def _candidates(signed: pa.Table, reps: np.ndarray, least: float, max_bucket: int) -> np.ndarray:
    """Distinct pairs, int64 (n, 2), the smaller first, of representatives that share a band."""
    lists = signed["bands"].combine_chunks()
    counts = np.diff(lists.offsets.to_numpy())
    n_bands = int(counts.max(initial=0))
    rows = np.flatnonzero((counts > 0) & (reps == np.arange(len(signed))))
    if not len(rows):
        return np.empty((0, 2), np.int64)
    places = lists.offsets.to_numpy()[:-1][rows]
    values = lists.values.to_numpy()
    sizes = signed["n_shingles"].to_numpy()[rows]
    found: list[np.ndarray] = []
    for band in range(n_bands):
        bucket = values[places + band]
        by_bucket = np.argsort(bucket, kind="stable")
        equal = bucket[by_bucket[1:]] == bucket[by_bucket[:-1]]
        shared = np.zeros(len(rows), bool)
        shared[by_bucket[1:]] |= equal
        shared[by_bucket[:-1]] |= equal
        some = np.flatnonzero(shared)
        following = values[places[some] + (band + 1) % n_bands]
        some, following = (x[np.lexsort((some, following, bucket[some]))] for x in (some, following))
        entries = buckets.Entries(bucket[some], following, rows[some], sizes[some], np.zeros(len(some), bool))
        found.extend(buckets.pairs([entries], max_bucket, least))
    keys = np.unique(np.concatenate([pairs[:, 0] * len(signed) + pairs[:, 1] for pairs in found] or [rows[:0]]))
    return np.stack(np.divmod(keys, len(signed)), 1)


class _Shingles:
    """Those of the documents in some pair."""

    def __init__(self, shingles_of: Shingles, order: np.ndarray, pairs: np.ndarray, verify: str) -> None:
        self._measure = verify
        self._documents = np.unique(pairs)
        if verify == "none":
            return
        rows = order[self._documents]
        ascending = np.argsort(rows)
        self._values, places = shingles_of(rows[ascending])
        self._begins, self._ends = (np.empty(len(rows), np.int64) for _ in range(2))
        self._begins[ascending], self._ends[ascending] = places[:-1], places[1:]

    def similarities(self, pairs: np.ndarray, where: np.ndarray | None = None) -> np.ndarray:
        """float64 of each pair, NaN outside `where` and where nothing is verified."""
        out = np.full(len(pairs), np.nan)
        wanted = np.arange(len(pairs)) if where is None else np.flatnonzero(where)
        if self._measure != "none" and len(wanted):
            first, second = (np.searchsorted(self._documents, pairs[wanted, side]) for side in (0, 1))
            out[wanted] = similarity.of_pairs(self._values, self._begins, self._ends, first, second, self._measure)
        return out
