"""One language's documents as a stream without end, or up to its most epochs.

An epoch is all blocks of the language in the order of a hash of (seed, epoch, block), and in each block all pieces in
the order of theirs. A place in it is an epoch, the number of a block in that order and the key of the last piece taken:
a restart reads one block, whatever the size of the corpus, and goes on at the same piece also where others have been
taken down meanwhile.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from train.corpus.blocks import Block, Blocks
from train.corpus.hashing import ORDER, U64, combine
from train.corpus.token_cache import TokenBlock
from train.data.pieces import SPECIALS, Pieces, copies, pieces_of

Load = Callable[[Block], TokenBlock]


class Place(NamedTuple):
    """Behind the piece with `key` of the `block`-th block of `epoch`; key 0: before its first."""

    epoch: int = 0
    block: int = 0
    key: int = 0


class Taken(NamedTuple):
    """Pieces of one block; `following`: where the stream goes on behind them."""

    block: TokenBlock
    pieces: Pieces
    following: Place


class LanguageStream:
    """language: its number, which its pieces carry. max_epochs: over the whole run, inf for none."""

    def __init__(
        self, blocks: Blocks, load: Load, seed: int, max_seq_len: int, language: int, max_epochs: float = math.inf
    ) -> None:
        self.blocks, self.load, self.seed, self.max_seq_len = blocks, load, seed, max_seq_len
        self.language, self.max_epochs = language, max_epochs
        self._epoch, self._order = -1, np.empty(0, np.int64)
        self._cached: tuple[int, int, TokenBlock, Pieces, U64] | None = None

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Numbers of the blocks in the order of an epoch."""
        if epoch != self._epoch:
            self._epoch = epoch
            self._order = np.argsort(combine(ORDER, self.seed, epoch, self.blocks.key), kind="stable")
        return self._order

    def ended(self, place: Place) -> bool:
        return not len(self.blocks) or place.epoch >= self.max_epochs

    def upcoming(self, place: Place, rows: float) -> list[Block]:
        """The blocks from a place on that hold so many documents, of this epoch and the next."""
        found: list[Block] = []
        for epoch, first in ((place.epoch, place.block), (place.epoch + 1, 0)):
            if epoch >= self.max_epochs:
                break
            for number in self.order(epoch)[first:].tolist():
                found.append(self.blocks.block(number))
                rows -= found[-1].rows
                if rows <= 0:
                    return found
        return found

    def take(self, place: Place, tokens: float) -> Iterator[Taken]:
        """The next pieces, block by block, as many as fit into so many tokens; the stream's end ends it.

        An epoch that shows nothing of any block is an end too.
        """
        empty = 0
        while not self.ended(place) and empty <= len(self.blocks):
            block, pieces, keys = self._pieces(place)
            first = int(np.searchsorted(keys, np.uint64(place.key), side="right")) if place.key else 0
            lengths = np.cumsum(pieces.length[first:])
            count = int(np.searchsorted(lengths, tokens, side="right"))
            whole = first + count == len(keys)
            following = self._after(place) if whole else place
            if not whole and count:
                following = place._replace(key=int(keys[first + count - 1]))
            if count:
                yield Taken(block, pieces.take(slice(first, first + count)), following)
                tokens -= int(lengths[count - 1])
            if not whole or tokens <= SPECIALS:
                return
            empty = 0 if len(keys) else empty + 1
            place = following

    def between(self, start: Place, stop: Place) -> Iterator[Taken]:
        """All pieces from one place to another."""
        place = start
        while place < stop and not self.ended(place):
            block, pieces, keys = self._pieces(place)
            first = int(np.searchsorted(keys, np.uint64(place.key), side="right")) if place.key else 0
            last = len(keys)
            following = self._after(place)
            if place[:2] == stop[:2]:
                last = int(np.searchsorted(keys, np.uint64(stop.key), side="right")) if stop.key else 0
                following = stop
            if last > first:
                yield Taken(block, pieces.take(slice(first, last)), following)
            place = following

    def epochs(self, place: Place) -> float:
        """How many epochs have been shown by a place, by blocks."""
        return place.epoch + place.block / max(1, len(self.blocks))

    def _after(self, place: Place) -> Place:
        if place.block + 1 < len(self.blocks):
            return Place(place.epoch, place.block + 1, 0)
        return Place(place.epoch + 1, 0, 0)

    def _pieces(self, place: Place) -> tuple[TokenBlock, Pieces, U64]:
        if self._cached is None or self._cached[:2] != place[:2]:
            number = int(self.order(place.epoch)[place.block])
            block = self.load(self.blocks.block(number))
            stop = min(place.epoch + 1.0, self.max_epochs)
            times = copies(block, self.seed, float(place.epoch), stop)
            pieces = pieces_of(block, times, place.epoch, self.language, self.max_seq_len, 0)
            self._cached = (place.epoch, place.block, block, *pieces.ordered(ORDER, self.seed))
        return self._cached[2:]
