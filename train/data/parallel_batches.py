"""Batches of translations: which pairs a step has, and how they are laid out.

What a step has is a function of seed and step alone, so that a position has nothing to say of it.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from schemas.errors import UserError
from train.corpus.hashing import MASK, ORDER, PARALLEL, U64, VALIDATION, combine, unit
from train.corpus.vocabulary import Vocabulary
from train.data.batches import COUNTS, FEWEST_TOKENS, Labeller, PackedBatch, Sequences
from train.data.parallel import ParallelLines

HELD_OUT, MOST_HELD_OUT = 0.05, 256  # share and number of the lines that a run is validated by
PAIR = 0  # what is drawn by PARALLEL, besides ORDER, MASK and VALIDATION


class TranslationLabeller(Labeller, Protocol):
    """joined: whether a pair is one sequence, `<s> A </s> B </s>`, or two, `<s> A </s>` and `<s> B </s>`.

    It labels the sides of P pairs as sequences of their own. Joined: A and B of each pair in turn, of which B has no
    <s>. Else all A, then all B.
    """

    @property
    def joined(self) -> bool: ...


class Pairs(NamedTuple):
    """Of P pairs, int64 [P]: the line, and the columns of ParallelLines that are its first and second side. epoch: how
    often the lines were shown before."""

    line: NDArray[np.int64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    epoch: int


Tell = Callable[[NDArray[np.int64], U64], NDArray[np.int64]]
"""From the language of each token, int64 [T], and the key of its side, uint64 [T], which is the same in whatever
company, to PackedBatch.languages."""


def held_out_lines(lines: ParallelLines) -> NDArray[np.int64]:
    """Lines that nothing is trained on, the same ones for every run that has these lines, by hash."""
    there = _usable(lines)
    count = min(int(HELD_OUT * len(there)), MOST_HELD_OUT)
    return np.sort(there[np.argsort(combine(PARALLEL, VALIDATION, there), kind="stable")[:count]])


def shown_lines(lines: ParallelLines) -> NDArray[np.int64]:
    """Lines to train on: those of two languages of which no text is held out, there or in another line."""
    held = held_out_lines(lines)
    filled = lines.counts > 0
    known: NDArray[np.bool_] = np.any(np.isin(lines.texts, lines.texts[held][filled[held]]) & filled, axis=1)
    there = _usable(lines)
    return there[~known[there]]


def longest_side(max_seq_len: int, joined: bool) -> int:
    """Tokens of text that a side has at most; the rest is cut off."""
    return max_seq_len // 2 - 2 if joined else max_seq_len - 2


class ParallelBatches:
    """Of each step `pairs` pairs, a batch an objective, each with the pairs of the step.

    Pair j of step s has the number s * pairs + j. An epoch is the whole steps that the lines are enough for, in hashed
    order, another one each epoch, so that no line comes twice in a step; those that are left over wait for another
    epoch. Of the languages that a line has, two and their order are drawn evenly. Process r of n has pairs r, r + n ...

    tell: rows of the language embedding, None where the model has none. UserError where there are fewer lines than a
    step has pairs.
    """

    def __init__(
        self,
        lines: ParallelLines,
        labellers: Mapping[str, TranslationLabeller],
        vocabulary: Vocabulary,
        languages: int,
        *,
        seed: int,
        pairs: int,
        max_seq_len: int,
        tell: Tell | None = None,
    ) -> None:
        self.lines, self.labellers, self.vocabulary, self.tell = lines, labellers, vocabulary, tell
        self.languages, self.seed, self.pairs, self.max_seq_len = languages, seed, pairs, max_seq_len
        self.shown = shown_lines(lines)
        if pairs > len(self.shown):
            raise UserError(
                f"parallel_pairs = {pairs} is more than the {len(self.shown)} lines that parallel_text has in two "
                "languages, without those held out: make it smaller, or give more lines"
            )
        self.steps_an_epoch = len(self.shown) // pairs
        self._order = (-1, self.shown)

    def pairs_of(self, step: int) -> Pairs:
        """All pairs of a step."""
        epoch, number = divmod(step, self.steps_an_epoch)
        line = self._in_order(epoch)[number * self.pairs : (number + 1) * self.pairs]
        there = self.lines.counts[line] > 0
        others = there.sum(1) - 1
        draw = unit(combine(PARALLEL, PAIR, self.seed, epoch, line))
        first, second = np.divmod((draw * (others + 1) * others).astype(np.int64), others)
        second += second >= first
        columns = np.argsort(~there, axis=1, kind="stable")
        each = np.arange(len(line))
        return Pairs(line, columns[each, first], columns[each, second], epoch)

    def __call__(self, step: int, rank: int, world_size: int, static: bool = False) -> list[PackedBatch]:
        """static: padded to one of few shapes."""
        pairs = self.pairs_of(step)
        mine = slice(rank, None, world_size)
        own = Pairs(pairs.line[mine], pairs.first[mine], pairs.second[mine], pairs.epoch)
        return [self._batch(name, labeller, own, step, static) for name, labeller in self.labellers.items()]

    def _in_order(self, epoch: int) -> NDArray[np.int64]:
        if self._order[0] != epoch:
            draw = combine(PARALLEL, ORDER, self.seed, epoch, self.shown)
            self._order = (epoch, self.shown[np.argsort(draw, kind="stable")])
        return self._order[1]

    def _batch(self, name: str, labeller: TranslationLabeller, pairs: Pairs, step: int, static: bool) -> PackedBatch:
        count = len(pairs.line)
        line, column = np.tile(pairs.line, 2), np.concatenate((pairs.first, pairs.second))
        order = np.arange(2 * count)
        if labeller.joined:
            order = order.reshape(2, count).T.reshape(-1)
        line, column = line[order], column[order]
        tokens, sides = lay_out(self.lines, line, column, self.vocabulary, self.max_seq_len, labeller.joined)
        language = self.lines.languages[column]
        keys = combine(PARALLEL, MASK, self.seed, pairs.epoch, line, language)
        found = labeller(Sequences(tokens, sides, language, keys), step, {})
        lengths = sides.reshape(-1, 2).sum(1) if labeller.joined else sides
        # The second sentence's positions begin anew, as in XLM, where a token's place helps to find its translation.
        positions = np.arange(len(tokens)) - np.repeat(np.cumsum(sides) - sides, sides)
        segments = np.repeat(np.arange(2 * count) % 2, sides) if labeller.joined else None
        told = None if self.tell is None else self.tell(np.repeat(language, sides), np.repeat(keys, sides))
        input_ids = tokens if found.input_ids is None else found.input_ids
        if static:
            padded = room(len(tokens), len(sides))
            spare = padded - len(tokens)
            input_ids = np.pad(input_ids, (0, spare), constant_values=self.vocabulary.special_ids["pad"])
            positions = np.pad(positions, (0, spare))
            segments = None if segments is None else np.pad(segments, (0, spare))
            told = None if told is None else np.pad(told, (0, spare))
            found = labeller.pad(found, padded)
        # What the plan has given out, and what it still owes, knows nothing of translations.
        nothing = np.zeros((self.languages, len(COUNTS)), np.int64)
        return PackedBatch(input_ids, positions, lengths, {name: found}, nothing, segments, told)


def room(tokens: int, sides: int) -> int:
    """Tokens of a padded batch: a power of two or one and a half of it, which has room for the bounds of all sides.

    Batches of as many pairs come to nearly as many tokens, so these are one or two sizes; the longest batch that the
    lines could make is two or three times as long as any that comes.
    """
    enough = max(tokens, sides * FEWEST_TOKENS)
    power = 1 << (enough - 1).bit_length()
    return power * 3 // 4 if enough <= power * 3 // 4 else power


def lay_out(
    lines: ParallelLines,
    line: NDArray[np.int64],
    column: NDArray[np.int64],
    vocabulary: Vocabulary,
    max_seq_len: int,
    joined: bool = False,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(tokens of sides behind one another, int64 [T]; the length of each side). Joined: each second has no <s>."""
    bos, eos = ([vocabulary.special_ids[role]] for role in ("bos", "eos"))
    longest = longest_side(max_seq_len, joined)
    parts = list[NDArray[np.int64] | list[int]]()
    for number, (one, of) in enumerate(zip(line.tolist(), column.tolist(), strict=True)):
        parts += ([] if joined and number % 2 else bos, lines.tokens(one, of, longest), eos)
    lengths = np.minimum(lines.counts[line, column], longest) + 2
    if joined:
        lengths[1::2] -= 1
    return np.concatenate(parts).astype(np.int64) if parts else np.empty(0, np.int64), lengths


def told_of_lines(lines: ParallelLines, labellers: Mapping[str, TranslationLabeller], max_seq_len: int) -> list[str]:
    """What a run says of its translations: how much there is, and what is cut."""
    there = lines.counts > 0
    sentences = int(there.sum())
    found = [
        f"{len(_usable(lines)):,} lines, {sentences:,} sentences of {len(lines.languages)} languages, "
        f"{int(lines.counts.sum()):,} tokens; {len(held_out_lines(lines)):,} lines are held out"
    ]
    for name, labeller in labellers.items():
        longest = longest_side(max_seq_len, labeller.joined)
        if cut := int((lines.counts > longest).sum()):
            found.append(f"{cut:,} of {sentences:,} sentences are cut to their first {longest} tokens for {name}")
    return found


def _usable(lines: ParallelLines) -> NDArray[np.int64]:
    """Lines that two languages have."""
    return np.flatnonzero((lines.counts > 0).sum(1) >= 2)
