"""dedup: exact copies by hash of the normalised text, then MinHash-LSH candidates, verified by their true similarity;
of what is alike one copy stays.

Which copy stays is stated and does not depend on partitions: one that its own crawl kept, of the earliest crawl, then
the highest quality, the longest text, the earlier date (unknown last), the smaller id.

Texts are read twice, to sign and to write the survivors, by tasks that have a split each. All between goes by `node`,
the place of a document's signature (`pipeline.stages.signed`); equal texts fold to one, their `rep`, before anything
else, and what is shuffled with its shingles is a pair of texts, or a text in a cluster of several.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from pipeline.config import DedupConfig
from pipeline.duplicates import kept_copies
from pipeline.duplicates import survivors as survivors_of
from pipeline.duplicates.earlier_crawls import EarlierCrawl
from pipeline.duplicates.survivors import split_by_split
from pipeline.spark import tables
from pipeline.spark.components import components
from pipeline.spark.document_frame import PLACE
from pipeline.spark.stage_progress import described
from pipeline.stages import signed
from pipeline.stages.candidates import Parts, candidates, similarities
from pipeline.stages.signed import SignatureFile
from pipeline.store import storage
from pipeline.store.document_table import DocumentTable
from pipeline.store.table_splits import part_file
from schemas.dedup import SIGNING_FAILED
from schemas.records import EXAMPLES_A_REASON
from schemas.repeats import CUT_LINES

VERSION = 5
READ = (*PLACE, "id", "text", "url", "date", "language", "language_script", "quality")  # of a document
MOST_TASKS = 4096
STORED = ("id", "text_hash", "quality", "n_chars", "date", "language", "language_script")
FOLDED = pa.schema(  # rows of a signature file whose text others have: one of them stands for it; some crawl had it
    [("row", pa.int64()), ("is_rep", pa.bool_()), ("earlier", pa.bool_())]
)
LEFT_OUT = pa.schema([("row", pa.int64())])  # rows of a split whose id another row has
_CHOSEN = (
    "rep long, component long, first_id string, first_age int, copy long, copy_id string, copy_age int, "
    "similarity double, apart boolean, n_docs long, latest int"
)
_CHOSEN_NAMES = [column.split(" ")[0] for column in _CHOSEN.split(", ")]


def known_copies(spark: SparkSession, crawls: Sequence[EarlierCrawl], files: Sequence[SignatureFile]) -> DataFrame:
    """Edges `a`, `b` from documents of earlier crawls to the first copies of their clusters, and whether `a` was
    `dropped` by its own crawl. files: all of them. What is known of, but no longer there, has a negative node."""
    ages = tables.lookup({crawl.crawl: age for age, crawl in enumerate(crawls)}, "int")
    rows = reduce(DataFrame.unionByName, [_copies(spark, crawl) for crawl in crawls])
    named = rows.select(
        ages[F.col("crawl")].alias("age_a"), F.col("id").alias("id_a"),
        ages[F.col("cluster_crawl")].alias("age_b"), F.col("cluster_id").alias("id_b"), "dropped",
    )  # fmt: skip
    n_new = sum(file.age == len(crawls) for file in files)
    stored = signed.frame(spark, files[n_new:], n_new, ["id"])
    for end in "ab":
        there = stored.select(
            F.col("age").alias(f"age_{end}"), F.col("id").alias(f"id_{end}"), F.col("node").alias(end)
        )
        gone = -1 - F.xxhash64(f"age_{end}", f"id_{end}").bitwiseAND(F.lit((1 << 62) - 1))
        named = named.join(there, [f"age_{end}", f"id_{end}"], "left").withColumn(end, F.coalesce(end, gone))
    return named.select("a", "b", "dropped")


def _copies(spark: SparkSession, crawl: EarlierCrawl) -> DataFrame:
    """Rows of earlier_crawls.COPIES. Documents of crawls before it are among them where this one added to their
    clusters."""
    here = F.lit(crawl.crawl)
    return tables.of_files(spark, crawl.clusters).select(
        F.coalesce("crawl", here).alias("crawl"),
        "id",
        F.coalesce("cluster_crawl", here).alias("cluster_crawl"),
        "cluster_id",
        F.col("drop_reason").isNotNull().alias("dropped"),
    )


def preference() -> list[Column]:
    """Smaller is better: the order in which a cluster's copies are preferred."""
    unknown = (F.col("date") == "").alias("unknown")
    return [~F.col("kept"), F.col("age"), -F.col("quality"), -F.col("n_chars"), unknown, F.col("date"), F.col("id")]


