"""Tables of earlier crawls (`pipeline.duplicates.earlier_crawls`) as the engine reads them."""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.duplicates.earlier_crawls import EarlierCrawl
from pipeline.spark import tables


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
