"""Earlier crawls that a new one is compared with: by their signatures and clusters alone, which stay untouched."""

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.spark import tables
from pipeline.store import storage
from schemas.dedup import CLUSTERS, SIGNATURES
from schemas.errors import UserError
from schemas.records import RUN


@dataclass(frozen=True)
class Earlier:
    """A finished dedup. `crawl`: the fingerprint of its run, by which clusters of later crawls name it."""

    path: str
    folder: str
    crawl: str
    known: tuple[str, ...]  # crawls that it was compared with in its turn


def find(roots: Sequence[str]) -> list[Earlier]:
    """The dedup folders of corpus roots, or folders that jobs/dedup.py wrote with --output, in the given order.

    UserError for one that is none or has no signatures, and where one of them refers to a crawl that is not given.
    """
    found: list[Earlier] = []
    for root in roots:
        path = storage.absolute(root)
        inside = storage.join(path, "dedup")
        folder = inside if storage.exists(inside) else path
        record = storage.read_json(storage.join(folder, RUN))  # and nothing else: what lies there is not ours to mend
        if record is None or record["stage"] != "dedup":
            raise UserError(
                f"--against {root}: no finished dedup there; give a corpus root or a folder of jobs/dedup.py"
            )
        for table in ("signatures", "clusters"):
            if not storage.listing(storage.join(folder, table)):
                raise UserError(f"--against {root}: it has no {table}; run jobs/dedup.py on it again")
        known = tuple(value for name, value in record["inputs"].items() if name.startswith("against "))
        if record["fingerprint"] in (one.crawl for one in found):
            raise UserError(f"--against {root}: given twice; leave one out")
        found.append(Earlier(path, folder, record["fingerprint"], known))
    given = {one.crawl for one in found}
    for one in found:
        if missing := [crawl for crawl in one.known if crawl not in given]:
            raise UserError(
                f"--against {one.path}: it was compared with an earlier crawl in its turn ({missing[0]}); give that too"
            )
    return found


def check_version(spark: SparkSession, one: Earlier, version: str) -> None:
    """UserError where the stored signatures are not comparable with new ones."""
    stored = tables.read(spark, storage.join(one.folder, "signatures"), [])
    lacking = [name for name in SIGNATURES.names if name not in stored.columns]
    told = tables.read(spark, storage.join(one.folder, "clusters"), []).columns
    if not lacking and [name for name in CLUSTERS.names if name not in told]:
        raise UserError(f"--against {one.path}: its clusters are of an earlier version; run jobs/dedup.py on it again")
    if lacking:
        raise UserError(f"--against {one.path}: its signatures have no {lacking[0]}; run jobs/dedup.py on it again")
    other = stored.where(F.col("signature_version") != version).select("signature_version").first()
    if other:
        raise UserError(
            f"--against {one.path}: its signatures are {other[0]}, the new ones {version}; "
            "take its settings (its dedup/_run.json) or run jobs/dedup.py on it again"
        )


def signatures(spark: SparkSession, one: Earlier) -> DataFrame:
    """Its stored signatures."""
    return tables.written(spark, storage.join(one.folder, "signatures"))


def copies(spark: SparkSession, one: Earlier) -> DataFrame:
    """Rows of its clusters: `crawl` and `id` of a document, `cluster_crawl` and `cluster_id` of its kept copy, and
    whether it was `dropped`. Documents of crawls before it are among them where this one added to their clusters."""
    rows = tables.written(spark, storage.join(one.folder, "clusters"))
    here = F.lit(one.crawl)
    return rows.select(
        F.coalesce("crawl", here).alias("crawl"),
        "id",
        F.coalesce("cluster_crawl", here).alias("cluster_crawl"),
        "cluster_id",
        F.col("drop_reason").isNotNull().alias("dropped"),
    )
