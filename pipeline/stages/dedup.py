"""dedup: exact copies by hash of the normalised text, then MinHash-LSH candidates, verified by their true similarity;
one copy of each cluster stays.

Which copy stays is stated and does not depend on partitions: that of an earlier crawl, then the highest quality, the
longest text, the earlier date (unknown last), the smaller id.

Texts are read twice, to sign and to write the survivors. All between goes by `node`, a 64-bit hash of crawl and id,
whose uniqueness is checked.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from pipeline.config import DedupConfig
from pipeline.duplicates import survivors as survivors_of
from pipeline.duplicates.earlier_crawls import EarlierCrawl
from pipeline.duplicates.signature_table import Signer, guarded_signature_rows
from pipeline.duplicates.survivors import split_by_split
from pipeline.spark import tables
from pipeline.spark.components import components
from pipeline.spark.document_frame import PLACE
from pipeline.stages import earlier
from pipeline.stages.candidates import candidates, similarities
from pipeline.store import storage
from pipeline.store.document_table import DocumentTable
from pipeline.store.table_splits import part_file
from pipeline.workers.guard import Guard
from schemas.dedup import SIGNATURES, SIGNING_FAILED
from schemas.records import Counts
from schemas.repeated_lines import CUT_LINES

VERSION = 4
READ = (*PLACE, "id", "text", "url", "date", "language", "language_script", "quality")  # of a document
MOST_TASKS = 4096
_WRITTEN = pa.schema([("split", pa.int32()), ("label", pa.string()), ("rows", pa.int64())])


def signatures(documents: DataFrame, config: DedupConfig) -> DataFrame:
    """A row a document, without its text: the signature and what decides which copy stays.

    documents: columns id, text, quality (-inf: unknown), date, language, language_script.
    """
    signer, text_seconds = Signer(config.hasher(), config.min_shingles), config.text_seconds

    def sign(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with Guard("dedup", signer, text_seconds) as guard:
            for batch in batches:
                yield from guarded_signature_rows(guard, signer, batch)

    rows = documents.select(
        "id", "text", "quality", F.coalesce("date", F.lit("")).alias("date"), "language", "language_script"
    )
    return rows.mapInArrow(sign, tables.spark_schema(SIGNATURES))


def unite(spark: SparkSession, signed: DataFrame, crawls: Sequence[EarlierCrawl], salt: int) -> DataFrame:
    """New and earlier signatures in one table, with `age` (0: the first of the earlier crawls; the new one comes last)
    and `node`."""
    stored = [_with_node(earlier.signatures(spark, crawl), age, salt) for age, crawl in enumerate(crawls)]
    return reduce(DataFrame.unionByName, stored, _with_node(signed, len(crawls), salt))


def known_copies(spark: SparkSession, crawls: Sequence[EarlierCrawl], salt: int) -> DataFrame | None:
    """Edges `a`, `b` from documents of earlier crawls to the copies kept of them, and whether `a` was `dropped` by its
    own crawl; None without any crawl."""
    if not crawls:
        return None
    ages = tables.lookup({crawl.crawl: age for age, crawl in enumerate(crawls)}, "int")
    rows = reduce(DataFrame.unionByName, [earlier.copies(spark, crawl) for crawl in crawls])
    return rows.select(
        _node(ages[F.col("crawl")], F.col("id"), salt).alias("a"),
        _node(ages[F.col("cluster_crawl")], F.col("cluster_id"), salt).alias("b"),
        "dropped",
    )


def _with_node(signed: DataFrame, age: int, salt: int) -> DataFrame:
    return signed.withColumns({"age": F.lit(age), "node": _node(F.lit(age), F.col("id"), salt)})


def _node(age: Column, id_: Column, salt: int) -> Column:
    return F.xxhash64(F.lit(salt), age, id_)


def preference() -> Column:
    """Smaller is better: the order in which a cluster's copies are preferred."""
    unknown = (F.col("date") == "").alias("unknown")
    return F.struct("age", ~F.col("kept"), -F.col("quality"), -F.col("n_chars"), unknown, "date", "id")


def fold(united: DataFrame, known: DataFrame | None) -> DataFrame:
    """Identical texts fold to one, their `rep`, so that near-duplicate search never sees the others; only it keeps its
    bands. `kept`: not dropped by its own crawl."""
    if known is None:
        marked = united.withColumn("kept", F.lit(True))
    else:
        dropped = known.where("dropped").select(F.col("a").alias("node"), F.lit(False).alias("kept"))
        narrow = united.drop("shingles").join(dropped, "node", "left")
        marked = narrow.withColumn("kept", F.coalesce("kept", F.lit(True)))
    folded = marked.select(
        *("age", "node", "id", "kept", "n_shingles", "quality", "n_chars", "date", "language", "language_script"),
        "bands",
        F.first("node").over(Window.partitionBy("text_hash").orderBy(preference())).alias("rep"),
    )
    is_rep = F.col("node") == F.col("rep")
    return folded.withColumn("bands", F.when(is_rep & (F.size("bands") > 0), F.col("bands")))


