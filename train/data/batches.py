"""Packed batches: what each process feeds its model in each step."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from train.corpus.hashing import LANGUAGE, MASK, U64, combine, unit
from train.corpus.token_cache import TokenBlock
from train.corpus.vocabulary import Vocabulary
from train.data.packing import pack_prefix
from train.data.pieces import SPECIALS, Pieces, concatenate
from train.data.windows import Position, Window, Windows, used_up

COUNTS = ("tokens", "text_tokens", "documents")
PLACES = "places"  # the array of labels that says which tokens an objective asks for
FEWEST_TOKENS = 32  # of a sequence, on the average of a full bin: room for so many bounds is kept


class PairsOfSequences(NamedTuple):
    """segments: int64 [T], 0 in the first text of a pair and in single texts, 1 in the second. objective: int64
    [sequences], which of the run's pair objectives a pair is for, -1 for a single text. label: int64 [sequences], 1
    where the second text does not follow the first one."""

    segments: NDArray[np.int64]
    objective: NDArray[np.int64]
    label: NDArray[np.int64]


class Sequences(NamedTuple):
    """What an objective labels: T tokens of concatenated sequences, with <s> and </s>.

    tokens: int64 [T], as they are in the texts. lengths, language: int64 [sequences]. keys: uint64 [sequences], the key
    of a counter-based generator: a sequence has the same labels in whatever company. pairs: None where there are none.
    """

    tokens: NDArray[np.int64]
    lengths: NDArray[np.int64]
    language: NDArray[np.int64]
    keys: U64
    pairs: PairsOfSequences | None = None


class Part(NamedTuple):
    """Sequences over which another model is to run. lengths: int64 [its sequences]. local_attention: of that model."""

    lengths: NDArray[np.int64]
    local_attention: int


@dataclass(frozen=True)
class Labels:
    """What one objective asks of a batch. arrays: its own. units: int64 [languages], how many losses it takes the sum
    of. input_ids: the tokens as the model is to see them, where the objective changes them. parts: by name."""

    arrays: Mapping[str, NDArray[Any]]
    units: NDArray[np.int64]
    input_ids: NDArray[np.int64] | None = None
    parts: Mapping[str, Part] = field(default_factory=dict)


class Labeller(Protocol):
    """The part of an objective that works on the data, without torch."""

    def __call__(self, sequences: Sequences, step: int, found: Mapping[str, Labels]) -> Labels:
        """found: the labels of the objectives before it, by name."""
        ...

    def pad(self, labels: Labels, tokens: int) -> Labels:
        """Labels of one shape for all batches of so many tokens."""
        ...


@dataclass(frozen=True)
class PackedBatch:
    """Concatenated sequences. input_ids, positions: int64 [T]; lengths: int64 [sequences], which add up to the tokens
    of text; behind these, T may be padded. labels: by objective. segments: int64 [T], None where there are no pairs.
    languages: int64 [T], one more than the number of each token's language, 0 where the model is not told; None where
    it has no language embedding. pairs, singles: sequences of the shards that are pairs of texts and that are one text,
    where there may be pairs.

    counts: int64 [languages, 3], the COUNTS of what is in the batch; text tokens are those without <s> and </s>, and a
    document counts where its first piece is.
    """

    input_ids: NDArray[np.int64]
    positions: NDArray[np.int64]
    lengths: NDArray[np.int64]
    labels: Mapping[str, Labels]
    counts: NDArray[np.int64]
    segments: NDArray[np.int64] | None = None
    languages: NDArray[np.int64] | None = None
    pairs: int = 0
    singles: int = 0


OtherBatches = Callable[[int, int, int, bool], list[PackedBatch]]
"""(step, rank, number of processes, whether shapes are static) to batches of another source than the shards."""


@dataclass(frozen=True)
class Step:
    """One optimiser step's share of one process, and where the next step begins."""

    batches: list[PackedBatch]
    following: Position


def units_of(batches: Sequence[PackedBatch], objective: str, languages: int) -> NDArray[np.int64]:
    """Units of an objective in batches, some of which may not be for it. [languages]"""
    counts = [batch.labels[objective].units for batch in batches if objective in batch.labels]
    return np.sum([np.zeros(languages, np.int64), *counts], axis=0)


