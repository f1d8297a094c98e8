"""Connected components of a graph by alternating large-star and small-star (Kiveris et al. 2014,
"Connected Components in MapReduce and Beyond", SoCC).

Each round is written to Parquet: that cuts the lineage, and a lost block is recomputed from files, not from luck.
"""

import logging

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline import storage
from pipeline.spark import tables

log = logging.getLogger(__name__)
MAX_ROUNDS = 60  # rounds grow with the square of the logarithm of the longest chain; this is beyond any graph


def components(spark: SparkSession, edges: DataFrame, scratch: str) -> DataFrame:
    """Nodes with their component: columns `node` and `component`, the smallest node that a path leads to.

    `edges`: columns `a` and `b`, any direction, repeats and loops allowed; nodes without an edge are not in the answer.
    `scratch`: a folder for the rounds, which the caller removes. Raises RuntimeError when the answer breaks one of its
    invariants: a star each, no edge across components, no node lost.
    """
    start = storage.join(scratch, "edges")
    ordered = edges.where(F.col("a") != F.col("b")).select(
        F.greatest("a", "b").alias("u"), F.least("a", "b").alias("v")
    )
    tables.write(ordered.distinct(), start)
    current = tables.written(spark, start)
    before: tuple[int, int] | None = None
    for round_ in range(1, MAX_ROUNDS + 1):
        path = storage.join(scratch, f"round-{round_:02d}")
        tables.write(_small_star(_large_star(current)), path)
        current = tables.written(spark, path)
        now = _digest(current)
        log.info("connected components: round %d, %d edges", round_, now[0])
        if now == before or now[0] == 0:
            break
        before = now
    else:
        raise RuntimeError(f"connected components did not converge in {MAX_ROUNDS} rounds")
    roots = current.select(F.col("v").alias("node")).distinct()
    result = current.select(F.col("u").alias("node"), F.col("v").alias("component")).unionByName(
        roots.select("node", F.col("node").alias("component"))
    )
    _check(tables.written(spark, start), result)
    return result


def _large_star(edges: DataFrame) -> DataFrame:
    """Every larger neighbour of a node points to the smallest node of the neighbourhood. `edges`: u > v."""
    both = edges.select("u", "v").unionAll(edges.select(F.col("v").alias("u"), F.col("u").alias("v")))
    smallest = both.groupBy("u").agg(F.min("v").alias("m")).select("u", F.least("u", "m").alias("m"))
    larger = both.where(F.col("v") > F.col("u")).join(smallest, "u")
    return larger.select(F.col("v").alias("u"), F.col("m").alias("v")).distinct()


def _small_star(edges: DataFrame) -> DataFrame:
    """Every smaller neighbour of a node, and the node itself, point to the smallest of them. `edges`: u > v."""
    smallest = edges.groupBy("u").agg(F.min("v").alias("m"))
    moved = (
        edges.join(smallest, "u").where(F.col("v") != F.col("m")).select(F.col("v").alias("u"), F.col("m").alias("v"))
    )
    return moved.unionAll(smallest.select("u", F.col("m").alias("v"))).distinct()


def _digest(edges: DataFrame) -> tuple[int, int]:
    """Count and order-free checksum of the edges."""
    checksum = F.coalesce(F.sum(F.xxhash64("u", "v").cast("decimal(38,0)")), F.lit(0).cast("decimal(38,0)"))
    row = edges.agg(F.count("*").alias("n"), checksum.alias("s")).first()
    assert row is not None
    return int(row["n"]), int(row["s"])


def _check(edges: DataFrame, result: DataFrame) -> None:
    nodes_in = edges.select(F.explode(F.array("u", "v")).alias("node")).distinct().count()
    counts = result.agg(F.count("*").alias("rows"), F.countDistinct("node").alias("nodes")).first()
    assert counts is not None
    if not nodes_in == counts["rows"] == counts["nodes"]:
        raise RuntimeError(f"connected components: {nodes_in} nodes went in, {counts['rows']} rows came out")
    label = result.select(F.col("node"), F.col("component"))
    crossing = (
        edges.join(label.withColumnsRenamed({"node": "u", "component": "cu"}), "u")
        .join(label.withColumnsRenamed({"node": "v", "component": "cv"}), "v")
        .where(F.col("cu") != F.col("cv"))
    )
    if first := crossing.first():
        raise RuntimeError(f"connected components: the edge {first['u']} - {first['v']} crosses components")
