"""Pairs of texts that share an LSH band, and how alike the two of a pair really are."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipeline.duplicates import buckets
from pipeline.duplicates.similarity import similarities as similarities_of


def candidates(folded: DataFrame, max_bucket: int, least: float) -> DataFrame:
    """Distinct pairs `a` < `b` of nodes that share a band, linear in the size of any bucket.

    `folded`: columns node, bands, n_shingles, earlier; pairs of two earlier texts are left out, and pairs whose sizes
    alone say that they are less alike than `least` (0: none).
    """
    banded = folded.select("node", "bands", "n_shingles", "earlier", F.posexplode("bands").alias("band", "bucket"))
    following = F.get("bands", (F.col("band") + 1) % F.size("bands"))
    entries = banded.select("bucket", following.alias("order"), "node", "n_shingles", "earlier")

    def pair(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        columns = (buckets.Entries(*(np.asarray(column) for column in batch.columns)) for batch in batches)
        for pairs_of_bucket in buckets.pairs(columns, max_bucket, least):
            yield pa.RecordBatch.from_arrays(
                [pa.array(pairs_of_bucket[:, 0]), pa.array(pairs_of_bucket[:, 1])], ["a", "b"]
            )

    ordered = entries.repartition("bucket").sortWithinPartitions("bucket", "order", "node")
    return ordered.mapInArrow(pair, "a long, b long").distinct()


def similarities(pairs: DataFrame, shingles: DataFrame, measure: str) -> DataFrame:
    """`a`, `b` and `similarity` of the pairs. `shingles`: columns node and shingles; no text is read."""

    def compare(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            shares = similarities_of(batch.column("first"), batch.column("second"), measure)
            yield pa.RecordBatch.from_arrays(
                [batch.column("a"), batch.column("b"), pa.array(shares)], ["a", "b", "similarity"]
            )

    first = shingles.select(F.col("node").alias("a"), F.col("shingles").alias("first"))
    second = shingles.select(F.col("node").alias("b"), F.col("shingles").alias("second"))
    both = pairs.select("a", "b").join(first, "a").join(second, "b")
    return both.select("a", "b", "first", "second").mapInArrow(compare, "a long, b long, similarity double")
