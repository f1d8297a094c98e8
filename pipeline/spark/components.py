"""Connected components: by union-find in one task where the edges fit into it, else by alternating large-star and
small-star (Kiveris et al. 2014, "Connected Components in MapReduce and Beyond", SoCC).

Each round is written to Parquet: that cuts the lineage, and a lost block is recomputed from files, not from luck.
"""

import logging
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipeline.duplicates import union_find
from pipeline.spark import tables
from pipeline.store import storage

log = logging.getLogger(__name__)
MAX_ROUNDS = 60  # rounds grow with the square of the logarithm of the longest chain; this is beyond any graph
ONE_TASK_EDGES = 8_000_000  # half a gigabyte in one task, a few seconds
COMPONENTS = "node long, component long"


def components(edges: DataFrame, scratch: str, one_task_edges: int = ONE_TASK_EDGES) -> DataFrame:
    """Nodes with their component: columns `node` and `component`, the smallest node that a path leads to.

    `edges`: columns `a` and `b`, bigint, any direction, repeats and loops allowed; nodes without an edge to another are
    not in the answer. `scratch`: a folder for the rounds, which the caller removes. Raises RuntimeError when the answer
    breaks one of its invariants: a star each, no edge across components, no node lost.
    """
    start = storage.join(scratch, "edges")
    ordered = edges.where(F.col("a") != F.col("b")).select(
        F.greatest("a", "b").alias("u"), F.least("a", "b").alias("v")
    )
    given = tables.settled(ordered, start)
    count = given.count()
    if count <= one_task_edges:
        log.info("connected components: %d edges, in one task", count)
        return given.coalesce(1).mapInArrow(_local_components, COMPONENTS)
    result = _by_rounds(given, scratch)
    _check(given, result)
    return result


def _by_rounds(given: DataFrame, scratch: str) -> DataFrame:
    stars = given.mapInArrow(_local_components, COMPONENTS).toDF("u", "v").where(F.col("u") != F.col("v"))
    path = storage.join(scratch, "round-00")
    current = tables.settled(stars.distinct(), path)  # each task's edges as stars: as connected, and far fewer
    for round_ in range(1, MAX_ROUNDS + 1):
        if _is_stars(current):  # which no further round changes
            break
        path = storage.join(scratch, f"round-{round_:02d}")
        current = tables.settled(_small_star(_large_star(current)), path)
        log.info("connected components: round %d done, %d edges", round_, current.count())
    else:
        raise RuntimeError(f"connected components did not converge in {MAX_ROUNDS} rounds")
    roots = current.select(F.col("v").alias("node")).distinct()
    return current.select(F.col("u").alias("node"), F.col("v").alias("component")).unionByName(
        roots.select("node", F.col("node").alias("component"))
    )


def _local_components(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The components of one task's edges, which the kernel proves: a row a node."""
    pieces = [(batch.column(0).to_numpy(), batch.column(1).to_numpy()) for batch in batches if len(batch)]
    if pieces:
        nodes, roots = union_find.components(*(np.concatenate(side) for side in zip(*pieces, strict=True)))
        for at in range(0, len(nodes), 1 << 16):
            part = [pa.array(column[at : at + (1 << 16)]) for column in (nodes, roots)]
            yield pa.RecordBatch.from_arrays(part, ["node", "component"])


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


def _is_stars(edges: DataFrame) -> bool:
    """Whether every node is either a root or points to one root: the fixpoint of both operations."""
    ends = edges.select(F.col("u").alias("node"), F.lit(1).alias("points"), F.lit(0).alias("root")).unionAll(
        edges.select(F.col("v").alias("node"), F.lit(0).alias("points"), F.lit(1).alias("root"))
    )
    nodes = ends.groupBy("node").agg(F.sum("points").alias("points"), F.max("root").alias("root"))
    return nodes.where((F.col("points") > 1) | ((F.col("points") > 0) & (F.col("root") > 0))).isEmpty()


def _check(edges: DataFrame, result: DataFrame) -> None:
    """One row a node, no node of an edge without one, and no edge between two components."""
    if twice := result.groupBy("node").count().where(F.col("count") > 1).first():
        raise RuntimeError(f"connected components: {twice['node']} came out {twice['count']} times")
    of_u = result.select(F.col("node").alias("u"), F.col("component").alias("cu"))
    of_v = result.select(F.col("node").alias("v"), F.col("component").alias("cv"))
    ends = edges.join(of_u, "u", "left").join(of_v, "v", "left")
    if first := ends.where(~F.col("cu").eqNullSafe(F.col("cv")) | F.col("cu").isNull()).first():
        raise RuntimeError(
            f"connected components: the edge {first['u']} - {first['v']} leads from {first['cu']} to {first['cv']}"
        )
