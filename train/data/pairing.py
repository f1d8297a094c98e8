"""Two texts in a sequence: which pieces become pairs of sentences, and which pairs do not belong together.

Next-sentence prediction (Devlin et al. 2019, arXiv 1810.04805) and sentence-order prediction (Lan et al. 2020, arXiv
1909.11942). A piece is cut at the end of one of its sentences. In half of the pairs of the latter its parts change
places; of the former, half of the pieces of a language in a window exchange their second parts, so that neither
language nor corpus tells which pairs are true, and no text is left out but the end of one that is too long for its
place.
"""

from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from train.corpus.hashing import CUT, EXCHANGED, HOW_MANY, SWAPPED, TO_WHICH, combine, unit
from train.corpus.token_cache import TokenBlock
from train.data.pieces import PAIR_SPECIALS, SPECIALS, Pieces, pieces_of


def cut_length(max_seq_len: int, pairs: bool) -> int:
    """max_seq_len as pieces are cut for it: a pair needs a special token more than they know of."""
    return max_seq_len - (PAIR_SPECIALS - SPECIALS) * pairs


def cost_of_pairs(block: TokenBlock, length: int) -> float:
    """Tokens that an epoch shows of a block besides its pieces of `length`, since some of these become pairs."""
    pieces = pieces_of(block, np.ones(len(block.tokens), np.int64), 0, 0, length, 0)
    _, count = inner_ends(block, pieces.row, pieces.start, pieces.stop)
    return float(block.weight[pieces.row[count > 0]].sum()) * (PAIR_SPECIALS - SPECIALS)


def inner_ends(
    block: TokenBlock, row: NDArray[np.int64], start: NDArray[np.int64], stop: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(the first, how many) of the block's `sentence_ends` that lie inside pieces with a token on either side."""
    assert block.sentence_ends is not None
    begins = block.begins[row]
    first = np.searchsorted(block.sentence_ends, begins + start, side="right")
    return first, np.maximum(np.searchsorted(block.sentence_ends, begins + stop, side="left") - first, 0)


@dataclass(frozen=True)
class Pairing:
    """objectives: the run's, "nsp", "sop" or both; a pair is for one of them. Every choice is a hash of the seed and of
    keys of pieces, or of the pieces of a language in the window."""

    objectives: tuple[str, ...]
    seed: int
    max_seq_len: int

    def cut(self, pieces: Pieces, block: TokenBlock) -> Pieces:
        """Pieces of one block, those of several sentences cut in two that follow one another. `block` of both parts is
        the pieces' own."""
        first, count = inner_ends(block, pieces.row, pieces.start, pieces.stop)
        there = count > 0
        if not there.any():
            return pieces
        assert block.sentence_ends is not None
        which = first + (unit(pieces.key(CUT, self.seed)) * count).astype(np.int64)
        middle = block.sentence_ends[np.where(there, which, 0)] - block.begins[pieces.row]
        objective = (unit(pieces.key(TO_WHICH, self.seed)) * len(self.objectives)).astype(np.int64)
        nothing = np.zeros_like(middle)
        return replace(
            pieces,
            stop=np.where(there, middle, pieces.stop),
            second_block=np.where(there, pieces.block, nothing),
            second_row=np.where(there, pieces.row, nothing),
            second_start=np.where(there, middle, nothing),
            second_stop=np.where(there, pieces.stop, nothing),
            pair=np.where(there, objective, -1),
        )

    def mix(self, pieces: Pieces) -> Pieces:
        """All pieces of a window, cut: half of the pairs become such that do not belong together."""
        for number, name in enumerate(self.objectives):
            chosen = np.flatnonzero(pieces.pair == number)
            if len(chosen):
                pieces = self._swapped(pieces, chosen) if name == "sop" else self._exchanged(pieces, chosen)
        return pieces

    def _swapped(self, pieces: Pieces, chosen: NDArray[np.int64]) -> Pieces:
        swapped = np.zeros(len(pieces), np.bool_)
        swapped[chosen] = unit(pieces.key(SWAPPED, self.seed)[chosen]) < 0.5
        parts = [(name, f"second_{name}") for name in ("block", "row", "start", "stop")]
        changed = {one: np.where(swapped, getattr(pieces, other), getattr(pieces, one)) for one, other in parts}
        changed |= {other: np.where(swapped, getattr(pieces, one), getattr(pieces, other)) for one, other in parts}
        return replace(pieces, **changed, label=np.where(swapped, 1, pieces.label))

    def _exchanged(self, pieces: Pieces, chosen: NDArray[np.int64]) -> Pieces:
        single, partner = self._partners(pieces.take(chosen))
        columns = {name: getattr(pieces, name).copy() for name in SECOND}
        stop, label = pieces.stop.copy(), pieces.label.copy()
        # Whoever has no partner is what it was before it was cut.
        alone = chosen[single]
        stop[alone] = columns["second_stop"][alone]
        for name, nothing in SECOND.items():
            columns[name][alone] = nothing
        one, other = chosen[partner >= 0], chosen[partner[partner >= 0]]
        for name in ("second_block", "second_row", "second_start", "second_stop"):
            columns[name][one] = getattr(pieces, name)[other]
        label[one] = 1
        # The longer of two second parts may be more than there is room for.
        room = self.max_seq_len - PAIR_SPECIALS - (pieces.stop - pieces.start)[one]
        columns["second_stop"][one] = np.minimum(columns["second_stop"][one], columns["second_start"][one] + room)
        return replace(pieces, stop=stop, label=label, **columns)

    def _partners(self, pieces: Pieces) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """(which have to be singles; with whom each exchanges, -1 for nobody).

        Of n pieces of a language 2 floor(n / 4 + u) exchange, u even in [0, 1) by a hash: n / 2 on the average, however
        few they are, so that no language is known by its pairs. One piece alone, or several of one document, cannot be
        wrong, so they are no pairs at all.
        """
        draws = pieces.key(EXCHANGED, self.seed)
        order = np.lexsort((draws, pieces.language))
        begins = np.flatnonzero(np.diff(pieces.language[order], prepend=-1))
        sizes = np.diff(begins, append=len(order))
        share = unit(combine(HOW_MANY, self.seed, draws[order[begins]]))
        exchanged = np.minimum(2 * np.floor(sizes / 4 + share).astype(np.int64), sizes)
        rank = np.arange(len(order)) - np.repeat(begins, sizes)
        taken = order[rank < np.repeat(exchanged, sizes)]
        lengths = pieces.second_stop - pieces.second_start
        taken = taken[np.lexsort((draws[taken], lengths[taken], pieces.language[taken]))]
        single = np.zeros(len(pieces), np.bool_)
        single[order] = np.repeat(_of_one(pieces.id_hash[order], begins), sizes)
        partner = np.full(len(pieces), -1, np.int64)
        waiting: dict[int, list[int]] = defaultdict(list)  # by language, all of one document
        columns = (taken, pieces.language[taken], pieces.id_hash[taken])
        for number, language, document in zip(*(column.tolist() for column in columns), strict=True):
            there = waiting[language]
            if there and pieces.id_hash[there[0]] != document:
                other = there.pop(0)
                partner[number], partner[other] = other, number
            else:
                there.append(number)
        for numbers in waiting.values():
            single[numbers] = True
        return single, partner


# What a single text has in the columns of pairs.
SECOND = {"second_block": 0, "second_row": 0, "second_start": 0, "second_stop": 0, "pair": -1}


def _of_one(documents: NDArray[np.uint64], begins: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Of runs of documents that begin there, whether they are all the same one."""
    return np.minimum.reduceat(documents, begins) == np.maximum.reduceat(documents, begins)
