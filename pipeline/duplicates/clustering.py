"""Clusters of signatures in the memory of one process: the same answer as `pipeline.stages.dedup.clusters` gives in as
many tasks as there are, without a shuffle.

About a kilobyte a document, and the shingles of those that have a candidate.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.duplicates import buckets, similarity, union_find
from pipeline.duplicates.kept_copies import Likeness, kept_copies
from schemas.dedup import CLUSTERS

STORED = ["id", "text_hash", "n_shingles", "bands", "quality", "n_chars", "date", "language", "language_script"]
COLUMNS = [*STORED, "age"]
Shingles = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


class Comparison(NamedTuple):
    """What makes two texts copies: fields of these names of `pipeline.config.DedupConfig`."""

    threshold: float
    verify: str
    max_bucket: int
    keep_unlike: bool


class Clusters(NamedTuple):
    """rows: of schemas.dedup.CLUSTERS, in no order that matters. unlike: documents that are kept though their cluster
    has a preferred copy, since they are unlike it."""

    rows: pa.Table
    unlike: int


def cluster(
    signed: pa.Table,
    shingles_of: Shingles,
    comparison: Comparison,
    crawls: Sequence[str] = (),
    copies: pa.Table | None = None,
) -> Clusters:
    """The clusters of signed documents.

    `signed`: COLUMNS: of schemas.dedup.SIGNATURES, and `age` int32, the place of the row's crawl in `crawls`, their
    number for the new one; ids of a crawl are distinct. `shingles_of`: of rows, ascending, the shingles, uint32, and
    their places, one more than rows. `crawls`: fingerprints of earlier crawls, the first of all first; `copies`: rows
    of earlier_crawls.COPIES, what these know already.
    """
    hashes = text_hashes(signed["text_hash"])
    order = np.lexsort((hashes[:, 1], hashes[:, 0]))  # from here on a document is its place in the order of texts
    signed, hashes = signed.take(pa.array(order)), hashes[order]
    n = len(signed)
    is_new = signed["age"].to_numpy() == len(crawls)
    known = _known_edges(signed, copies, crawls)
    is_kept = np.ones(n, np.bool_)  # by its own crawl
    is_kept[known.dropped] = False
    signed = signed.append_column("dropped", pa.array(~is_kept))
    reps = _representatives(signed, hashes)
    is_earlier = np.zeros(n, np.bool_)  # a text that some earlier crawl has
    is_earlier[reps[~is_new]] = True
    least = comparison.threshold if comparison.verify == "jaccard" else 0.0
    pairs = _candidates(signed, reps, hashes[:, 0], is_earlier, least, comparison.max_bucket)
    shingles = _Shingles(shingles_of, order, comparison.verify)
    edges = pairs[shingles.similarities(pairs) >= comparison.threshold] if comparison.verify != "none" else pairs
    components = _components(reps, edges, known)
    has_new = np.bincount(components, is_new) > 0
    shared = (np.bincount(components)[components] > 1) & has_new[components]
    texts = np.flatnonzero(shared & (reps == np.arange(n)))
    texts = texts[np.lexsort((_ranks(signed, texts), ~is_kept[texts], components[texts]))]
    likeness = Likeness(comparison.threshold, comparison.verify, comparison.keep_unlike)
    chosen, alike = kept_copies(components[texts], is_kept[texts], shingles.of(texts), likeness)
    copy, share = np.arange(n), np.ones(n)  # of each text
    copy[texts], share[texts] = texts[chosen], alike
    is_first = np.concatenate([[True], np.diff(components[texts]) != 0])[: len(texts)]
    apart = (chosen == np.arange(len(texts))) & ~is_first & is_new[texts]
    first = np.zeros(len(has_new), np.int64)  # of each component, the preferred text
    first[components[texts[is_first]]] = texts[is_first]
    members = np.flatnonzero(shared & is_kept)
    kept = copy[reps[members]]
    same = reps[members] == kept
    alike = np.where(same, 1.0, share[reps[members]])
    rows, kept_rows = signed.take(pa.array(members)), signed.take(pa.array(kept))
    first_rows = signed.select(["id", "age"]).take(pa.array(first[components[members]]))
    names = pa.array([*crawls, None], pa.string())
    stays = (members == kept) | ~is_new[members]
    columns = {
        "id": rows["id"],
        "cluster_id": first_rows["id"],
        "kept_id": kept_rows["id"],
        "minhash_cluster_size": pa.array(np.bincount(components)[components[members]].astype(np.int64)),
        "drop_reason": pa.array(np.where(same, "exact", "minhash"), pa.string(), mask=stays),
        "similarity": pa.array(alike, mask=np.isnan(alike)),
        "crawl": names.take(rows["age"].combine_chunks()),
        "cluster_crawl": names.take(first_rows["age"].combine_chunks()),
        "kept_crawl": names.take(kept_rows["age"].combine_chunks()),
        "language": rows["language"],
        "language_script": rows["language_script"],
    }
    return Clusters(pa.table([columns[name] for name in CLUSTERS.names], schema=CLUSTERS), int(apart.sum()))


def text_hashes(cells: pa.ChunkedArray) -> np.ndarray:
    """The column as uint64, (n, 2): the name of a text, by which nothing else is ever called."""
    return np.frombuffer(b"".join(cells.to_pylist()), "<u8").reshape(-1, 2)


class _Known(NamedTuple):
    """Documents and the first copies of their clusters, by row of COPIES, int64: places in `signed`, and numbers behind
    them for those that are no longer there; and which documents are there and were dropped."""

    documents: np.ndarray
    copies: np.ndarray
    dropped: np.ndarray


def _known_edges(signed: pa.Table, copies: pa.Table | None, crawls: Sequence[str]) -> _Known:
    if copies is None or not len(copies):
        return _Known(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64))
    names = pa.array(crawls, pa.string())
    ages = [pc.index_in(copies[name], value_set=names) for name in ("crawl", "cluster_crawl")]
    keys = [(signed["age"], signed["id"]), (ages[0], copies["id"]), (ages[1], copies["cluster_id"])]
    named = [
        cell
        for age, ids in keys
        for cell in pc.binary_join_element_wise(age.cast(pa.string()), ids.cast(pa.string()), " ").chunks
    ]
    encoded = pa.chunked_array(named, pa.string()).combine_chunks().dictionary_encode()
    codes = encoded.indices.to_numpy().astype(np.int64)  # of distinct documents, which come first: their places
    documents, kept = np.split(codes[len(signed) :], 2)
    dropped = documents[copies["dropped"].combine_chunks().to_numpy(zero_copy_only=False)]
    return _Known(documents, kept, dropped[dropped < len(signed)])


def _components(reps: np.ndarray, edges: np.ndarray, known: _Known) -> np.ndarray:
    """A number for each document, equal for those that copies lead to: near ones, equal ones, known ones. A document
    that is known of but no longer there still holds its copies together."""
    n = len(reps)
    ends = [np.where(side < n, reps[np.minimum(side, n - 1)], side) if n else side for side in known[:2]]
    linked, roots = union_find.components(
        np.concatenate([edges[:, 0], ends[0]]), np.concatenate([edges[:, 1], ends[1]])
    )
    components = np.arange(n)
    components[linked[linked < n]] = roots[linked < n]
    return np.unique(components[reps], return_inverse=True)[1]


def _representatives(signed: pa.Table, hashes: np.ndarray) -> np.ndarray:
    """Of each document the preferred one of those with its text."""
    fresh = np.ones(len(hashes), np.bool_)
    fresh[1:] = (hashes[1:] != hashes[:-1]).any(axis=1)
    groups = np.cumsum(fresh) - 1
    reps = np.arange(len(signed))
    shared = np.flatnonzero(np.bincount(groups, minlength=1)[groups] > 1)
    reps[shared] = _best(signed, shared, groups[shared])
    return reps


def _best(signed: pa.Table, rows: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """For each of the rows the preferred one of its group."""
    best_first = np.argsort(_ranks(signed, rows))
    first = np.empty(int(groups.max(initial=-1)) + 1, np.int64)
    first[groups[best_first[::-1]]] = rows[best_first[::-1]]  # the last one written is the best
    return first[groups]


def _ranks(signed: pa.Table, rows: np.ndarray) -> np.ndarray:
    """The place of each of the rows in the order that `pipeline.stages.dedup` states, 0 for the preferred one."""
    few = signed.select(["dropped", "age", "quality", "n_chars", "date", "id"]).take(pa.array(rows))
    few = few.append_column("unknown", pc.equal(few["date"], ""))
    descending = ("quality", "n_chars")
    keys = [
        (name, "descending" if name in descending else "ascending")
        for name in ("dropped", "age", "quality", "n_chars", "unknown", "date", "id")
    ]
    ranks = np.empty(len(rows), np.int64)
    ranks[pc.sort_indices(few, sort_keys=keys).to_numpy()] = np.arange(len(rows))
    return ranks


def _candidates(
    signed: pa.Table, reps: np.ndarray, names: np.ndarray, is_earlier: np.ndarray, least: float, max_bucket: int
) -> np.ndarray:
    """Distinct pairs, int64 (n, 2), the smaller first, of representatives that share a band and are not both of earlier
    crawls."""
    lists = signed["bands"].combine_chunks()
    counts = np.diff(lists.offsets.to_numpy())
    n_bands = int(counts.max(initial=0))
    rows = np.flatnonzero((counts > 0) & (reps == np.arange(len(signed))))
    if not len(rows):
        return np.empty((0, 2), np.int64)
    places = lists.offsets.to_numpy()[:-1][rows]
    values = lists.values.to_numpy()
    names, sizes, earlier = names[rows], signed["n_shingles"].to_numpy()[rows], is_earlier[rows]
    sampled = places[buckets.is_sampled(names)]
    large = buckets.hot(np.concatenate([values[sampled + band] for band in range(n_bands)]))
    by_band: list[np.ndarray] = []
    for band in range(n_bands):
        found = buckets.cut(band, values[places + band], names, large)
        following = values[places + (band + 1) % n_bands]
        entries = buckets.in_buckets(found, following, names, rows, sizes, earlier)
        by_band.extend(buckets.pairs([entries], max_bucket, least))
    keys = np.unique(np.concatenate([pairs[:, 0] * len(signed) + pairs[:, 1] for pairs in by_band] or [rows[:0]]))
    return np.stack(np.divmod(keys, len(signed)), 1)


class _Shingles:
    """Those of the documents in some pair, read when they are first needed."""

    def __init__(self, shingles_of: Shingles, order: np.ndarray, verify: str) -> None:
        """`order`: the row of each document."""
        self._shingles_of, self._order, self._verify = shingles_of, order, verify
        self._documents = np.empty(0, np.int64)
        self._values, self._begins, self._ends = np.empty(0, "<u4"), np.empty(0, np.int64), np.empty(0, np.int64)

    def similarities(self, pairs: np.ndarray) -> np.ndarray:
        """float64 of each pair, NaN where nothing is verified."""
        if self._verify == "none" or not len(pairs):
            return np.full(len(pairs), np.nan)
        self.of(np.unique(pairs))
        first, second = (np.searchsorted(self._documents, pairs[:, side]) for side in (0, 1))
        return similarity.of_pairs(self._values, self._begins, self._ends, first, second, self._verify)

    def of(self, documents: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Values, and where those of each document begin and end in them; none where nothing is verified."""
        if self._verify == "none":
            return np.empty(0, "<u4"), *np.zeros((2, len(documents)), np.int64)
        wanted = np.unique(documents)
        if not np.isin(wanted, self._documents, assume_unique=True).all():
            self._read(np.union1d(self._documents, wanted))
        places = np.searchsorted(self._documents, documents)
        return self._values, self._begins[places], self._ends[places]

    def _read(self, documents: np.ndarray) -> None:
        rows = self._order[documents]
        ascending = np.argsort(rows)
        self._documents = documents
        self._values, places = self._shingles_of(rows[ascending])
        self._begins, self._ends = (np.empty(len(rows), np.int64) for _ in range(2))
        self._begins[ascending], self._ends[ascending] = places[:-1], places[1:]
