"""Pieces: what a sequence is made of. A document longer than a sequence is cut into pieces of nearly equal length, none
of them dropped; its copies and pieces have keys, hashes of (seed, epoch, id, copy, piece), that put them in order.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from train.corpus.hashing import COPIES, U64, combine, mix64, unit
from train.corpus.token_cache import TokenBlock

SPECIALS = 2  # each piece is framed by <s> and </s>
PAIR_SPECIALS = 3  # <s> A </s> B </s>


@dataclass(frozen=True)
class Pieces:
    """Pieces of documents, arrays of one length. epoch: of their language. id_hash: of the document. copy, piece: from
    0. start, stop: which of the document's tokens they hold. block, row: where those are, in a list of blocks that goes
    with these pieces. language: an index.

    In a pair these are the first text, and second_block, second_row, second_start, second_stop the other one, all 0 in
    single texts. pair: for which of the run's objectives of pairs it is, -1 for a single text. label: 1 where the
    second text does not follow the first, else 0. They are no part of a piece's keys.
    """

    epoch: NDArray[np.int64]
    id_hash: U64
    copy: NDArray[np.int64]
    piece: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    block: NDArray[np.int64]
    row: NDArray[np.int64]
    language: NDArray[np.int64]
    second_block: NDArray[np.int64]
    second_row: NDArray[np.int64]
    second_start: NDArray[np.int64]
    second_stop: NDArray[np.int64]
    pair: NDArray[np.int64]
    label: NDArray[np.int64]

    @property
    def text_length(self) -> NDArray[np.int64]:
        """Tokens of both texts."""
        return self.stop - self.start + self.second_stop - self.second_start

    @property
    def length(self) -> NDArray[np.int64]:
        """Tokens with <s> and the </s> behind each text."""
        return self.text_length + np.where(self.pair >= 0, PAIR_SPECIALS, SPECIALS)

    def __len__(self) -> int:
        return len(self.row)

    def key(self, purpose: int, seed: int) -> U64:
        """A hash of each piece, another for each purpose. [pieces]"""
        if not len(self):
            return np.empty(0, np.uint64)
        return combine(purpose, seed, self.epoch, self.id_hash, self.copy, self.piece)

    def take(self, which: NDArray[np.integer] | slice) -> "Pieces":
        return Pieces(*(getattr(self, name)[which] for name in self.__dataclass_fields__))

    def in_blocks(self, behind: int) -> "Pieces":
        """The same, where so many other blocks stand before theirs."""
        return replace(self, block=self.block + behind, second_block=self.second_block + behind * (self.pair >= 0))

    def ordered(self, purpose: int, seed: int) -> tuple["Pieces", U64]:
        """(the pieces in the order of their keys, the keys); equal keys fall by id, copy and piece."""
        key = self.key(purpose, seed)
        order = np.argsort(key, kind="stable")
        if (key[order][1:] == key[order][:-1]).any():
            order = np.lexsort((self.piece, self.copy, self.id_hash, key))
        return self.take(order), key[order]


def concatenate(parts: list[Pieces]) -> Pieces:
    """One after the other; no part, no pieces."""
    names = Pieces.__dataclass_fields__
    none = {name: np.empty(0, np.uint64 if name == "id_hash" else np.int64) for name in names}
    return Pieces(*(np.concatenate([none[name], *(getattr(part, name) for part in parts)]) for name in names))


def cut(tokens: NDArray[np.int64], max_seq_len: int) -> NDArray[np.int64]:
    """Number of pieces of documents with so many tokens; 0 for an empty one."""
    return -(-tokens // (max_seq_len - SPECIALS))


def bounds(tokens: NDArray[np.int64], pieces: NDArray[np.int64], piece: NDArray[np.int64]) -> tuple[
    NDArray[np.int64], NDArray[np.int64]
]:  # fmt: skip
    """(start, stop) of a piece, where `pieces` divide `tokens` as evenly as whole tokens allow."""
    return tokens * piece // pieces, tokens * (piece + 1) // pieces


def copies(block: TokenBlock, seed: int, start: float, stop: float) -> NDArray[np.int64]:
    """How often each document is shown between two numbers of epochs of its language.

    After E epochs a document of weight w has been shown floor(w E + u) times, u even in [0, 1) by a hash: w E up or
    down. [documents]
    """
    if not len(block.id_hash):
        return np.empty(0, np.int64)
    offset = unit(mix64(combine(COPIES, seed, block.id_hash)))
    return (np.floor(block.weight * stop + offset) - np.floor(block.weight * start + offset)).astype(np.int64)


def pieces_of(
    block: TokenBlock, times: NDArray[np.int64], epoch: int, language: int, max_seq_len: int, block_number: int
) -> Pieces:
    """All pieces of all copies of a block's documents; times: copies of each. [documents]"""
    count = cut(block.tokens, max_seq_len)
    row, copy = _count_out(np.arange(len(times)), times)
    which, piece = _count_out(np.arange(len(row)), count[row])
    row, copy = row[which], copy[which]
    start, stop = bounds(block.tokens[row], count[row], piece)
    same = [np.full(len(row), value, np.int64) for value in (epoch, block_number, language)]
    first = (same[0], block.id_hash[row], copy, piece, start, stop, same[1], row, same[2])
    return Pieces(*first, *(np.full(len(row), value, np.int64) for value in (0, 0, 0, 0, -1, 0)))


def cost(block: TokenBlock, max_seq_len: int) -> float:
    """Tokens with <s> and </s> that an epoch shows of a block: weight times length."""
    return float((block.weight * (block.tokens + SPECIALS * cut(block.tokens, max_seq_len))).sum())


def _count_out(items: NDArray[np.int64], times: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each item so many times, and 0, 1, 2 ... within each."""
    repeated = np.repeat(items, times)
    ends = np.cumsum(times)
    return repeated, np.arange(len(repeated)) - np.repeat(ends - times, times)