def language_rows(language: NDArray[np.int64], keys: U64, language_dropout: float) -> NDArray[np.int64]:
    """Rows of the language embedding of sequences with these languages and keys: 0 for a share `language_dropout` of
    them, chosen by their keys, else 1 + language. [sequences]"""
    return np.where(unit(combine(LANGUAGE, keys)) < language_dropout, 0, 1 + language)


class Collator:
    """Pieces to a labelled batch. Labels hang on (seed, epoch, id, copy, piece), not on the batch.

    language_dropout: share of sequences whose language the model is not told; None: it has no language embedding.
    pairs: there may be pairs of texts among the pieces, `<s> A </s> B </s>`.
    """

    def __init__(
        self,
        labellers: Mapping[str, Labeller],
        vocabulary: Vocabulary,
        languages: int,
        seed: int,
        language_dropout: float | None = None,
        pairs: bool = False,
    ) -> None:
        self.labellers, self.vocabulary, self.languages, self.seed = labellers, vocabulary, languages, seed
        self.language_dropout, self.pairs = language_dropout, pairs

    def __call__(self, pieces: Pieces, blocks: Sequence[TokenBlock], step: int, padded: int = 0) -> PackedBatch:
        """padded: tokens of the batch, behind the texts' own the padding token; 0: no padding."""
        tokens = self._tokens(pieces, blocks)
        lengths = pieces.length
        ends = np.cumsum(lengths)
        keys = pieces.key(MASK, self.seed)
        pairs = self._pairs(pieces, lengths) if self.pairs else None
        sequences = Sequences(tokens, lengths, pieces.language, keys, pairs)
        input_ids, labels = tokens, dict[str, Labels]()
        for name, labeller in self.labellers.items():
            found = labeller(sequences, step, labels)
            input_ids = input_ids if found.input_ids is None else found.input_ids
            labels[name] = labeller.pad(found, padded) if padded else found
        positions = np.arange(len(tokens)) - np.repeat(ends - lengths, lengths)
        segments = None if pairs is None else pairs.segments
        if padded:
            spare = padded - len(tokens)
            pad = np.full(spare, self.vocabulary.special_ids["pad"], np.int64)
            input_ids, positions = np.concatenate((input_ids, pad)), np.concatenate((positions, np.zeros_like(pad)))
            segments = None if segments is None else np.concatenate((segments, np.zeros_like(pad)))
        shown = (lengths, pieces.text_length, pieces.piece == 0)
        counts = [np.bincount(pieces.language, values, self.languages) for values in shown]
        rows = None
        if self.language_dropout is not None:
            rows = np.zeros(len(input_ids), np.int64)
            rows[: len(tokens)] = np.repeat(language_rows(pieces.language, keys, self.language_dropout), lengths)
        counted = np.stack(counts, 1).astype(np.int64)
        of_two = 0 if pairs is None else int(np.count_nonzero(pairs.objective >= 0))
        singles = 0 if pairs is None else len(lengths) - of_two
        return PackedBatch(input_ids, positions, lengths, labels, counted, segments, rows, of_two, singles)

    def _tokens(self, pieces: Pieces, blocks: Sequence[TokenBlock]) -> NDArray[np.int64]:
        bos, eos = ([self.vocabulary.special_ids[role]] for role in ("bos", "eos"))
        parts: list[NDArray[np.integer] | list[int]] = []
        rows = zip(pieces.block.tolist(), pieces.row.tolist(), pieces.start.tolist(), pieces.stop.tolist(), strict=True)
        for (number, row, start, stop), second in zip(rows, self._seconds(pieces), strict=False):
            block = blocks[number]
            first = int(block.begins[row])
            parts += (bos, block.ids[first + start : first + stop], eos)
            if second is not None:
                number, row, start, stop = second
                block = blocks[number]
                first = int(block.begins[row])
                parts += (block.ids[first + start : first + stop], eos)
        return np.concatenate(parts).astype(np.int64) if parts else np.empty(0, np.int64)

    def _seconds(self, pieces: Pieces) -> Iterable[tuple[int, int, int, int] | None]:
        """Block, row, start and stop of the second texts."""
        if not self.pairs:
            return repeat(None)
        columns = (pieces.second_block, pieces.second_row, pieces.second_start, pieces.second_stop, pieces.pair)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        return [row[:4] if row[4] >= 0 else None for row in rows]

    @staticmethod
    def _pairs(pieces: Pieces, lengths: NDArray[np.int64]) -> PairsOfSequences:
        second = np.where(pieces.pair >= 0, pieces.second_stop - pieces.second_start + 1, 0)
        segments = np.repeat(np.tile([0, 1], len(lengths)), np.stack((lengths - second, second), 1).reshape(-1))
        return PairsOfSequences(segments, pieces.pair, pieces.label)


