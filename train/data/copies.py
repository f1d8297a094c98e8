"""How often each document is shown after so many epochs of its language: exact to a document, and without a state.

Within a language, the documents of one weight lie on a circle of circumference 1 in the order of a hash, each as long
as its share of their tokens, turned by a hash; a document's offset u is the middle of its place. After E epochs a
document of weight w has been shown floor(w E + u) times. That is w E up or down; those that go up are an arc of the
circle, so their tokens miss the planned ones by a document at most, where a threshold on each document's own hash
misses by a standard deviation (systematic sampling, Madow and Madow 1944). Epochs add up over passes, so a pass goes
on where the one before it ended.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.data.hashing import EPOCH, U64, combine, mix64, unit
from train.data.order import SPECIALS, cut
from train.data.tokens import TokenTable

EDGE = 2.0**-30  # offsets keep this far from 0 and 1, so that no rounding of w E shows a document once too often


@dataclass(frozen=True)
class Supply:
    """What there is to show. All arrays are [documents] in the order of the token table.

    cost: int64, tokens with <s> and </s> of all pieces. pieces: int64. offset: float64 in (0, 1).
    """

    languages: tuple[str, ...]
    language: NDArray[np.int16]
    weight: NDArray[np.float32]
    pieces: NDArray[np.int64]
    cost: NDArray[np.int64]
    offset: NDArray[np.float64]

    def sizes(self) -> NDArray[np.float64]:
        """Tokens that an epoch of each language shows: weight times cost. [languages]"""
        return np.bincount(self.language, self.weight * self.cost, len(self.languages)).astype(np.float64)

    def copies(self, epochs: NDArray[np.float64]) -> NDArray[np.int64]:
        """How often each document has been shown after so many epochs of its language. epochs: [languages]."""
        wanted = epochs[self.language] * self.weight
        whole = np.floor(wanted)
        return whole.astype(np.int64) + (wanted - whole + self.offset >= 1)

    def shown(self, epochs: NDArray[np.float64]) -> NDArray[np.int64]:
        """Tokens of each language that have been shown by then. [languages]"""
        return np.bincount(self.language, self.cost * self.copies(epochs), len(self.languages)).astype(np.int64)


def supply(table: TokenTable, seed: int, max_seq_len: int) -> Supply:
    pieces = cut(table.tokens, max_seq_len)
    cost = table.tokens + SPECIALS * pieces
    offset = offsets(table.language, table.weight, cost, table.id_hash, seed)
    return Supply(table.languages, table.language, table.weight, pieces, cost, offset)


def offsets(
    language: NDArray[np.int16], weight: NDArray[np.float32], cost: NDArray[np.int64], id_hash: U64, seed: int
) -> NDArray[np.float64]:
    """Offset of each document; the order of the rows is nothing to it, save for documents of one id and one length."""
    if not len(cost):
        return np.empty(0)
    key = combine(EPOCH, seed, id_hash)
    order = np.lexsort((cost, key, weight, language))
    begins = np.ones(len(order), np.bool_)
    begins[1:] = (np.diff(language[order]) != 0) | (np.diff(weight[order]) != 0)
    first = np.flatnonzero(begins)
    counts = np.diff(np.append(first, len(order)))
    ends = np.cumsum(cost[order])
    before = ends[first] - cost[order[first]]
    total = np.maximum(np.diff(np.append(before, ends[-1])), 1)
    turn = unit(mix64(key[order[first]]))
    middle = (ends - cost[order] / 2 - np.repeat(before, counts)) / np.repeat(total, counts)
    offset = np.empty(len(order))
    offset[order] = np.clip((middle + np.repeat(turn, counts)) % 1.0, EDGE, 1 - EDGE)
    return offset
