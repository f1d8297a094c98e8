from collections.abc import Callable, Iterable
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession

from pipeline.spark import components as module
from pipeline.spark import table_tasks
from pipeline.spark.components import _check, components

Edge = tuple[int, int]
Find = Callable[[Iterable[Edge]], dict[int, int]]


def table(spark: SparkSession, edges: Iterable[Edge], names: str = "a b") -> DataFrame:
    a, b = names.split()
    return spark.createDataFrame(list(edges), f"{a} long, {b} long")


@pytest.fixture
def a_task_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else one task reads all of a small graph, and no round has anything to do."""
    monkeypatch.setattr(table_tasks, "LEAST_TASK_BYTES", 1)


@pytest.fixture(params=["one task", "rounds"])
def find(request: pytest.FixtureRequest, spark: SparkSession, tmp_path: Path, a_task_a_file: None) -> Find:
    """Node -> component, by the code under test."""
    one_task_edges = 10_000 if request.param == "one task" else -1

    def run(edges: Iterable[Edge]) -> dict[int, int]:
        given = table(spark, edges).repartition(5)
        rows = components(given, str(tmp_path / "scratch"), one_task_edges).collect()
        assert len({row["node"] for row in rows}) == len(rows)
        return {row["node"]: row["component"] for row in rows}

    return run


def oracle(edges: Iterable[Edge]) -> dict[int, int]:
    graph = nx.Graph((a, b) for a, b in edges if a != b)
    return {node: least for found in nx.connected_components(graph) for least in [min(found)] for node in found}


def test_many_graphs_at_once(find: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    """One run over the disjoint union of chains, stars, cliques, trees, circles and random graphs of any density.

    Node names are permuted by chance in each part but the first, a chain in order. There, plain propagation of labels
    would take 300 rounds; ours are bounded by the square of the logarithm.
    """
    monkeypatch.setattr(module, "MAX_ROUNDS", 12)
    rng = np.random.default_rng(20261)
    parts = [nx.path_graph(300), nx.path_graph(300), nx.star_graph(60), nx.complete_graph(20), nx.cycle_graph(65),
             nx.path_graph(2), nx.balanced_tree(2, 6), nx.barbell_graph(8, 20), nx.grid_2d_graph(7, 9)]  # fmt: skip
    parts += [nx.gnm_random_graph(60, int(m), seed=int(rng.integers(1 << 30))) for m in rng.integers(1, 120, 12)]
    edges: list[Edge] = []
    for number, part in enumerate(parts):
        order = rng.permutation(part.number_of_nodes()) if number else range(part.number_of_nodes())
        named = dict(zip(part.nodes, (10_000 * number + int(name) - 50_000 for name in order), strict=True))
        edges += [(named[a], named[b]) if rng.random() < 0.5 else (named[b], named[a]) for a, b in part.edges]
    shuffled = [edges[i] for i in rng.permutation(len(edges))]
    expected = oracle(edges)
    assert len(set(expected.values())) > len(parts)  # the sparse graphs fall apart
    assert find(shuffled) == expected


def test_odd_edges(find: Find) -> None:
    """Loops, repeats, both directions, the ends of the range."""
    edges = [(2, 1), (1, 2), (2, 1), (3, 3), (2, 2), (-9, 9), (1 << 62, (1 << 63) - 1), (-(1 << 63), 0)]
    assert find(edges) == {
        1: 1, 2: 1, 9: -9, -9: -9, 1 << 62: 1 << 62, (1 << 63) - 1: 1 << 62, 0: -(1 << 63), -(1 << 63): -(1 << 63),
    }  # fmt: skip


def test_only_loops_are_no_edges(find: Find) -> None:
    assert find([(7, 7)]) == {}


def test_rounds_that_do_not_end_are_an_error(
    spark: SparkSession, tmp_path: Path, a_task_a_file: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_ROUNDS", 1)
    chain = table(spark, [(i, i + 1) for i in range(40)]).repartition(20)
    with pytest.raises(RuntimeError, match="did not converge in 1 rounds"):
        components(chain, str(tmp_path), one_task_edges=0)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ([(1, 1), (2, 1), (3, 1)], None),
        ([(1, 1), (2, 1), (3, 3)], "the edge 3 - 2 leads from 3 to 1"),
        ([(1, 1), (2, 1)], "the edge 3 - 2 leads from None to 1"),
        ([(1, 1), (2, 1), (3, 1), (3, 2)], "3 came out 2 times"),
        ([(1, 1), (2, 1), (2, 1)], "2 came out 2 times"),  # one twice, one lost
    ],
)
def test_a_broken_answer_is_noticed(spark: SparkSession, result: list[Edge], message: str | None) -> None:
    edges = table(spark, [(2, 1), (3, 2)], names="u v")
    answer = table(spark, result, names="node component")
    if message is None:
        _check(edges, answer)
    else:
        with pytest.raises(RuntimeError, match=message):
            _check(edges, answer)
