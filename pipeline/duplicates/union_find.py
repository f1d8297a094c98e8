"""Connected components of edges that fit into memory, by union-find."""

import numpy as np

from pipeline.kernels.compiling import kernel


@kernel
def _root(parents: np.ndarray, node: int) -> int:
    while parents[node] != node:
        parents[node] = parents[parents[node]]  # path halving (Tarjan and van Leeuwen 1984)
        node = parents[node]
    return node


@kernel
def _roots(u: np.ndarray, v: np.ndarray, n_nodes: int) -> np.ndarray:
    """The smallest node of each node's component; nodes are 0 .. n_nodes - 1."""
    parents = np.arange(n_nodes)
    for i in range(len(u)):
        a, b = _root(parents, u[i]), _root(parents, v[i])
        if a < b:
            parents[b] = a
        else:
            parents[a] = b
    for node in range(n_nodes):
        parents[node] = parents[parents[node]]  # a parent is smaller, so it is settled already
    for i in range(len(u)):
        if parents[u[i]] != parents[v[i]]:
            raise AssertionError("an edge leads out of its component")
    return parents


def components(u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct nodes of the edges, int64 ascending, and the smallest node of each one's component.

    `u`, `v`: int64 ends of the edges, in any order. That no edge leads from one component to another is checked.
    """
    nodes, places = np.unique(np.concatenate([u, v]), return_inverse=True)
    places = places.astype(np.int64)
    return nodes, nodes[_roots(places[: len(u)], places[len(u) :], len(nodes))]