class TrainingStream:
    """Steps of at most `global_batch_tokens` tokens in `streams` bins.

    A step's sequences and bins are the same for any number of processes; each process has every world_size-th of the
    bins. Static: every batch is padded to its bins' size. others: another source, whose batches come first, since the
    last backward pass has to touch all parameters. UserError where the plan's languages are used up.
    """

    def __init__(
        self,
        collate: Collator,
        windows: Windows,
        *,
        global_batch_tokens: int,
        streams: int,
        micro_batch_tokens: int,
        static: bool = False,
        others: OtherBatches | None = None,
    ) -> None:
        self.collate, self.windows, self.static, self.others = collate, windows, static, others
        self.budget, self.streams = global_batch_tokens, streams
        self.bin_tokens = global_batch_tokens // streams
        self.bins_a_batch = micro_batch_tokens // self.bin_tokens
        self._open: list[Window] = []

    def step(self, position: Position) -> tuple[list[Pieces], list[TokenBlock], Position]:
        """(pieces of each bin, the blocks that they lie in, position of the next step); the same in every process."""
        windows = self._windows_at(position)
        parts, blocks, keys = list[Pieces](), list[TokenBlock](), list[U64]()
        room, number = self.budget, 0
        while True:
            window = windows[number]
            place = 0 if number else window.behind(position.after)
            lengths = window.pieces.length[place : place + room // (SPECIALS + 1) + 1]
            stop = place + int(np.searchsorted(np.cumsum(lengths), room, side="right"))
            parts.append(window.pieces.take(slice(place, stop)).in_blocks(len(blocks)))
            keys.append(window.keys[place:stop])
            blocks += window.blocks
            room -= int(parts[-1].length.sum())
            if stop < len(window.pieces):
                break
            number += 1
            if number == len(windows):
                following = self.windows.after(window.span, position.step)
                if not len(following.pieces):
                    break
                windows.append(following)
        pieces = concatenate(parts)
        if not len(pieces):
            raise used_up(position.step)
        most = self.bin_tokens // FEWEST_TOKENS if self.static else len(pieces)
        assigned = pack_prefix(pieces.length, self.streams, self.bin_tokens, most)
        bins = [pieces.take(np.flatnonzero(assigned == number)) for number in range(self.streams)]
        return bins, blocks, self._behind(position, windows, keys, len(assigned))

    def share(self, position: Position, rank: int, world_size: int) -> Step:
        """What process `rank` of `world_size` computes in the step at `position`."""
        bins, blocks, following = self.step(position)
        mine = bins[rank::world_size]
        groups = [mine[i : i + self.bins_a_batch] for i in range(0, len(mine), self.bins_a_batch)]
        batches = [
            self.collate(concatenate(group), blocks, position.step, len(group) * self.bin_tokens * self.static)
            for group in groups
        ]
        others = self.others(position.step, rank, world_size, self.static) if self.others else []
        return Step([*others, *batches], following)

    def _windows_at(self, position: Position) -> list[Window]:
        if not position.spans:
            self._open = [self.windows.first(position.step)]
        elif tuple(window.span for window in self._open) != position.spans:
            self._open = [self.windows.again(span) for span in position.spans]
        return self._open

    def _behind(self, position: Position, windows: list[Window], keys: Sequence[U64], shown: int) -> Position:
        """The place behind so many pieces; windows that are used up are closed, but for the last."""
        after = position.after
        for part in keys[:-1]:
            if shown < len(part):
                break
            shown -= len(part)
            windows.pop(0)
            after = 0
        else:
            part = keys[-1]
        after = int(part[shown - 1]) if shown else after
        return Position(position.step + 1, tuple(window.span for window in windows), after)
