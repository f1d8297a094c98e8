"""Clusters of signatures in the memory of one process: the same answer as `pipeline.stages.dedup.clusters` gives in as
many tasks as there are, without a shuffle.

About a kilobyte a document, and the shingles of those that have a candidate.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh64_intdigest

from pipeline.duplicates import buckets, similarity, union_find
from schemas.dedup import CLUSTERS

STORED = ["id", "text_hash", "n_shingles", "bands", "quality", "n_chars", "date", "language", "language_script"]
COLUMNS = [*STORED, "age"]
Shingles = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


class Comparison(NamedTuple):
    """What makes two texts copies: `threshold`, `verify` and `max_bucket` of `pipeline.config.DedupConfig`."""

    threshold: float
    verify: str
    max_bucket: int


def cluster(
    signed: pa.Table,
    shingles_of: Shingles,
    comparison: Comparison,
    salt: int,
    crawls: Sequence[str] = (),
    copies: pa.Table | None = None,
) -> pa.Table:
    """Rows of schemas.dedup.CLUSTERS, in no order that matters.

    `signed`: COLUMNS: of schemas.dedup.SIGNATURES, and `age` int32, the place of the row's crawl in `crawls`, their
    number for the new one; ids of a crawl are distinct. `shingles_of`: of rows, ascending, the shingles, uint32, and
    their places, one more than rows. `crawls`: fingerprints of earlier crawls, the first of all first; `copies`: rows
    of earlier_crawls.COPIES, what these know already. `salt`: as in the stage.
    """
    nodes = node_hashes(signed["id"], signed["age"].to_numpy(), salt)
    order = np.argsort(nodes)  # from here on a document is its place in the order of nodes
    signed, nodes = signed.take(pa.array(order)), nodes[order]
    is_new = signed["age"].to_numpy() == len(crawls)
    known = _known_edges(copies, crawls, salt)
    is_kept = np.ones(len(signed), np.bool_)  # by its own crawl
    is_kept[_places(nodes, known.documents[known.dropped])] = False
    signed = signed.append_column("dropped", pa.array(~is_kept))
    reps = _representatives(signed)
    least = comparison.threshold if comparison.verify == "jaccard" else 0.0
    pairs = _candidates(signed, reps, ~is_new, least, comparison.max_bucket)
    shingles = _Shingles(shingles_of, order, comparison.verify)
    edges = pairs[shingles.similarities(pairs) >= comparison.threshold] if comparison.verify != "none" else pairs
    components = _components(nodes, reps, edges, known)
    sizes = np.bincount(components)
    has_new = np.bincount(components, is_new) > 0
    shared = np.flatnonzero((sizes[components] > 1) & has_new[components])
    best = _best(signed, shared, components[shared])  # of each one's component
    members, kept = shared[is_kept[shared]], best[is_kept[shared]]
    same = reps[members] == reps[kept]
    alike = np.ones(len(members))
    alike[~same] = shingles.similarities(np.stack([reps[members], reps[kept]], 1)[~same])
    rows, kept_rows = signed.take(pa.array(members)), signed.take(pa.array(kept))
    names = pa.array([*crawls, None], pa.string())
    stays = (members == kept) | ~is_new[members]
    columns = {
        "id": rows["id"],
        "cluster_id": kept_rows["id"],
        "minhash_cluster_size": pa.array(sizes[components[members]].astype(np.int64)),
        "drop_reason": pa.array(np.where(same, "exact", "minhash"), pa.string(), mask=stays),
        "similarity": pa.array(alike, mask=np.isnan(alike)),
        "crawl": names.take(rows["age"].combine_chunks()),
        "cluster_crawl": names.take(kept_rows["age"].combine_chunks()),
        "language": rows["language"],
        "language_script": rows["language_script"],
    }
    return pa.table([columns[name] for name in CLUSTERS.names], schema=CLUSTERS)


def node_hashes(ids: pa.ChunkedArray, ages: np.ndarray, salt: int) -> np.ndarray:
    """Spark's xxhash64(salt, age, id), int64: XXH64 of the parts, each seeded with the hash before it, from 42 on."""
    first = xxh64_intdigest(salt.to_bytes(4, "little"), 42)
    seeds = [xxh64_intdigest(age.to_bytes(4, "little"), first) for age in range(int(ages.max(initial=0)) + 1)]
    cells = ids.cast(pa.binary()).to_pylist()
    hashes = (xxh64_intdigest(cell, seeds[age]) for cell, age in zip(cells, ages.tolist(), strict=True))
    return np.fromiter(hashes, np.uint64, len(cells)).view(np.int64)


class _Known(NamedTuple):
    """By row of COPIES: nodes of the document and of its kept copy, int64, and whether it was dropped."""

    documents: np.ndarray
    copies: np.ndarray
    dropped: np.ndarray


