"""Earlier crawls that a new one is compared with: by their signatures and clusters alone, which stay untouched."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.store import generations, storage
from pipeline.store.parquet_files import n_rows, open_parquet
from schemas.dedup import CLUSTERS, SIGNATURES
from schemas.errors import UserError
from schemas.records import LEDGER

COPIES = pa.schema(  # what a crawl's clusters say of its documents, and of those of crawls before it
    [
        ("crawl", pa.string()),  # fingerprint of the dedup run whose document it is
        ("id", pa.string()),
        ("cluster_crawl", pa.string()),  # the same of its cluster's first copy
        ("cluster_id", pa.string()),
        ("dropped", pa.bool_()),
    ]
)
KEPT = ("kept_id", "kept_crawl")  # of CLUSTERS: not read, and not there where one copy of a cluster was kept


@dataclass(frozen=True)
class EarlierCrawl:
    """A finished dedup. `crawl`: the fingerprint of its run, by which clusters of later crawls name it.

    signatures, clusters: files of its tables, in their order; paragraph_counts: likewise, none where it counted no
    paragraphs. n_signatures: as its ledger says; None where it does not.
    """

    path: str
    folder: str
    crawl: str
    compared_with: tuple[str, ...]  # crawls that it was compared with in its turn
    signatures: tuple[str, ...]
    clusters: tuple[str, ...]
    n_signatures: int | None
    paragraph_counts: tuple[str, ...] = ()


def earlier_crawls(roots: Sequence[str]) -> list[EarlierCrawl]:
    """The dedup folders of corpus roots, or folders that jobs/dedup.py wrote with --output, in the given order.

    UserError for one that is none or has no signatures, and where one of them refers to a crawl that is not given.
    """
    crawls: list[EarlierCrawl] = []
    for root in roots:
        path = storage.absolute(root)
        inside = storage.join(path, "dedup")
        folder = inside if storage.exists(inside) else path
        generation = generations.current(folder)
        if generation is None or generation.record()["stage"] != "dedup":
            raise UserError(
                f"--against {root}: no finished dedup there; give a corpus root or a folder of jobs/dedup.py"
            )
        record = generation.record()
        names = ("signatures", "clusters", "paragraph_counts")
        files = {table: tuple(generation.files(table).values()) for table in names}
        for table, paths in list(files.items())[:2]:
            if not paths or not storage.exists(paths[0]):
                raise UserError(f"--against {root}: it has no {table}; run jobs/dedup.py on it again")
        compared_with = tuple(value for name, value in record["inputs"].items() if name.startswith("against "))
        if record["fingerprint"] in (crawl.crawl for crawl in crawls):
            raise UserError(f"--against {root}: given twice; leave one out")
        told = (generation.read_json(LEDGER) or {}).get("tables", {})
        crawls.append(
            EarlierCrawl(
                path, folder, record["fingerprint"], compared_with, n_signatures=told.get("signatures"), **files
            )
        )
    given = {crawl.crawl for crawl in crawls}
    for crawl in crawls:
        if missing := [name for name in crawl.compared_with if name not in given]:
            raise UserError(
                f"--against {crawl.path}: it was compared with an earlier crawl in its turn ({missing[0]}); "
                "give that too"
            )
    return crawls


def paragraph_counts_of(crawl: EarlierCrawl) -> tuple[str, ...]:
    """Files of its counts of paragraphs. UserError where it has none."""
    if not crawl.paragraph_counts or not all(map(storage.exists, crawl.paragraph_counts)):
        raise UserError(
            f"--against {crawl.path}: it has no counts of paragraphs; "
            "run jobs/dedup.py --scope paragraph on it again, or leave it out"
        )
    return crawl.paragraph_counts


def check_columns(crawl: EarlierCrawl, signatures: Collection[str], clusters: Collection[str]) -> None:
    """UserError where its tables, known by the names of their columns, are of an earlier version of this project."""
    if lacking := [name for name in SIGNATURES.names if name not in signatures]:
        raise UserError(f"--against {crawl.path}: its signatures have no {lacking[0]}; run jobs/dedup.py on it again")
    if [name for name in CLUSTERS.names if name not in (*clusters, *KEPT)]:
        raise UserError(
            f"--against {crawl.path}: its clusters are of an earlier version; run jobs/dedup.py on it again"
        )


def refuse_version(crawl: EarlierCrawl, stored: str, version: str) -> UserError:
    """What to raise where its signatures are not comparable with new ones."""
    return UserError(
        f"--against {crawl.path}: its signatures are {stored}, the new ones {version}; "
        "take its settings (its dedup/_run.json) or run jobs/dedup.py on it again"
    )


def check_files(crawl: EarlierCrawl, version: str) -> None:
    """UserError where its tables are not comparable with signatures of this version. Reads the tables' files."""
    columns = {"signatures": set(SIGNATURES.names), "clusters": set(CLUSTERS.names)}
    for name, paths in (("signatures", crawl.signatures), ("clusters", crawl.clusters)):
        for file in _parquet_files(paths):
            columns[name] &= set(file.schema_arrow.names)
    check_columns(crawl, columns["signatures"], columns["clusters"])
    for file in _parquet_files(crawl.signatures):
        for batch in file.iter_batches(1 << 16, columns=["signature_version"], use_threads=False):
            others = pc.unique(batch.column(0)).to_pylist()
            if wrong := [other for other in others if other != version]:
                raise refuse_version(crawl, wrong[0], version)


def known_copies(crawls: Sequence[EarlierCrawl]) -> pa.Table:
    """Rows of COPIES that the crawls' clusters say."""
    parts = [COPIES.empty_table()]
    for crawl in crawls:
        for file in _parquet_files(crawl.clusters):
            rows = file.read(["crawl", "id", "cluster_crawl", "cluster_id", "drop_reason"], use_threads=False)
            columns = [
                pc.fill_null(rows["crawl"].cast(pa.string()), crawl.crawl),
                rows["id"],
                pc.fill_null(rows["cluster_crawl"].cast(pa.string()), crawl.crawl),
                rows["cluster_id"],
                pc.is_valid(rows["drop_reason"]),
            ]
            parts.append(pa.table(columns, COPIES))
    return pa.concat_tables(parts)


def _parquet_files(paths: Sequence[str]) -> Iterator[pq.ParquetFile]:
    for path in paths:
        with open_parquet(path) as file:
            yield file


def signature_rows_of(crawl: EarlierCrawl) -> list[tuple[str, int]]:
    """Files of its signatures, in their order, and their rows."""
    return [(path, n_rows(path)) for path in crawl.signatures]
