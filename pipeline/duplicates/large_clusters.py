"""The largest clusters of a table, and the few members of each that people look at.

Each row of schemas.dedup.CLUSTERS says how large its cluster is. So what is chosen of choices from parts of the rows is
what is chosen of all of them, and one reading, divided in any way, finds the same members.
"""

import functools
from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.store.examples import Shown
from pipeline.store.parquet_files import read_parquet
from pipeline.workers.tasks import TaskRunner
from schemas.dedup import CLUSTERS
from schemas.distributions import LARGEST_CLUSTERS, MEMBERS_SHOWN, LargeCluster, Member

KEPT_SHOWN = 2  # of a cluster, where there are enough others
FILES_A_TASK = 8
_SCHEMA = pa.schema(
    [
        ("cluster", pa.string()),  # crawl and id of its first copy
        ("order", pa.float64()),  # among the kept members, or among the dropped ones: the smallest are shown
        *(CLUSTERS.field(name) for name in CLUSTERS.names if name not in ("language", "language_script", "crawl")),
    ]
)
_READ = [*_SCHEMA.names[2:], "crawl"]


def in_files(run_tasks: TaskRunner, paths: Sequence[str]) -> pa.Table:
    """Of the clusters in these files, as `in_rows`."""
    chunks = [paths[at : at + FILES_A_TASK] for at in range(0, len(paths), FILES_A_TASK)]
    return _chosen(pa.concat_tables([_SCHEMA.empty_table(), *run_tasks(_in_files, chunks)]))


def _in_files(paths: Sequence[str]) -> pa.Table:
    return functools.reduce(
        lambda found, path: _chosen(pa.concat_tables([found, in_rows(read_parquet(path, _READ))])),
        paths,
        _SCHEMA.empty_table(),
    )


def in_rows(clusters: pa.Table) -> pa.Table:
    """Of rows of CLUSTERS those of the largest clusters' members that may be shown. Documents of earlier crawls are
    none, for their texts are not here."""
    rows = clusters.filter(pc.and_(pc.is_null(clusters["crawl"]), pc.greater(clusters["minhash_cluster_size"], 1)))
    crawl = pc.fill_null(rows["cluster_crawl"], "")
    is_first = pc.and_(pc.equal(rows["id"], rows["cluster_id"]), pc.equal(crawl, ""))
    # Beside the first copy stand those that went for its sake, the most unlike first.
    others = pc.if_else(pc.equal(rows["kept_id"], rows["cluster_id"]), 0.0, 2.0)
    unlike = pc.add(others, pc.fill_null(rows["similarity"], 1.0))
    order = pc.if_else(pc.is_null(rows["drop_reason"]), pc.if_else(is_first, 0.0, 1.0), unlike)
    columns = {name: rows[name] for name in _SCHEMA.names[2:]}
    columns |= {"cluster": pc.binary_join_element_wise(crawl, rows["cluster_id"], " "), "order": order}
    return _chosen(pa.table([columns[name] for name in _SCHEMA.names], schema=_SCHEMA))


def _chosen(rows: pa.Table) -> pa.Table:
    """Of the largest clusters the rows that come first."""
    sizes = rows.select(["cluster", "cluster_id", "minhash_cluster_size"]).group_by(
        ["cluster", "cluster_id", "minhash_cluster_size"], use_threads=False
    )
    ranked = sizes.aggregate([]).sort_by(
        [("minhash_cluster_size", "descending"), ("cluster_id", "ascending"), ("cluster", "ascending")]
    )
    largest = ranked.slice(0, LARGEST_CLUSTERS)["cluster"].to_pylist()
    rows = rows.filter(pc.is_in(rows["cluster"], value_set=pa.array(largest, pa.string())))
    found = [_SCHEMA.empty_table()]
    for name in largest:
        members = rows.filter(pc.equal(rows["cluster"], name))
        for stays in (True, False):
            some = members.filter(pc.equal(pc.is_null(members["drop_reason"]), stays))
            found.append(some.sort_by([("order", "ascending"), ("id", "ascending")]).slice(0, MEMBERS_SHOWN))
    return pa.concat_tables(found).combine_chunks()


def large_clusters(rows: pa.Table, seen: Iterable[Shown]) -> list[LargeCluster]:
    """The largest clusters, the largest first. rows: what was chosen; seen: these documents, among others."""
    shown, found = {row["id"]: row for row in seen}, dict[str, list[dict[str, object]]]()
    for row in rows.to_pylist():
        found.setdefault(row["cluster"], []).append(row)
    return [_large_cluster(members, shown) for members in found.values()]


def _large_cluster(rows: list[dict[str, object]], shown: dict[str, Shown]) -> LargeCluster:
    kept = [row for row in rows if row["drop_reason"] is None]
    dropped = [row for row in rows if row["drop_reason"] is not None]
    kept = kept[: max(KEPT_SHOWN, MEMBERS_SHOWN - len(dropped))]
    members = [*kept, *dropped[: MEMBERS_SHOWN - len(kept)]]
    return LargeCluster(
        cluster_id=str(rows[0]["cluster_id"]),
        size=int(str(rows[0]["minhash_cluster_size"])),
        members=[_member(row, shown[str(row["id"])]) for row in members],
    )


def _member(row: dict[str, object], shown: Shown) -> Member:
    similarity = row["similarity"] if row["drop_reason"] == "minhash" else None
    return Member(
        **shown,  # type: ignore[typeddict-item]
        similarity=similarity,
        reason=row["drop_reason"],
        kept_id=row["kept_id"],
    )
