"""`pipeline.repeats.host_lines` with shuffles: lines that repeat on many pages of a host, found by counting, then
cut from its pages.

What is shuffled to count is three hashes a line, 24 bytes, and how often the page has it, nearly always 1.
"""

from collections.abc import Iterable, Iterator

import pyarrow as pa
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import IntegerType, StructField, StructType

from pipeline.repeats import host_lines, page_lines
from pipeline.spark import tables
from schemas.repeats import LINES

VERSION = 1
REQUIRED = ("url", "text")
BROADCAST_LINES = 1_000_000  # lines that go to every executor, some 100 MB at most; with more the pages are shuffled


def host(url: Column) -> Column:
    """The authority in lower case, without user, port, a leading `www.` and dots at the end; null without one."""
    name = F.rtrim(F.lower(F.regexp_extract(url, host_lines.ADDRESS, 1)), F.lit("."))
    return F.nullif(F.regexp_replace(name, host_lines.WWW, ""), F.lit(""))


def repeated(pages: DataFrame, min_line_pages: int, min_line_share: float, scratch: str) -> DataFrame:
    """Rows of LINES: the lines on at least `min_line_pages` pages of their host and that share of all its pages.

    `pages`: columns url and text, read from files; those without host or text are left out. `scratch`: a folder for the
    counts, which the caller removes when the answer is written: they are made once, before this returns.
    """
    # Scheme, user, port, `www.` and fragment tell no pages apart.
    address = F.xxhash64("host", F.regexp_extract("url", host_lines.ADDRESS, 2)).bitwiseAND(F.lit(host_lines.LOW_BITS))
    known = (
        pages.where(F.col("text").isNotNull())
        .select(host(F.col("url")).alias("host"), "url", "text")
        .where(F.col("host").isNotNull())
        .select("host", F.xxhash64("host").alias("site"), address.alias("address"), "text")
    )
    repeats = tables.settled(_repeats(_counts(known), min_line_pages, min_line_share), scratch)
    # The page to take the line from: one that was counted, the same for most lines of a host.
    line = F.struct("line", "pages", "lines", "host_pages")
    wanted = repeats.groupBy("site", "address").agg(F.sort_array(F.collect_list(line)).alias("wanted"))
    if repeats.count() <= BROADCAST_LINES:
        wanted = F.broadcast(wanted)
    asked = known.join(wanted, ["site", "address"]).select("host", "text", "wanted")
    shown = asked.mapInArrow(_show, tables.spark_schema(LINES))
    text = F.substring("text", 1, host_lines.EXAMPLE_CHARACTERS).alias("text")
    numbers = ("pages", "lines", "host_pages")
    least = shown.select("host", "line_hash", *numbers, text).groupBy("host", "line_hash")
    return least.agg(*(F.min(name).alias(name) for name in (*numbers, "text")))


def _counts(known: DataFrame) -> DataFrame:
    """By site and line, for the site itself under the line host_lines.PAGE: `pages`, `lines`, a page as `address`."""
    emitted = known.select("site", "address", "text").mapInArrow(_emit, tables.spark_schema(host_lines.OCCURRENCES))
    # One shuffle for all that follows: equal keys of every grouping below lie together already.
    rows = emitted.repartition("site", "line").select(
        "site",
        "line",
        "n",
        F.shiftright("page", 32).alias("text"),
        F.col("page").bitwiseAND(F.lit(host_lines.LOW_BITS)).alias("address"),
    )
    texts = rows.groupBy("site", "line", "text").agg(F.min("address").alias("address"), F.max("n").alias("n"))
    addresses = texts.groupBy("site", "line", "address").agg(F.max("n").alias("n"))
    return addresses.groupBy("site", "line").agg(
        F.count("*").alias("pages"), F.sum("n").alias("lines"), F.min("address").alias("address")
    )


def _repeats(counts: DataFrame, min_line_pages: int, min_line_share: float) -> DataFrame:
    """The rows of `_counts` that are lines and repeat, with `host_pages`."""
    is_site = F.col("line") == host_lines.PAGE
    few = counts.where(is_site | (F.col("pages") >= min_line_pages))
    host_pages = F.max(F.when(is_site, F.col("pages"))).over(Window.partitionBy("site"))
    # As a quotient, which is the share's own double where they are equal.
    often = F.col("pages") / F.col("host_pages") >= min_line_share
    return few.withColumn("host_pages", host_pages).where(~is_site & often)


def _emit(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        site, address = (batch.column(name).to_numpy() for name in ("site", "address"))
        yield host_lines.occurrences(batch.column("text"), site, address)


def _show(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield host_lines.shown_lines(*(batch.column(name) for name in ("text", "host", "wanted")))


def cut(documents: DataFrame, repeated: DataFrame, n_lines: int | None = None) -> DataFrame:
    """All rows of `documents` (columns url and text), `text` without the lines of `repeated` of the page's host, and
    `cut_lines` int, how many that were: 0 for most, and for a null text, which stays null. A text may become empty.

    `n_lines`: rows of `repeated`, else they are counted. Up to BROADCAST_LINES no text is shuffled.
    """
    lists = repeated.groupBy(F.col("host").alias("_host")).agg(
        F.sort_array(F.collect_set("line_hash")).alias("_line_hashes")
    )
    if (repeated.count() if n_lines is None else n_lines) <= BROADCAST_LINES:
        lists = F.broadcast(lists)
    kept = documents.drop("cut_lines")
    joined = kept.withColumn("_host", host(F.col("url"))).join(lists, "_host", "left")
    schema = StructType([*kept.schema.fields, StructField("cut_lines", IntegerType())])
    place = kept.columns.index("text")

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            cut_pages = page_lines.cut(batch.column("text"), batch.column("_line_hashes"))
            columns = batch.columns[:-1]
            columns[place] = cut_pages.texts
            fields = [*list(batch.schema)[:-1], pa.field("cut_lines", pa.int32())]  # with what may be null in them
            yield pa.RecordBatch.from_arrays([*columns, pa.array(cut_pages.lines)], schema=pa.schema(fields))

    return joined.select(*kept.columns, "_line_hashes").mapInArrow(run, schema)