def fold(documents: DataFrame, known: DataFrame | None, new_age: int) -> DataFrame:
    """Documents with the preferred one of their text, its id and age: `rep`, `rep_id`, `rep_age`; how many have the
    text, `n_docs`, the last crawl that has it, `latest`, and whether an `earlier` one has; `kept`: by its own crawl."""
    if known is None:
        marked = documents.withColumn("kept", F.lit(True))
    else:
        dropped = known.where("dropped").select(F.col("a").alias("node"), F.lit(False).alias("kept")).distinct()
        marked = documents.join(dropped, "node", "left").withColumn("kept", F.coalesce("kept", F.lit(True)))
    text = Window.partitionBy("text_hash")
    best = F.first(F.struct("node", "id", "age")).over(text.orderBy(*preference()))
    return marked.select(
        *("node", "age", "kept", "id", "quality", "n_chars", "date", "language", "language_script"),
        best.alias("best"),
        F.count("*").over(text).alias("n_docs"),
        F.max("age").over(text).alias("latest"),
        (F.min("age").over(text) < new_age).alias("earlier"),
    ).select(
        "*", F.col("best.node").alias("rep"), F.col("best.id").alias("rep_id"), F.col("best.age").alias("rep_age")
    ).drop("best")  # fmt: skip


def clusters(
    spark: SparkSession,
    files: Sequence[SignatureFile],
    config: DedupConfig,
    crawls: Sequence[EarlierCrawl],
    parts: Parts,
    scratch: str,
) -> tables.Table:
    """Rows of schemas.dedup.CLUSTERS for every document of the new crawl that has a copy, what earlier crawls kept of
    its clusters, and those that have no signature; with `node`, and whether a document is kept, being unlike, `apart`
    from its cluster's first copy. Read from files.

    files: of the new crawl, which come first, and of the earlier ones, in order. parts: from `hot_buckets`.
    """
    new_age, n_tasks = len(crawls), max(2, sum(file.rows for file in files) // (4 * signed.TASK_ROWS))

    def stored_as(name: str, table: DataFrame) -> tables.Table:
        with described(spark, f"dedup {name}"):  # for people, and to know what shuffles how much
            return tables.stored(table, storage.join(scratch, name), rows_a_group=tables.SCRATCH_GROUP_ROWS)

    known = stored_as("known", known_copies(spark, crawls, files)).frame() if crawls else None
    stored = signed.frame(spark, files, 0, STORED)
    has_hash = F.col("text_hash").isNotNull()
    folded = stored_as("folded", fold(stored.where(has_hash), known, new_age)).frame()
    shared = folded.where(F.col("n_docs") > 1).select(
        "node", (F.col("node") == F.col("rep")).alias("is_rep"), "earlier"
    )
    folder = storage.join(scratch, "shared")
    numbers = frozenset(signed.kept_by_file(shared, "node", folder, FOLDED, n_tasks))
    pairs = stored_as("pairs", candidates(spark, files, (folder, numbers), parts, config))
    edges = pairs.frame()
    if config.verify != "none":
        alike = similarities(edges, pairs.rows or 0, files, config.verify)
        edges = stored_as("edges", alike.where(F.col("similarity") >= config.threshold).select("a", "b")).frame()
    if known is not None:
        edges = edges.unionByName(_between_texts(known, folded))
    component = stored_as("component", components(edges, storage.join(scratch, "components")))
    n_texts = component.rows or 0
    texts = folded.where(F.col("node") == F.col("rep")).join(tables.small(component.frame(), n_texts), "node")
    chosen = stored_as("chosen", _with_sizes(_chosen(texts, n_texts, files, config))).frame()
    joined = folded.join(tables.small(chosen, n_texts), "rep", "left")
    copy = F.coalesce("copy", "rep")
    latest = F.coalesce("cluster_latest", "latest")
    there = F.col("kept") & (latest == new_age) & (F.col("copy").isNotNull() | (F.col("n_docs") > 1))
    names = F.array(*(F.lit(crawl.crawl) for crawl in crawls), F.lit(None).cast("string"))
    same = F.col("rep") == copy
    dropped = (F.col("age") == new_age) & (F.col("node") != copy)
    copies = joined.where(there).select(
        "node",
        "id",
        F.coalesce("first_id", "rep_id").alias("cluster_id"),
        F.coalesce("copy_id", "rep_id").alias("kept_id"),
        F.coalesce("size", "n_docs").alias("minhash_cluster_size"),
        F.when(dropped, F.when(same, "exact").otherwise("minhash")).alias("drop_reason"),
        F.when(same, F.lit(1.0)).otherwise(F.col("similarity")).alias("similarity"),
        F.get(names, F.col("age")).alias("crawl"),
        F.get(names, F.coalesce("first_age", "rep_age")).alias("cluster_crawl"),
        F.get(names, F.coalesce("copy_age", "rep_age")).alias("kept_crawl"),
        "language",
        "language_script",
        (F.coalesce("apart", F.lit(False)) & (F.col("node") == copy) & (F.col("age") == new_age)).alias("apart"),
    )
    unsigned = stored.where(~has_hash & (F.col("age") == new_age))
    return stored_as("rows", copies.unionByName(_failed(unsigned)))


def _failed(unsigned: DataFrame) -> DataFrame:
    """Rows of `clusters` for documents that are compared with none."""
    nothing = F.lit(None).cast("string")
    return unsigned.select(
        "node",
        "id",
        F.col("id").alias("cluster_id"),
        F.col("id").alias("kept_id"),
        F.lit(1).cast("long").alias("minhash_cluster_size"),
        F.lit(SIGNING_FAILED).alias("drop_reason"),
        F.lit(None).cast("double").alias("similarity"),
        nothing.alias("crawl"),
        nothing.alias("cluster_crawl"),
        nothing.alias("kept_crawl"),
        "language",
        "language_script",
        F.lit(False).alias("apart"),
    )


def _between_texts(known: DataFrame, folded: DataFrame) -> DataFrame:
    """The edges between the texts of their documents."""
    edges = known.select("a", "b")
    for end in "ab":
        texts = folded.select(F.col("node").alias(end), F.col("rep").alias("text"))
        edges = edges.join(texts, end, "left").withColumn(end, F.coalesce("text", end)).drop("text")
    return edges.select("a", "b")


def _chosen(texts: DataFrame, n_texts: int, files: Sequence[SignatureFile], config: DedupConfig) -> DataFrame:
    """The kept copy of each text in a cluster of several, as the texts of a cluster stream by in the order in which
    they are preferred."""
    tasks = max(texts.sparkSession.sparkContext.defaultParallelism, n_texts * 2048 // signed.TASK_BYTES)
    likeness = kept_copies.Likeness(config.threshold, config.verify, config.unlike == "keep")
    paths = [file.path for file in files]
    columns = ["node", "component", "kept", "age", "quality", "n_chars", "date", "id", "n_docs", "latest"]

    def attach(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for piece, cells in signed.with_shingles(batch, "node", paths):
                yield pa.RecordBatch.from_arrays([*piece.columns, cells], [*columns, "shingles"])

    def choose(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for one in kept_copies.stream(batches, likeness):
            cells = [
                one.rows.column("node"),
                one.rows.column("component"),
                one.first_ids,
                pa.array(one.first_ages),
                pa.array(one.nodes),
                one.ids,
                pa.array(one.ages),
                pa.array(one.shares, from_pandas=True),
                pa.array(one.apart),
                one.rows.column("n_docs"),
                one.rows.column("latest"),
            ]
            yield pa.RecordBatch.from_arrays(cells, _CHOSEN_NAMES)

    narrow = texts.select(*columns)
    if config.verify == "none":
        ready = narrow.withColumn("shingles", F.lit(b""))
    else:
        kinds = ", ".join(f"{name} {kind}" for name, kind in narrow.dtypes)
        ready = signed.by_file(narrow, "node", tasks).mapInArrow(attach, f"{kinds}, shingles binary")
    streams = ready.repartition(tasks, "component").sortWithinPartitions("component", *preference())
    return streams.withColumnRenamed("kept", "stays").mapInArrow(choose, _CHOSEN)


def _with_sizes(chosen: DataFrame) -> DataFrame:
    cluster = Window.partitionBy("component")
    return chosen.select(
        *("rep", "first_id", "first_age", "copy", "copy_id", "copy_age", "similarity", "apart"),
        F.sum("n_docs").over(cluster).alias("size"),
        F.max("latest").over(cluster).alias("cluster_latest"),
    )


def first_examples(marked: DataFrame, rows: dict[str | None, int]) -> dict[str | None, list[tuple[str, int]]]:
    """By reason, None for kept ones, ids and nodes of the few that are shown, chosen by hash of the id: never a sort or
    a collect of all. marked: columns id, node, drop_reason."""
    share = F.lit(0.0)
    for name, number in rows.items():
        hit = F.col("drop_reason").isNull() if name is None else F.col("drop_reason") == name
        share = F.when(hit, F.lit(min(1.0, 20 * EXAMPLES_A_REASON / max(1, number)))).otherwise(share)
    order = tables.uniform(0, "examples", F.col("id"))
    rank = F.row_number().over(Window.partitionBy("drop_reason").orderBy(order, "id"))
    few = marked.where(order < share).withColumn("rank", rank).where(F.col("rank") <= EXAMPLES_A_REASON)
    found: dict[str | None, list[tuple[str, int]]] = {}
    for row in few.select("drop_reason", "rank", "id", "node").orderBy("rank").collect():
        found.setdefault(row["drop_reason"], []).append((row["id"], row["node"]))
    return found


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


def write_cut(kept: DataFrame, table: DocumentTable, folder: str) -> dict[str, str]:
    """Writes the table with texts that were cut, a file a split that has some; their names and paths.

    kept: columns split, row, minhash_cluster_size, `text` and `cut_lines`, which stand for the table's own.
    """
    splits = table.files.splits

    def write(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for number, rows in split_by_split(batches):
            survivors_of.write_survivors(table, splits[number], rows, folder)
            yield pa.RecordBatch.from_pydict({"split": pa.array([number], pa.int32())})

    columns = [name for name in (*PLACE, "minhash_cluster_size", "text", CUT_LINES.name) if name in kept.columns]
    placed = kept.select(*columns).repartition(min(len(splits), MOST_TASKS), "split").sortWithinPartitions(*PLACE)
    numbers = sorted(row["split"] for row in placed.mapInArrow(write, "split int").collect())
    if not numbers:  # a table without a row has its columns all the same
        none = pa.table({"row": pa.array([], pa.int64()), "minhash_cluster_size": pa.array([], pa.int64())})
        survivors_of.write_survivors(table, splits[0], none, folder)
    paths = [part_file(folder, splits[number]) for number in numbers or [0]]
    return {path.rpartition("/")[2]: path for path in paths}
