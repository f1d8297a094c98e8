"""Packed batches: what each process feeds its model in each step, and how validation is laid out."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.errors import UserError
from train.data.copies import Supply
from train.data.hashing import MASK, combine
from train.data.masking import mask_tokens
from train.data.order import VALIDATION_PASS, PassOrder, Pieces, bounds, concatenate, cut, order_pass
from train.data.packing import pack_prefix
from train.data.plan import Plan
from train.data.tokens import TokenTable
from train.data.vocabulary import Vocabulary

COUNTS = ("tokens", "text_tokens", "documents")


@dataclass(frozen=True)
class PackedBatch:
    """Concatenated sequences. input_ids, positions: int64 [T]; lengths: int64 [sequences].

    targets: int64 [M], the places to guess; labels: int64 [M], what stood there; target_language: int64 [M].
    counts: int64 [languages, 3], the COUNTS of what is in the batch; text tokens are those without <s> and </s>, and a
    document counts where its first piece is.
    """

    input_ids: NDArray[np.int64]
    positions: NDArray[np.int64]
    lengths: NDArray[np.int64]
    targets: NDArray[np.int64]
    labels: NDArray[np.int64]
    target_language: NDArray[np.int64]
    counts: NDArray[np.int64]


@dataclass(frozen=True)
class Position:
    """A place in the data: everything that a restart has to know, with the plan. step: the next one's number."""

    pass_index: int = 0
    place: int = 0
    step: int = 0


@dataclass(frozen=True)
class Step:
    """One optimiser step's share of one process, and where the next step begins."""

    batches: list[PackedBatch]
    following: Position


class Collator:
    """Pieces to a masked batch. The mask hangs on (seed, pass, id, copy, piece), not on the batch."""

    def __init__(self, table: TokenTable, vocabulary: Vocabulary, seed: int, mlm_probability: float) -> None:
        self.table, self.vocabulary, self.seed, self.mlm_probability = table, vocabulary, seed, mlm_probability

    def __call__(self, pieces: Pieces) -> PackedBatch:
        bos, eos = ([self.vocabulary.special_ids[role]] for role in ("bos", "eos"))
        parts: list[NDArray[np.integer] | list[int]] = []
        for row, start, stop in zip(pieces.row.tolist(), pieces.start.tolist(), pieces.stop.tolist(), strict=True):
            parts += (bos, self.table.read(row, start, stop), eos)
        tokens = np.concatenate(parts).astype(np.int64) if parts else np.empty(0, np.int64)
        lengths = pieces.length
        hashes = self.table.id_hash[pieces.row]
        keys = combine(MASK, self.seed, pieces.pass_index, hashes, pieces.copy, pieces.piece)
        hidden, targets = mask_tokens(tokens, lengths, keys, self.vocabulary, self.mlm_probability)
        ends = np.cumsum(lengths)
        language = self.table.language[pieces.row].astype(np.int64)
        counts = np.zeros((len(self.table.languages), len(COUNTS)), np.int64)
        np.add.at(counts, language, np.stack((lengths, pieces.stop - pieces.start, pieces.piece == 0), axis=1))
        return PackedBatch(
            hidden,
            np.arange(len(tokens)) - np.repeat(ends - lengths, lengths),
            lengths,
            targets,
            tokens[targets],
            np.repeat(language, lengths)[targets],
            counts,
        )


def order_of(
    table: TokenTable, supply: Supply, plan: Plan, pass_index: int, seed: int, max_seq_len: int
) -> PassOrder:  # fmt: skip
    """The order of a pass of the plan."""
    before, after = (supply.copies(plan.epochs_before(pass_index + i)) for i in (0, 1))
    return order_pass(table.id_hash, table.tokens, after - before, seed, pass_index, max_seq_len)


