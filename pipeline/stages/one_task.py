"""Clusters of a table of signatures in a single task, where they are few enough: no shuffle, no stage after stage.

The task reads the files of the table itself, columns and row groups that it needs, and holds up to two gigabytes for a
million documents.
"""

from collections.abc import Iterable, Iterator

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from pipeline.config import DedupConfig
from pipeline.duplicates import clustering
from pipeline.duplicates.stored_signatures import StoredSignatures
from pipeline.spark import tables
from schemas.dedup import CLUSTERS

BATCH = 10_000


def clusters(spark: SparkSession, signatures: str, config: DedupConfig, salt: int) -> DataFrame:
    """Rows of schemas.dedup.CLUSTERS. `signatures`: the folder of a written table, ids distinct."""

    def task(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for _ in batches:  # one row: one task
            stored = StoredSignatures(signatures)
            found = clustering.cluster(
                stored.narrow(), stored.shingles, config.threshold, config.verify, config.max_bucket, salt
            )
            yield from found.combine_chunks().to_batches(BATCH)

    return spark.range(0, 1, 1, 1).mapInArrow(task, tables.spark_schema(CLUSTERS))