def _known_edges(copies: pa.Table | None, crawls: Sequence[str], salt: int) -> _Known:
    if copies is None or not len(copies):
        return _Known(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.bool_))
    names = pa.array(crawls, pa.string())
    ages, cluster_ages = (
        pc.index_in(copies[name], value_set=names).combine_chunks().to_numpy() for name in ("crawl", "cluster_crawl")
    )
    dropped = copies["dropped"].combine_chunks().to_numpy(zero_copy_only=False)
    return _Known(node_hashes(copies["id"], ages, salt), node_hashes(copies["cluster_id"], cluster_ages, salt), dropped)


def _places(nodes: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Where in `nodes`, ascending, those of the wanted lie that are there."""
    places = np.minimum(np.searchsorted(nodes, wanted), max(0, len(nodes) - 1))
    return places[nodes[places] == wanted] if len(nodes) else places[:0]


def _components(nodes: np.ndarray, reps: np.ndarray, edges: np.ndarray, known: _Known) -> np.ndarray:
    """A number for each document, equal for those that copies lead to: near ones, equal ones, known ones. A document
    that is known of but no longer there still holds its copies together."""
    folded = np.flatnonzero(reps != np.arange(len(reps)))
    linked, roots = union_find.components(
        np.concatenate([nodes[edges[:, 0]], nodes[folded], known.documents]),
        np.concatenate([nodes[edges[:, 1]], nodes[reps[folded]], known.copies]),
    )
    there = np.isin(linked, nodes, assume_unique=True)
    components = nodes.copy()
    components[np.searchsorted(nodes, linked[there])] = roots[there]
    return np.unique(components, return_inverse=True)[1]


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
    few = signed.select(["age", "dropped", "quality", "n_chars", "date", "id"]).take(pa.array(rows))
    few = few.append_column("unknown", pc.equal(few["date"], ""))
    descending = ("quality", "n_chars")
    keys = [
        (name, "descending" if name in descending else "ascending")
        for name in ("age", "dropped", "quality", "n_chars", "unknown", "date", "id")
    ]
    best_first = pc.sort_indices(few, sort_keys=keys).to_numpy()
    first = np.empty(int(groups.max(initial=-1)) + 1, np.int64)
    first[groups[best_first[::-1]]] = rows[best_first[::-1]]  # the last one written is the best
    return first[groups]


def _candidates(
    signed: pa.Table, reps: np.ndarray, is_earlier: np.ndarray, least: float, max_bucket: int
) -> np.ndarray:
    """Distinct pairs, int64 (n, 2), the smaller first, of representatives that share a band and are not both earlier
    crawls'."""
    lists = signed["bands"].combine_chunks()
    counts = np.diff(lists.offsets.to_numpy())
    n_bands = int(counts.max(initial=0))
    rows = np.flatnonzero((counts > 0) & (reps == np.arange(len(signed))))
    if not len(rows):
        return np.empty((0, 2), np.int64)
    places = lists.offsets.to_numpy()[:-1][rows]
    values = lists.values.to_numpy()
    sizes = signed["n_shingles"].to_numpy()[rows]
    by_band: list[np.ndarray] = []
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
        entries = buckets.Entries(bucket[some], following, rows[some], sizes[some], is_earlier[rows[some]])
        by_band.extend(buckets.pairs([entries], max_bucket, least))
    keys = np.unique(np.concatenate([pairs[:, 0] * len(signed) + pairs[:, 1] for pairs in by_band] or [rows[:0]]))
    return np.stack(np.divmod(keys, len(signed)), 1)


class _Shingles:
    """Those of the documents in some pair, read when they are first needed."""

    def __init__(self, shingles_of: Shingles, order: np.ndarray, verify: str) -> None:
        """`order`: the row of each document."""
        self._shingles_of, self._order, self._verify = shingles_of, order, verify
        self._documents = np.empty(0, np.int64)

    def similarities(self, pairs: np.ndarray) -> np.ndarray:
        """float64 of each pair, NaN where nothing is verified."""
        if self._verify == "none" or not len(pairs):
            return np.full(len(pairs), np.nan)
        documents = np.unique(pairs)
        if not np.isin(documents, self._documents, assume_unique=True).all():
            self._read(documents)
        first, second = (np.searchsorted(self._documents, pairs[:, side]) for side in (0, 1))
        return similarity.of_pairs(self._values, self._begins, self._ends, first, second, self._verify)

    def _read(self, documents: np.ndarray) -> None:
        rows = self._order[documents]
        ascending = np.argsort(rows)
        self._documents = documents
        self._values, places = self._shingles_of(rows[ascending])
        self._begins, self._ends = (np.empty(len(rows), np.int64) for _ in range(2))
        self._begins[ascending], self._ends[ascending] = places[:-1], places[1:]
