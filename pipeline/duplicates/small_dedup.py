"""dedup of a small table by tasks over its files, and one that clusters: no shuffle. In its memory are the signatures
of the table and of the earlier crawls that it is compared with, a gigabyte a million documents.

The tables, their rows and the counts are those of `pipeline.stages.dedup`; a test holds one against the other.
"""

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config import DedupConfig
from pipeline.duplicates import clustering, earlier_crawls, large_clusters
from pipeline.duplicates.earlier_crawls import EarlierCrawl
from pipeline.duplicates.signature_files import SignatureFiles
from pipeline.duplicates.signing import sign
from pipeline.duplicates.survivors import SurvivorFile, survivor_schema
from pipeline.repeats import small_substrings
from pipeline.repeats.small_lines import LINES_FILE, cut_lines, step
from pipeline.repeats.small_paragraphs import cut_paragraphs
from pipeline.store import storage
from pipeline.store.document_table import DocumentTable, labels_of, rows_of
from pipeline.store.examples import chosen_examples, example_rows, first_examples
from pipeline.store.ledger import totals
from pipeline.store.parquet_files import read_parquet
from pipeline.store.row_groups import RowGroupWriter
from pipeline.store.table_splits import Split, part_file
from pipeline.workers.tasks import Step, TaskRunner
from schemas.dedup import CLUSTERS, SIGNING_FAILED
from schemas.distributions import LargeCluster
from schemas.records import UNLABELLED, Counts, Example

CLUSTER_ROWS = 1 << 16  # of a file, so that a page that is taken down costs one of bounded size
Paths = Mapping[str, str]


class Outcome(NamedTuple):
    """What the stage's account and examples are made of. tables: table -> rows. files: table -> names."""

    rows_in: int
    counts: Counts
    tables: dict[str, int]
    examples: list[Example]
    large_clusters: list[LargeCluster]
    files: dict[str, list[str]]


class _Clustered(NamedTuple):
    """What the clusters say. files: names of theirs; identity: of what is in them. dropped: by label and reason.
    candidates: by reason, None for kept ones, ids of the examples to be shown, should their hashes be low enough.
    largest: of `large_clusters.in_rows`."""

    rows: int
    unlike: int
    files: tuple[str, ...]
    identity: str
    dropped: dict[str, Counter[str]]
    candidates: dict[str | None, list[str]]
    largest: pa.Table


class _Kept(NamedTuple):
    """What a task kept: documents by label; and what it saw of the candidates."""

    labels: Counter[str]
    examples: list[dict[str, str]]


def small_dedup(
    table: DocumentTable, config: DedupConfig, crawls: Sequence[EarlierCrawl], paths: Paths, run_tasks: TaskRunner
) -> Outcome | None:
    """Writes `signatures`, `clusters`, `documents`, with `scope` line, paragraph or substring also its tables, to the
    folders of `paths`, and what it needs between to `scratch`. None where several rows have one id, which is the
    engine's to solve.

    UserError for rows that cannot be read, and for earlier crawls that cannot be compared with.
    """
    run_tasks(functools.partial(earlier_crawls.check_files, version=config.hasher().version), crawls)
    cut = cut_lines(table, config, paths["lines"], paths["scratch"], run_tasks) if config.scope == "line" else None
    if cut is not None:
        table = cut.table
    repeated = None
    if config.scope == "paragraph":
        counted = [earlier_crawls.paragraph_counts_of(crawl) for crawl in crawls]
        repeated = cut_paragraphs(table, config, counted, paths, run_tasks)
        table = repeated.table
    splits = table.files.splits
    rows = sum(sign(table, config, paths["signatures"], run_tasks))
    clustered = run_tasks(
        functools.partial(_cluster, config=config, crawls=crawls),
        [([part_file(paths["signatures"], split) for split in splits], paths["clusters"])],
        Step("dedup clusters", [rows], "documents"),
    )[0]
    if clustered is None:
        return None
    shares = config.scope == "substring"
    survivors = storage.join(paths["scratch"], "survivors") if shares else paths["documents"]
    keeping = functools.partial(_keep, table=table, clusters=paths["clusters"], clustered=clustered, folder=survivors)
    kept = run_tasks(keeping, splits, step("documents", splits))
    counts: Counts = {}
    for label, number in sum((part.labels for part in kept), Counter[str]()).items():
        counts[label] = {None: number}
    for label, reasons in clustered.dropped.items():
        counts.setdefault(label, {}).update(reasons)
    written = {"signatures": rows, "clusters": clustered.rows, "unlike": clustered.unlike}
    candidates, seen = dict(clustered.candidates), [row for part in kept for row in part.examples]
    by_reason = totals(counts)
    if shares:
        searched = small_substrings.survivors_searched(table, survivor_schema(table), survivors, config)
        signatures = [part_file(paths["signatures"], split) for split in splits]
        wanted = (*candidates.get(None, ()), *clustered.largest["id"].to_pylist())
        spans = small_substrings.share(
            searched, signatures, wanted, paths["documents"], paths["spans"], paths["scratch"], run_tasks
        )
        small_substrings.recount(counts, spans)
        seen = small_substrings.reexamine(candidates, seen, spans)
        written |= spans.figures
    written["documents"] = totals(counts).get(None, 0)
    if cut is not None:
        written["lines"] = cut.n_lines
        for label, number in cut.templates.items():
            counts.setdefault(label, {})["template"] = number
        by_reason = totals(counts)
        candidates["template"] = [row["id"] for row in cut.examples]
        seen += cut.examples
    rows_in = rows if cut is None else cut.rows_in
    of_splits = [part_file("", split).lstrip("/") for split in splits]
    files = {"signatures": of_splits, "documents": of_splits, "clusters": [*clustered.files]}
    files |= {"lines": [LINES_FILE]} if cut is not None else {}
    if repeated is not None:
        written |= repeated.written
        files |= repeated.files
    files |= {"spans": of_splits} if shares else {}
    examples = chosen_examples(candidates, seen, by_reason)
    return Outcome(rows_in, counts, written, examples, large_clusters.large_clusters(clustered.largest, seen), files)