def clusters(
    united: DataFrame,
    config: DedupConfig,
    crawls: Sequence[str],
    scratch: str,
    known: DataFrame | None = None,
) -> DataFrame:
    """Rows of schemas.dedup.CLUSTERS for every document that has a copy, and those that have no signature.

    `united`: from `unite`, read from files. `crawls`: fingerprints of the earlier ones, in order; `known`: from
    `known_copies`. A document is known by its `node`, those of its text by their `rep`; a component holds the nodes
    that copies lead to, and each has one kept node.
    """
    new_age = len(crawls)

    def settled(table: DataFrame, name: str) -> DataFrame:
        return tables.settled(table, storage.join(scratch, name))

    signed = F.col("text_hash").isNotNull()
    unsigned, united = united.where(~signed & (F.col("age") == new_age)), united.where(signed)
    folded = settled(fold(united, known), "folded")
    banded = folded.where(F.col("bands").isNotNull()).withColumn("earlier", F.col("age") < new_age)
    least = config.threshold if config.verify == "jaccard" else 0.0
    pairs = settled(candidates(banded, config.max_bucket, least), "pairs")
    shingles = united.select("node", "shingles")
    if config.verify == "none":
        edges = pairs.withColumn("similarity", F.lit(None).cast("double"))
    else:
        compared = similarities(pairs, _of_pairs(shingles, pairs), config.verify)
        edges = settled(compared.where(F.col("similarity") >= config.threshold), "edges")
    folds = folded.where(F.col("node") != F.col("rep")).select(F.col("node").alias("a"), F.col("rep").alias("b"))
    linked = [edges.select("a", "b"), folds, *([] if known is None else [known.select("a", "b")])]
    component = components(reduce(DataFrame.unionByName, linked), storage.join(scratch, "components"))
    members = settled(_members(folded, component, new_age), "members")
    if config.verify != "none":
        missing = settled(_unmeasured(members, edges), "unmeasured")
        edges = edges.unionByName(similarities(missing, _of_pairs(shingles, missing), config.verify))
    names = F.array(*(F.lit(crawl) for crawl in crawls), F.lit(None).cast("string"))
    measured = members.join(edges, _pair_of("rep", "kept_rep") == F.struct("a", "b"), "left")
    exact = F.col("rep") == F.col("kept_rep")
    dropped = (F.col("age") == new_age) & (F.col("node") != F.col("kept_node"))
    copies = measured.select(
        "id",
        "cluster_id",
        "minhash_cluster_size",
        F.when(dropped, F.when(exact, "exact").otherwise("minhash")).alias("drop_reason"),
        F.when(exact, F.lit(1.0)).otherwise(F.col("similarity")).alias("similarity"),
        F.get(names, F.col("age")).alias("crawl"),
        F.get(names, F.col("kept_age")).alias("cluster_crawl"),
        "language",
        "language_script",
    )
    return copies.unionByName(_failed(unsigned))


def _failed(unsigned: DataFrame) -> DataFrame:
    """Rows of CLUSTERS for documents that are compared with none."""
    nothing = F.lit(None).cast("string")
    return unsigned.select(
        "id",
        F.col("id").alias("cluster_id"),
        F.lit(1).cast("long").alias("minhash_cluster_size"),
        F.lit(SIGNING_FAILED).alias("drop_reason"),
        F.lit(None).cast("double").alias("similarity"),
        nothing.alias("crawl"),
        nothing.alias("cluster_crawl"),
        "language",
        "language_script",
    )


def _of_pairs(shingles: DataFrame, pairs: DataFrame) -> DataFrame:
    """Only the shingles that some pair needs, where what is needed is small enough to be told to every task."""
    nodes = pairs.select(F.col("a").alias("node")).unionAll(pairs.select(F.col("b").alias("node"))).distinct()
    return shingles.join(tables.small(nodes, 2 * pairs.count()), "node", "left_semi")


def _members(folded: DataFrame, component: DataFrame, new_age: int) -> DataFrame:
    """Documents of clusters with a new document, each with the copy that is kept: new ones, and what earlier crawls
    have kept."""
    grouped = folded.join(component, "node", "left").withColumn("component", F.coalesce("component", "node"))
    copies = Window.partitionBy("component")
    best_first = copies.orderBy(preference())
    members = grouped.select(
        *("age", "node", "rep", "id", "kept", "language", "language_script"),
        F.first("id").over(best_first).alias("cluster_id"),
        F.first("node").over(best_first).alias("kept_node"),
        F.first("rep").over(best_first).alias("kept_rep"),
        F.first("age").over(best_first).alias("kept_age"),
        F.count("*").over(copies).alias("minhash_cluster_size"),
        F.max("age").over(copies).alias("latest"),
    )
    there = F.col("kept") & (F.col("minhash_cluster_size") > 1) & (F.col("latest") == new_age)
    return members.where(there).drop("latest", "kept")


