"""The pieces of a vocabulary as a double array (Aoe 1989) over code points: a step a character, whatever the script."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.kernels.compiling import uncounted, whole

N_CODE_POINTS = 0x110000
_TRIES = 4096  # places looked at for a node of several children before the end is taken


class PieceTrie(NamedTuple):
    """`labels` int32 (0x110000,): a number from 1 for each code point in a piece, else 0. `nodes` int32 (n, 4): the
    node that a slot is a child of, the base of its own children (child = base + label) or -1, and the piece that ends
    there or -1. Slot 0 is the root."""

    labels: np.ndarray
    nodes: np.ndarray


def piece_trie(pieces: Sequence[str]) -> PieceTrie:
    """The trie of distinct pieces, none empty; a piece's number is its place in `pieces`."""
    order = sorted(range(len(pieces)), key=pieces.__getitem__)
    points = np.frombuffer("".join(pieces[i] for i in order).encode("utf-32-le", "surrogatepass"), np.int32)
    offsets = np.zeros(len(pieces) + 1, np.int64)
    np.cumsum([len(pieces[i]) for i in order], out=offsets[1:])
    labels = np.zeros(N_CODE_POINTS, np.int32)
    present, counts = np.unique(points, return_counts=True)
    frequent = present[np.lexsort((present, -counts))]
    labels[frequent] = np.arange(1, len(frequent) + 1)
    most = len(points) + 1
    parents, steps, ends = np.full(most, -1, np.int32), np.zeros(most, np.int32), np.full(most, -1, np.int32)
    n = _grow(labels[points], offsets, np.array(order, np.int32), parents, steps, ends, np.zeros(most, np.int32))
    parents, steps, ends = parents[:n], steps[:n], ends[:n]
    children = np.lexsort((steps[1:], parents[1:])).astype(np.int32) + 1
    first = np.searchsorted(parents[children], np.arange(n + 1)).astype(np.int64)
    size = 2 * (n + len(frequent)) + 16
    while True:
        nodes = np.full((size, 4), -1, np.int32)
        used = _place(steps, ends, children, first, nodes, np.zeros(n, np.int64), np.zeros(n, np.int32))
        if used:
            return PieceTrie(labels, nodes[: used + len(frequent) + 1].copy())
        size *= 2


@uncounted
def _grow(points, offsets, numbers, parents, steps, ends, way):
    """Writes parent, label and piece of each node of a trie of sorted strings; how many there are. Node 0 is the root;
    `way` has room for the nodes of a string, by depth."""
    n = 1
    way[0] = 0
    for i in range(len(numbers)):
        start, end = offsets[i], offsets[i + 1]
        shared = 0
        if i > 0:
            before = offsets[i - 1]
            while shared < min(end - start, start - before) and points[start + shared] == points[before + shared]:
                shared += 1
        for depth in range(shared, end - start):
            parents[n], steps[n] = way[depth], points[start + depth]
            way[depth + 1] = n
            n += 1
        ends[way[end - start]] = numbers[i]
    return n


@uncounted
def _place(steps, ends, children, first, nodes, slots, waiting):
    """Slots for all nodes; `children` are all but the root, by parent and label, node i's from first[i] on. How many
    slots are used, 0 where `nodes` has too few."""
    nodes[0, 0] = 0
    slots[0] = 0
    waiting[0] = 0
    head, tail = 0, 1
    free, used = 1, 1  # no slot below `free` is free, none from `used` on is taken
    while head < tail:
        node = waiting[head]
        head += 1
        start, stop = first[node], first[node + 1]
        if start == stop:
            continue
        least, most = whole(steps[children[start]]), whole(steps[children[stop - 1]])
        at = max(free, least)
        tries = 0
        while True:
            if tries == _TRIES:
                at = max(used, least)
            if at - least + most >= len(nodes):
                return 0
            fits = nodes[at, 0] < 0
            if fits:
                tries += 1
                for i in range(start + 1, stop):
                    if nodes[at - least + whole(steps[children[i]]), 0] >= 0:
                        fits = False
                        break
            if fits:
                break
            at += 1
        base = at - least
        nodes[slots[node], 1] = base
        for i in range(start, stop):
            child = children[i]
            slot = base + whole(steps[child])
            slots[child] = slot
            nodes[slot, 0] = slots[node]
            nodes[slot, 2] = ends[child]
            waiting[tail] = child
            tail += 1
            used = max(used, slot + 1)
        while free < len(nodes) and nodes[free, 0] >= 0:
            free += 1
    return used
