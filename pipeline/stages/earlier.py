"""Tables of earlier crawls (`pipeline.duplicates.earlier_crawls`) as the engine reads them."""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.duplicates.earlier_crawls import EarlierCrawl, check_columns, refuse_version
from pipeline.spark import tables


def check_tables(spark: SparkSession, crawl: EarlierCrawl, version: str) -> None:
    """UserError where the stored signatures are not comparable with new ones of this version."""
    stored = tables.of_files(spark, crawl.signatures)
    check_columns(crawl, stored.columns, tables.of_files(spark, crawl.clusters).columns)
    other = stored.where(F.col("signature_version") != version).select("signature_version").first()
    if other:
        raise refuse_version(crawl, other[0], version)


def signatures(spark: SparkSession, crawl: EarlierCrawl) -> DataFrame:
    """Its stored signatures."""
    return tables.of_files(spark, crawl.signatures)


def copies(spark: SparkSession, crawl: EarlierCrawl) -> DataFrame:
    """Rows of earlier_crawls.COPIES. Documents of crawls before it are among them where this one added to their
    clusters."""
    rows = tables.of_files(spark, crawl.clusters)
    here = F.lit(crawl.crawl)
    return rows.select(
        F.coalesce("crawl", here).alias("crawl"),
        "id",
        F.coalesce("cluster_crawl", here).alias("cluster_crawl"),
        "cluster_id",
        F.col("drop_reason").isNotNull().alias("dropped"),
    )
