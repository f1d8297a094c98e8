from collections.abc import Callable, Iterable
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession

from pipeline.spark import components as module
from pipeline.spark.components import _check, components

Edge = tuple[str, str]
Find = Callable[[Iterable[Edge]], dict[str, str]]


def table(spark: SparkSession, edges: Iterable[Edge], names: str = "a b") -> DataFrame:
    a, b = names.split()
    return spark.createDataFrame(list(edges), f"{a} string, {b} string")


@pytest.fixture
def find(spark: SparkSession, tmp_path: Path) -> Find:
    """Node -> component, by the code under test."""

    def run(edges: Iterable[Edge]) -> dict[str, str]:
        rows = components(spark, table(spark, edges), str(tmp_path / "scratch")).collect()
        assert len({row["node"] for row in rows}) == len(rows)
        return {row["node"]: row["component"] for row in rows}

    return run


def oracle(edges: Iterable[Edge]) -> dict[str, str]:
    graph = nx.Graph((a, b) for a, b in edges if a != b)
    return {node: min(found) for found in nx.connected_components(graph) for node in found}


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
        named = dict(zip(part.nodes, (f"{number:02d}-{name:04d}" for name in order), strict=True))
        edges += [(named[a], named[b]) if rng.random() < 0.5 else (named[b], named[a]) for a, b in part.edges]
    shuffled = [edges[i] for i in rng.permutation(len(edges))]
    expected = oracle(edges)
    assert len(set(expected.values())) > len(parts)  # the sparse graphs fall apart
    assert find(shuffled) == expected


def test_odd_edges(find: Find) -> None:
    """Loops, repeats, both directions; and the smallest is by the bytes of the id, ten before nine and Z before a."""
    edges = [
        ("b", "a"),
        ("a", "b"),
        ("b", "a"),
        ("c", "c"),
        ("b", "b"),
        ("é", "z"),
        ("", "語"),
        ("9", "10"),
        ("Z", "Y9"),
    ]
    edges += [("x1", "X"), ("x1", "x1"), ("X", "x0")]
    assert find(edges) == {
        "a": "a", "b": "a", "z": "z", "é": "z", "": "", "語": "", "9": "10", "10": "10", "Z": "Y9", "Y9": "Y9",
        "X": "X", "x0": "X", "x1": "X",
    }  # fmt: skip


def test_only_loops_are_no_edges(find: Find) -> None:
    assert find([("a", "a")]) == {}


def test_rounds_that_do_not_end_are_an_error(find: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ROUNDS", 1)
    with pytest.raises(RuntimeError, match="did not converge in 1 rounds"):
        find([("a", "b"), ("b", "c"), ("c", "d")])


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ([("a", "a"), ("b", "a"), ("c", "a")], None),
        ([("a", "a"), ("b", "a"), ("c", "c")], "the edge c - b leads from c to a"),
        ([("a", "a"), ("b", "a")], "the edge c - b leads from None to a"),
        ([("a", "a"), ("b", "a"), ("c", "a"), ("c", "b")], "c came out 2 times"),
        ([("a", "a"), ("b", "a"), ("b", "a")], "b came out 2 times"),  # one twice, one lost
    ],
)
def test_a_broken_answer_is_noticed(spark: SparkSession, result: list[Edge], message: str | None) -> None:
    edges = table(spark, [("b", "a"), ("c", "b")], names="u v")
    answer = table(spark, result, names="node component")
    if message is None:
        _check(edges, answer)
    else:
        with pytest.raises(RuntimeError, match=message):
            _check(edges, answer)