def _pair_of(node: str, other_node: str) -> Column:
    return F.struct(F.least(node, other_node), F.greatest(node, other_node))


def _unmeasured(members: DataFrame, edges: DataFrame) -> DataFrame:
    """Pairs of a member and its kept copy that were no candidates."""
    pairs = members.where(F.col("rep") != F.col("kept_rep")).select(
        F.least("rep", "kept_rep").alias("a"), F.greatest("rep", "kept_rep").alias("b")
    )
    return pairs.distinct().join(edges.select("a", "b"), ["a", "b"], "left_anti")


def without_templates(pages: DataFrame) -> tuple[DataFrame, DataFrame]:
    """The pages, and apart those of which cutting repeated lines left nothing."""
    emptied = (F.col("cut_lines") > 0) & (F.trim(F.coalesce("text", F.lit(""))) == "")
    return pages.where(~emptied), pages.where(emptied).withColumn("drop_reason", F.lit("template"))


def one_row_an_id(documents: DataFrame, digests: DataFrame) -> DataFrame:
    """`split` and `row` of documents, where of several with one id the longest stays, ties by a hash of the whole row.

    documents: columns split, row, id, text. digests: split, row, digest.
    """
    length = F.coalesce(F.length("text"), F.lit(0)).alias("length")
    sized = documents.select(*PLACE, "id", length).join(digests, list(PLACE))
    rank = F.row_number().over(Window.partitionBy("id").orderBy(F.col("length").desc(), "digest", *PLACE))
    return sized.withColumn("rank", rank).where(F.col("rank") == 1).select(*PLACE)


def survivors(documents: DataFrame, clustered: DataFrame) -> DataFrame:
    """The rows of `documents` that are kept, with `minhash_cluster_size`."""
    verdicts = clustered.where(F.col("crawl").isNull()).select(
        "id", "minhash_cluster_size", F.col("drop_reason").alias("_dropped")
    )
    joined = documents.join(tables.small(verdicts, clustered.count()), "id", "left").where(F.col("_dropped").isNull())
    size = F.coalesce("minhash_cluster_size", F.lit(1)).cast("long")
    return joined.select(*documents.columns, size.alias("minhash_cluster_size"))


def write_survivors(kept: DataFrame, table: DocumentTable, folder: str) -> tuple[Counts, list[str]]:
    """Writes kept rows with all columns of the table, a file a split, and counts what was written; names of the files.

    kept: columns split, row, minhash_cluster_size; with `text` and `cut_lines` these stand for the table's own.
    """
    splits = table.files.splits

    def write(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for number, rows in split_by_split(batches):
            labels = survivors_of.write_survivors(table, splits[number], rows, folder)
            told = {"split": [number] * len(labels), "label": list(labels), "rows": list(labels.values())}
            yield pa.RecordBatch.from_pydict(told, schema=_WRITTEN)

    columns = [name for name in (*PLACE, "minhash_cluster_size", "text", CUT_LINES.name) if name in kept.columns]
    placed = kept.select(*columns).repartition(min(len(splits), MOST_TASKS), "split").sortWithinPartitions(*PLACE)
    receipts = placed.mapInArrow(write, tables.spark_schema(_WRITTEN)).collect()
    if not receipts:  # a table without a row has its columns all the same
        none = pa.table({"row": pa.array([], pa.int64()), "minhash_cluster_size": pa.array([], pa.int64())})
        survivors_of.write_survivors(table, splits[0], none, folder)
    written = {receipt["split"] for receipt in receipts} or {0}
    counts: Counts = {}
    for receipt in receipts:
        reasons = counts.setdefault(receipt["label"], {None: 0})
        reasons[None] += receipt["rows"]
    return counts, [part_file("", splits[number]).lstrip("/") for number in sorted(written)]


def account(given: DataFrame, documents: DataFrame, clustered: DataFrame, kept: Counts) -> Counts:
    """Rows by language and reason: kept ones as written, dropped ones as in `clustered`, the rest shared an id."""
    counts = {name: dict(reasons) for name, reasons in kept.items()}
    for name, reasons in tables.count_reasons(clustered.where(F.col("drop_reason").isNotNull())).items():
        counts.setdefault(name, {}).update(reasons)
    if documents is not given:
        unique = tables.count_reasons(documents.drop("drop_reason"))
        for name, reasons in tables.count_reasons(given.drop("drop_reason")).items():
            if shared := reasons[None] - unique.get(name, {}).get(None, 0):
                counts.setdefault(name, {})["same_id"] = shared
    return counts