def _cluster(
    paths: tuple[Sequence[str], str], config: DedupConfig, crawls: Sequence[EarlierCrawl]
) -> _Clustered | None:
    """Writes the clusters of the signatures in some files to a folder. None where ids of a crawl repeat."""
    signatures, folder = paths
    stored = SignatureFiles([*(crawl.signatures for crawl in crawls), signatures])
    narrow = stored.narrow()
    for age in range(len(crawls) + 1):
        ids = narrow["id"].filter(pc.equal(narrow["age"], age))
        if pc.count_distinct(ids).as_py() < len(ids):
            return None
    comparison = clustering.Comparison(config.threshold, config.verify, config.max_bucket, config.unlike == "keep")
    names = [crawl.crawl for crawl in crawls]
    is_signed = narrow["text_hash"].is_valid()
    rows = np.flatnonzero(is_signed.to_numpy())
    copies, unlike = clustering.cluster(
        narrow.filter(is_signed),
        lambda wanted: stored.shingles(rows[wanted]),
        comparison,
        names,
        earlier_crawls.known_copies(crawls),
    )
    unsigned = narrow.filter(pc.and_(pc.invert(is_signed), pc.equal(narrow["age"], len(crawls))))
    clusters = pa.concat_tables([copies, _failed(unsigned)]).combine_chunks()
    files, digests = [], []
    for number, begin in enumerate(range(0, max(1, len(clusters)), CLUSTER_ROWS)):
        files.append(f"part-{number:05d}.parquet")
        path = storage.join(folder, files[-1])
        with RowGroupWriter(path, CLUSTERS, plain=("id", "cluster_id", "kept_id")) as out:
            out.write(clusters.slice(begin, CLUSTER_ROWS))
        digests.append(storage.digest(path))
    new = clusters.filter(pc.is_null(clusters["crawl"]))
    dropped: dict[str, Counter[str]] = {}
    reasons = new["drop_reason"].to_pylist()
    for label, reason in zip(labels_of(new), reasons, strict=True):
        if reason is not None:
            dropped.setdefault(label, Counter())[reason] += 1
    by_reason: dict[str | None, list[str]] = {}
    for name, reason in zip(new["id"].to_pylist(), reasons, strict=True):
        by_reason.setdefault(reason, []).append(name)
    candidates = {reason: first_examples(ids) for reason, ids in by_reason.items()}
    largest = large_clusters.in_rows(clusters)
    return _Clustered(len(clusters), unlike, tuple(files), "".join(digests), dropped, candidates, largest)


def _failed(unsigned: pa.Table) -> pa.Table:
    """Rows of CLUSTERS for documents that are compared with none."""
    n = len(unsigned)
    columns = {
        name: pa.nulls(n, CLUSTERS.field(name).type) for name in ("similarity", "crawl", "cluster_crawl", "kept_crawl")
    }
    columns |= {"minhash_cluster_size": pa.array(np.ones(n, np.int64)), "drop_reason": pa.repeat(SIGNING_FAILED, n)}
    columns |= {name: unsigned["id"] for name in ("id", "cluster_id", "kept_id")}
    columns |= {name: unsigned[name] for name in UNLABELLED}
    return pa.table([columns[name] for name in CLUSTERS.names], schema=CLUSTERS)


@functools.lru_cache(maxsize=1)
def _verdicts(clusters: str, files: tuple[str, ...], identity: str) -> tuple[pa.Array, pa.Array, pa.Array, pa.Array]:
    """Once a worker: ids of all that have a copy, whether they go, how many they are, the clusters. identity: of the
    files, so that a worker of an engine knows new ones from old."""
    names = ["id", "cluster_id", "minhash_cluster_size", "drop_reason", "crawl"]
    known = pa.concat_tables([read_parquet(storage.join(clusters, name), names) for name in files])
    known = known.filter(pc.is_null(known["crawl"])).combine_chunks()
    columns = (known["id"], pc.is_valid(known["drop_reason"]), known["minhash_cluster_size"], known["cluster_id"])
    ids, goes, sizes, cluster_ids = (column.combine_chunks() for column in columns)
    return ids, goes, sizes, cluster_ids


def _keep(split: Split, table: DocumentTable, clusters: str, clustered: _Clustered, folder: str) -> _Kept:
    """Writes the split's survivors with all their columns."""
    ids, goes, sizes, cluster_ids = _verdicts(clusters, clustered.files, clustered.identity)
    names = [name for few in clustered.candidates.values() for name in few]
    wanted = pa.array([*names, *clustered.largest["id"].to_pylist()], pa.string())
    examples = []
    here = [batch.column(0) for batch in rows_of(table, split, [table.id_column])]
    places = pc.index_in(pa.chunked_array(here, pa.string()), value_set=ids).combine_chunks()  # one lookup, not many
    begin = 0
    with SurvivorFile(table, split, folder) as out:
        for batch in rows_of(table, split, out.columns):
            place = places.slice(begin, len(batch))
            begin += len(batch)
            shown = batch.filter(pc.is_in(batch.column(table.id_column), value_set=wanted))
            examples += example_rows(shown, table.id_column, table.text_column)
            stays = pc.invert(pc.fill_null(goes.take(place), False))
            at = place.filter(stays)
            out.write(batch.filter(stays), pc.fill_null(sizes.take(at), 1), cluster_ids.take(at))
    return _Kept(out.labels, examples)
