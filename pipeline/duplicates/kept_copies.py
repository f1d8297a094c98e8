"""Which texts of a cluster are kept, and which goes for the sake of which.

Single linkage joins a text to a cluster whose kept copy may be unlike it, the more so the more texts there are. So the
texts of a cluster are taken in the order in which they are preferred: the first is a kept copy; each other one goes to
the first kept copy that it is like, and one that is like none is a kept copy, too. A text is compared with the first
and the latest kept copies, LATEST of them: n texts cost n * (1 + LATEST) comparisons at most, in the memory of so many
texts; where the sizes say that two are unlike, none is made.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.duplicates.similarity import similarity
from pipeline.kernels.arrow_text import utf8
from pipeline.kernels.compiling import kernel

LATEST = 64


class Likeness(NamedTuple):
    """`measure`: `jaccard`, `containment` or `none`, as `verify` of `pipeline.config.DedupConfig`. keep_unlike: else
    all texts of a cluster go to its first."""

    threshold: float
    measure: str
    keep_unlike: bool


@kernel
def _near(
    i: int, j: int, values: np.ndarray, begins: np.ndarray, ends: np.ndarray, least: float, containment: bool
) -> float:
    """The similarity of texts i and j; -1 where their sizes alone say that it is below `least`."""
    n, m = ends[i] - begins[i], ends[j] - begins[j]
    if not containment and min(n, m) < least * max(n, m) - 1e-6:
        return -1.0
    return similarity(values[begins[i] : ends[i]], values[begins[j] : ends[j]], containment)


@kernel
def _choose(
    clusters: np.ndarray, can_stay: np.ndarray, kept_already: np.ndarray, values: np.ndarray, begins: np.ndarray,
    ends: np.ndarray, threshold: float, containment: bool, apart: bool, copies: np.ndarray, shares: np.ndarray,
) -> None:  # fmt: skip
    latest = np.empty(LATEST, np.int64)
    first, n_latest = -1, 0
    for i in range(len(clusters)):
        if i == 0 or clusters[i] != clusters[i - 1]:
            first, n_latest = -1, 0
        chosen, share = -1, 1.0
        if not kept_already[i] and first >= 0:
            share = _near(i, first, values, begins, ends, threshold if apart else 0.0, containment)
            if not apart or share >= threshold:
                chosen = first
            else:
                for k in range(max(0, n_latest - LATEST), n_latest):
                    share = _near(i, latest[k % LATEST], values, begins, ends, threshold, containment)
                    if share >= threshold:
                        chosen = latest[k % LATEST]
                        break
                if chosen < 0 and not can_stay[i]:
                    chosen, share = first, _near(i, first, values, begins, ends, 0.0, containment)
        if chosen < 0:
            chosen, share = i, 1.0
            if first < 0:
                first = i
            else:
                latest[n_latest % LATEST] = i
                n_latest += 1
        copies[i], shares[i] = chosen, share


def kept_copies(
    clusters: np.ndarray,
    can_stay: np.ndarray,
    shingles: tuple[np.ndarray, np.ndarray, np.ndarray],
    likeness: Likeness,
    kept_already: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """For each text the place of its kept copy, int64, and how like that is, float64; NaN where nothing is measured.

    clusters: a number a text, equal ones together, in each of them the preferred texts first. can_stay: whether it may
    be a kept copy; the first of a cluster is one in any case. shingles: values, ascending in a text, uint32, and where
    each text begins and ends. kept_already: those that are known to be kept copies.
    """
    n = len(clusters)
    already = np.zeros(n, np.bool_) if kept_already is None else kept_already
    copies, shares = np.empty(n, np.int64), np.empty(n, np.float64)
    apart = likeness.keep_unlike and likeness.measure != "none"
    values, begins, ends = shingles
    _choose(
        clusters, can_stay, already, values, begins, ends,
        likeness.threshold, likeness.measure == "containment", apart, copies, shares,
    )  # fmt: skip
    if likeness.measure == "none":
        shares[copies != np.arange(n)] = np.nan
    return copies, shares


class Chosen(NamedTuple):
    """A batch of `stream`, and for each of its rows: node, id and age of the kept copy, how like, whether the text is a
    kept copy beside the first of its cluster, and id and age of that."""

    rows: pa.RecordBatch
    nodes: np.ndarray
    ids: pa.Array
    ages: np.ndarray
    shares: np.ndarray
    apart: np.ndarray
    first_ids: pa.Array
    first_ages: np.ndarray


def stream(batches: Iterable[pa.RecordBatch], likeness: Likeness) -> Iterator[Chosen]:
    """`kept_copies` of rows that come in batches, of which no cluster need fit into memory. Columns: component, stays,
    node, id, age, shingles."""
    held: pa.RecordBatch | None = None  # kept copies of the cluster that may go on
    for batch in batches:
        if not len(batch):
            continue
        n_held = 0
        rows = batch.select(["component", "stays", "node", "id", "age", "shingles"])
        if held is not None and held.column("component")[0] == rows.column("component")[0]:
            n_held = len(held)
            rows = pa.Table.from_batches([held, rows]).combine_chunks().to_batches()[0]
        clusters = rows.column("component").to_numpy()
        data, places = utf8(rows.column("shingles"))
        values = data[places[0] : places[-1]].view("<u4")
        edges = (places - places[0]) // 4
        already = np.arange(len(rows)) < n_held
        stays = rows.column("stays").to_numpy(zero_copy_only=False)
        copies, shares = kept_copies(clusters, stays, (values, edges[:-1], edges[1:]), likeness, already)
        is_kept = copies == np.arange(len(rows))
        firsts = _begins(clusters)  # where the cluster began before, its first text is the first one held
        apart = is_kept & (firsts != np.arange(len(rows)))
        chosen = pa.array(copies[n_held:])
        yield Chosen(
            batch,
            rows.column("node").take(chosen).to_numpy(),
            rows.column("id").take(chosen),
            rows.column("age").take(chosen).to_numpy(),
            shares[n_held:],
            apart[n_held:],
            rows.column("id").take(pa.array(firsts[n_held:])),
            rows.column("age").take(pa.array(firsts[n_held:])).to_numpy(),
        )
        last = np.flatnonzero(is_kept & (clusters == clusters[-1]))
        held = rows.take(pa.array(np.concatenate([last[:1], last[1:][-LATEST:]])))


def _begins(clusters: np.ndarray) -> np.ndarray:
    """Where each one's run of equal numbers begins."""
    fresh = np.concatenate([[True], clusters[1:] != clusters[:-1]])
    return np.flatnonzero(fresh)[np.cumsum(fresh) - 1]
