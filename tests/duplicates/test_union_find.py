import networkx as nx
import numpy as np
import pytest

from pipeline.duplicates.union_find import components


def oracle(edges: np.ndarray) -> dict[int, int]:
    found = nx.connected_components(nx.Graph(edges.tolist()))
    return {node: least for component in found for least in [min(component)] for node in component}


def by_kernel(edges: np.ndarray) -> dict[int, int]:
    nodes, roots = components(edges[:, 0], edges[:, 1])
    assert (np.diff(nodes) > 0).all()
    return dict(zip(nodes.tolist(), roots.tolist(), strict=True))


@pytest.mark.parametrize("seed", range(30))
def test_random_graphs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    edges = rng.integers(-(1 << 63), (1 << 63) - 1, 400)[rng.integers(0, 400, (int(rng.integers(1, 600)), 2))]
    assert by_kernel(edges) == oracle(edges)


@pytest.mark.parametrize("order", ["up", "down", "mixed"])
def test_a_long_chain_a_star_and_a_clique(order: str) -> None:
    chain = [(i, i + 1) for i in range(20_000)]
    star = [(30_000, i) for i in range(30_001, 40_000)]
    clique = [(i, j) for i in range(50_000, 50_060) for j in range(50_000, i)]
    edges = np.array(chain + star + clique)
    if order != "up":
        edges = edges[::-1] if order == "down" else np.random.default_rng(0).permutation(edges)
    assert by_kernel(np.ascontiguousarray(edges)) == oracle(edges)


def test_no_edges() -> None:
    nodes, roots = components(np.empty(0, np.int64), np.empty(0, np.int64))
    assert len(nodes) == len(roots) == 0
