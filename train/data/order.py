"""The order of the data: a pure function of seed, pass and document id.

A document longer than a sequence is cut into pieces of nearly equal length, none of them dropped. One pass over the
mixture is all pieces of all copies of its documents, sorted by a hash of (seed, pass, id, copy, piece). Neither files
nor workers nor processes enter it, and a place in it is two integers.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.data.hashing import ORDER, U64, combine

SPECIALS = 2  # each piece is framed by <s> and </s>
VALIDATION_PASS = 1_000_000_000  # no training run gets there, so that no mask is shared with it


@dataclass(frozen=True)
class Pieces:
    """Pieces of documents, arrays of one length. row: of the token table. copy, piece: from 0. length: with <s>, </s>.

    start, stop: which of the document's tokens they hold.
    """

    pass_index: NDArray[np.int64]
    row: NDArray[np.int64]
    copy: NDArray[np.int64]
    piece: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]

    @property
    def length(self) -> NDArray[np.int64]:
        return self.stop - self.start + SPECIALS

    def __len__(self) -> int:
        return len(self.row)

    @classmethod
    def none(cls) -> "Pieces":
        return cls(*(np.empty(0, np.int64) for _ in cls.__dataclass_fields__))

    def take(self, which: NDArray[np.integer] | slice) -> "Pieces":
        return Pieces(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


def concatenate(parts: list[Pieces]) -> Pieces:
    return Pieces(*(np.concatenate([getattr(p, name) for p in parts]) for name in Pieces.__dataclass_fields__))


@dataclass(frozen=True)
class PassOrder:
    """One pass: for each place, the document's row, the copy and the piece. 16 bytes a place.

    `lengths` is the number of tokens with <s> and </s>.
    """

    pass_index: int
    row: NDArray[np.int64]
    copy: NDArray[np.uint16]
    piece: NDArray[np.uint32]
    lengths: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.row)


def cut(tokens: NDArray[np.int64], max_seq_len: int) -> NDArray[np.int64]:
    """Number of pieces of documents with so many tokens; 0 for an empty one."""
    return -(-tokens // (max_seq_len - SPECIALS))


def bounds(tokens: NDArray[np.int64], pieces: NDArray[np.int64], piece: NDArray[np.int64]) -> tuple[
    NDArray[np.int64], NDArray[np.int64]
]:  # fmt: skip
    """(start, stop) of a piece, where `pieces` divide `tokens` as evenly as whole tokens allow."""
    return tokens * piece // pieces, tokens * (piece + 1) // pieces


def order_pass(
    id_hash: U64,
    tokens: NDArray[np.int64],
    copies: NDArray[np.int64],
    seed: int,
    pass_index: int,
    max_seq_len: int,
) -> PassOrder:
    """The order of one pass over documents given by the hash of their id, their tokens and how often it shows each."""
    pieces = cut(tokens, max_seq_len)
    row, copy = _count_out(np.arange(len(tokens)), copies)
    which, piece = _count_out(np.arange(len(row)), pieces[row])
    row, copy = row[which], copy[which]
    key = combine(ORDER, seed, pass_index, id_hash[row], copy, piece)
    order = np.argsort(key, kind="stable")
    if (key[order][1:] == key[order][:-1]).any():
        order = np.lexsort((tokens[row], piece, copy, id_hash[row], key))
    row, copy, piece = row[order], copy[order], piece[order]
    start, stop = bounds(tokens[row], pieces[row], piece)
    lengths = (stop - start + SPECIALS).astype(np.int32)
    return PassOrder(pass_index, row, copy.astype(np.uint16), piece.astype(np.uint32), lengths)


def _count_out(items: NDArray[np.int64], times: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each item so many times, and 0, 1, 2 ... within each."""
    repeated = np.repeat(items, times)
    ends = np.cumsum(times)
    return repeated, np.arange(len(repeated)) - np.repeat(ends - times, times)