class TrainingStream:
    """The passes of a plan, in steps of at most `global_batch_tokens` tokens in `streams` bins.

    A step's sequences and bins are the same for any number of processes; each process has an equal number of the bins.
    At the end of the plan steps are empty. UserError where there is nothing to show.
    """

    def __init__(
        self,
        collate: Collator,
        supply: Supply,
        plan: Plan,
        *,
        max_seq_len: int,
        global_batch_tokens: int,
        streams: int,
        micro_batch_tokens: int,
    ) -> None:
        self.collate, self.table, self.seed = collate, collate.table, collate.seed
        self.supply, self.plan = supply, plan
        self.max_seq_len, self.budget, self.streams = max_seq_len, global_batch_tokens, streams
        self.bin_tokens = global_batch_tokens // streams
        self.bins_a_batch = micro_batch_tokens // self.bin_tokens
        if not (plan.epochs * supply.sizes()).any():
            raise UserError("no training document has text: look at the shards' column text and at mixture.json")
        self._orders: dict[int, PassOrder] = {}

    def order(self, pass_index: int) -> PassOrder:
        """The order of a pass; kept while it is in use."""
        if pass_index not in self._orders:
            self._orders = {number: order for number, order in self._orders.items() if number == pass_index - 1}
            self._orders[pass_index] = order_of(
                self.table, self.supply, self.plan, pass_index, self.seed, self.max_seq_len
            )
        return self._orders[pass_index]

    def step(self, position: Position) -> tuple[list[Pieces], Position]:
        """(pieces of each bin, position of the next step); the same in every process."""
        pass_index = self.plan.at(position.step, position.pass_index)
        if pass_index != position.pass_index:
            position = Position(pass_index, 0, position.step)
        parts: list[Pieces] = []
        room, pass_index, place = self.budget, position.pass_index, position.place
        while pass_index < self.plan.passes:
            order = self.order(pass_index)
            lengths = order.lengths[place : place + room // 3 + 1]  # a sequence has at least three tokens
            fitting = int(np.searchsorted(np.cumsum(lengths), room, side="right"))
            parts.append(self._pieces(order, slice(place, place + fitting)))
            room -= int(lengths[:fitting].sum())
            if place + fitting < len(order):
                break
            pass_index, place = pass_index + 1, 0
        window = concatenate(parts) if parts else Pieces.none()
        assigned = pack_prefix(window.length, self.streams, self.bin_tokens)
        bins = [window.take(np.flatnonzero(assigned == number)) for number in range(self.streams)]
        return bins, self._after(position, len(assigned))

    def share(self, position: Position, rank: int, world_size: int) -> Step:
        """What process `rank` of `world_size` computes in the step at `position`."""
        bins, following = self.step(position)
        per_process = self.streams // world_size
        process_bins = bins[rank * per_process : (rank + 1) * per_process]
        groups = [process_bins[i : i + self.bins_a_batch] for i in range(0, per_process, self.bins_a_batch)]
        return Step([self.collate(concatenate(group)) for group in groups], following)

    def steps(self, position: Position, rank: int, world_size: int) -> Iterator[Step]:
        """Steps from `position` on, without end; the next one is made in a thread while this one is in use."""
        with ThreadPoolExecutor(1) as pool:
            ahead: Future[Step] = pool.submit(self.share, position, rank, world_size)
            while True:
                step = ahead.result()
                ahead = pool.submit(self.share, step.following, rank, world_size)
                yield step

    def _pieces(self, order: PassOrder, places: slice) -> Pieces:
        row, piece = order.row[places], order.piece[places].astype(np.int64)
        start, stop = bounds(self.table.tokens[row], self.supply.pieces[row], piece)
        pass_index = np.full(len(row), order.pass_index, np.int64)
        return Pieces(pass_index, row, order.copy[places].astype(np.int64), piece, start, stop)

    def _after(self, position: Position, pieces: int) -> Position:
        pass_index, place = position.pass_index, position.place + pieces
        while pass_index < self.plan.passes and place >= len(self.order(pass_index)):
            place -= len(self.order(pass_index))
            pass_index += 1
        return Position(pass_index, place, position.step + 1)


def validation_batches(
    collate: Collator, *, max_seq_len: int, tokens_per_language: int, micro_batch_tokens: int
) -> list[Pieces]:
    """Batches of validation documents, by hash, up to so many tokens of each language; the same at every call."""
    table = collate.table
    once = np.ones(len(table.tokens), np.int64)
    order = order_pass(table.id_hash, table.tokens, once, collate.seed, VALIDATION_PASS, max_seq_len)
    language = table.language[order.row]
    batches: list[Pieces] = []
    for number in range(len(table.languages)):
        places = np.flatnonzero(language == number)
        lengths = np.cumsum(order.lengths[places], dtype=np.int64)
        places = places[: max(1, np.searchsorted(lengths, tokens_per_language, side="right"))]
        while len(places):
            count = int(np.searchsorted(np.cumsum(order.lengths[places]), micro_batch_tokens, side="right"))
            batches.append(_validation_pieces(table, order, places[:count], max_seq_len))
            places = places[count:]
    return batches


def _validation_pieces(
    table: TokenTable, order: PassOrder, places: NDArray[np.integer], max_seq_len: int
) -> Pieces:  # fmt: skip
    row, piece = order.row[places], order.piece[places].astype(np.int64)
    start, stop = bounds(table.tokens[row], cut(table.tokens[row], max_seq_len), piece)
    return Pieces(np.full(len(row), VALIDATION_PASS), row, np.zeros(len(row), np.int64), piece, start, stop)
