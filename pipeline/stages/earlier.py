"""Earlier crawls that a new one is compared with: by their signatures and clusters alone, which stay untouched."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline import storage
from pipeline.spark import runs, tables
from schemas.dedup import CLUSTERS, SIGNATURES


@dataclass(frozen=True)
class Earlier:
    """A finished dedup. `crawl`: the fingerprint of its run, by which clusters of later crawls name it."""

    path: str
    folder: str
    crawl: str
    known: tuple[str, ...]  # crawls that it was compared with in its turn


def find(roots: Sequence[str]) -> list[Earlier]:
    """The dedup folders of corpus roots, or folders that jobs/dedup.py wrote with --output, in the given order.

    ValueError for one that is none or has no signatures, and where one of them refers to a crawl that is not given.
    """
    found: list[Earlier] = []
    for root in roots:
        path = storage.absolute(root)
        inside = storage.join(path, "dedup")
        folder = inside if storage.exists(inside) else path
        record = runs.finished(folder) if storage.exists(folder) else None
        if record is None or record["stage"] != "dedup":
            raise ValueError(
                f"--against {root}: no finished dedup there; give a corpus root or a folder of jobs/dedup.py"
            )
        if not storage.listing(storage.join(folder, "signatures")):
            raise ValueError(f"--against {root}: it has no signatures; run jobs/dedup.py on it again")
        known = tuple(value for name, value in record["inputs"].items() if name.startswith("against "))
        if record["fingerprint"] in (one.crawl for one in found):
            raise ValueError(f"--against {root}: given twice; leave one out")
        found.append(Earlier(path, folder, record["fingerprint"], known))
    given = {one.crawl for one in found}
    for one in found:
        if missing := [crawl for crawl in one.known if crawl not in given]:
            raise ValueError(
                f"--against {one.path}: it was compared with an earlier crawl in its turn ({missing[0]}); give that too"
            )
    return found


def check_version(spark: SparkSession, one: Earlier, version: str) -> None:
    """ValueError where the stored signatures are not comparable with new ones."""
    stored = tables.read(spark, storage.join(one.folder, "signatures"), [])
    lacking = [name for name in SIGNATURES.names if name not in stored.columns]
    if lacking:
        raise ValueError(f"--against {one.path}: its signatures have no {lacking[0]}; run jobs/dedup.py on it again")
    other = stored.where(F.col("signature_version") != version).select("signature_version").first()
    if other:
        raise ValueError(
            f"--against {one.path}: its signatures are {other[0]}, the new ones {version}; "
            "take its settings (its dedup/_run.json) or run jobs/dedup.py on it again"
        )


def signatures(spark: SparkSession, one: Earlier) -> DataFrame:
    """Its stored signatures."""
    return tables.written(spark, storage.join(one.folder, "signatures"))


def kept_copies(spark: SparkSession, earlier: Sequence[Earlier]) -> DataFrame:
    """Rows of the clusters of all: `crawl` and `id` of a document, `cluster_crawl`, `cluster_id` of its kept copy, and
    `size`, the largest cluster that any of them knows under that copy."""
    parts = []
    for one in earlier:
        rows = tables.written(spark, storage.join(one.folder, "clusters"))
        assert rows.columns == CLUSTERS.names
        here = F.lit(one.crawl)
        parts.append(
            rows.select(
                F.coalesce("crawl", here).alias("crawl"),
                "id",
                F.coalesce("cluster_crawl", here).alias("cluster_crawl"),
                "cluster_id",
                F.col("minhash_cluster_size").alias("size"),
            )
        )
    rows = reduce(DataFrame.unionByName, parts)
    # A later crawl repeats the kept copies of earlier ones, with their new sizes.
    return (
        rows.groupBy("crawl", "id")
        .agg(
            F.max_by(F.struct("cluster_crawl", "cluster_id"), F.struct("size", "cluster_crawl", "cluster_id")).alias(
                "kept"
            ),
            F.max("size").alias("size"),
        )
        .select("crawl", "id", "kept.cluster_crawl", "kept.cluster_id", "size")
    )
