"""Translations that a run is validated by: of each language as many as are held out, to be found among those of one
partner, and the other way round (the Tatoeba task of Artetxe and Schwenk 2019, arXiv 1812.10464)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.corpus.vocabulary import Vocabulary
from train.data.batches import COUNTS, FEWEST_TOKENS, Labeller, PackedBatch, Sequences
from train.data.parallel import ParallelLines
from train.data.parallel_batches import held_out_lines, lay_out

RETRIEVAL = "retrieval"  # under which the batches have labels
PARTNER = "eng"  # where the lines have it


@dataclass(frozen=True)
class Retrieval:
    """line, column: int64 [sentences], in ParallelLines. batches: of each, its sentences, in the order of theirs.
    pairs: by name, int64 [2, n], the numbers of n sentences and of their translations."""

    lines: ParallelLines
    labeller: Labeller
    vocabulary: Vocabulary
    languages: int
    max_seq_len: int
    batch_tokens: int
    line: NDArray[np.int64]
    column: NDArray[np.int64]
    batches: list[slice]
    pairs: dict[str, NDArray[np.int64]]

    def __len__(self) -> int:
        return len(self.batches)

    def __call__(self, number: int, static: bool = False) -> PackedBatch:
        """static: padded to the shape of all."""
        line, column = self.line[self.batches[number]], self.column[self.batches[number]]
        tokens, lengths = lay_out(self.lines, line, column, self.vocabulary, self.max_seq_len)
        positions = np.arange(len(tokens)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        keys = np.zeros(len(line), np.uint64)  # nothing is drawn
        found = self.labeller(Sequences(tokens, lengths, self.lines.languages[column], keys), 0, {})
        if static:
            spare = self.batch_tokens - len(tokens)
            tokens = np.pad(tokens, (0, spare), constant_values=self.vocabulary.special_ids["pad"])
            positions, found = np.pad(positions, (0, spare)), self.labeller.pad(found, self.batch_tokens)
        nothing = np.zeros((self.languages, len(COUNTS)), np.int64)
        return PackedBatch(tokens, positions, lengths, {RETRIEVAL: found}, nothing)


def retrieval(
    lines: ParallelLines,
    labels: Sequence[str],
    labeller: Labeller,
    vocabulary: Vocabulary,
    *,
    max_seq_len: int,
    batch_tokens: int,
) -> Retrieval | None:
    """labels: of the corpus' languages. The partner is English or, without it, the language with most of the lines that
    are held out; a language is asked with two lines or more in common. None where there is no such language."""
    held = held_out_lines(lines)
    there = lines.counts[held] > 0
    names = [labels[number] for number in lines.languages.tolist()]
    english = [column for column, name in enumerate(names) if name.partition("_")[0] == PARTNER]
    partner = english[0] if english else int(there.sum(0).argmax())
    place, column = np.nonzero(there)
    lengths = np.minimum(lines.counts[held[place], column], max_seq_len - 2) + 2
    order = np.argsort(lengths, kind="stable")
    place, column, ends = place[order], column[order], np.cumsum(lengths[order])
    number_of = np.full(there.shape, -1)
    number_of[place, column] = np.arange(len(place))
    pairs = {}
    for other, name in enumerate(names):
        common = np.flatnonzero(there[:, other] & there[:, partner])
        if other != partner and len(common) > 1:
            pairs[f"{name}-{names[partner]}"] = number_of[common][:, [other, partner]].T
    batches = list[slice]()
    first = 0
    while first < len(place):
        room = batch_tokens + (int(ends[first - 1]) if first else 0)
        count = int(np.searchsorted(ends, room, side="right")) - first
        batches.append(slice(first, first + max(1, min(count, batch_tokens // FEWEST_TOKENS))))
        first = batches[-1].stop
    if not pairs:
        return None
    return Retrieval(
        lines, labeller, vocabulary, len(labels), max_seq_len, batch_tokens, held[place], column, batches, pairs
    )
