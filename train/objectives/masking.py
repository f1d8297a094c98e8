"""Which tokens the model has to guess (Devlin et al. 2019, arXiv 1810.04805; share as in Wettig et al. 2022)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.corpus.hashing import GAMMA, U64, mix64, unit
from train.corpus.vocabulary import Vocabulary
from train.data.batches import FEWEST_TOKENS, PLACES, Labels, Sequences
from train.optim.schedule import Schedule

MASKED, REPLACED = 0.8, 0.1  # of the chosen tokens; the rest stay as they are
NOTHING = -1  # the label of a target that fills a batch up


@dataclass(frozen=True)
class Share:
    """mlm_probability in each step of a run of `steps`."""

    schedule: Schedule
    steps: int

    def __call__(self, step: int) -> float:
        return self.schedule(step, self.steps)


@dataclass(frozen=True)
class MaskLabeller:
    """Targets of masked language modelling: `places`, int64 [M], sorted; `labels`, what stood there; `language`.

    mlm_probability: share of tokens to guess in a step; most: the largest share of the run, for which batches of one
    shape have room.
    """

    vocabulary: Vocabulary
    languages: int
    mlm_probability: Callable[[int], float]
    most: float
    whole_words: bool = False

    def __call__(self, sequences: Sequences, step: int, found: Mapping[str, Labels]) -> Labels:
        tokens, lengths, language, keys, _ = sequences
        chosen = choose(tokens, lengths, keys, self.vocabulary, self.mlm_probability(step), self.whole_words)
        hidden = hide(tokens, lengths, keys, self.vocabulary, chosen)
        target_language = np.repeat(language, lengths)[chosen]
        arrays = {PLACES: chosen, "labels": tokens[chosen], "language": target_language}
        return Labels(arrays, np.bincount(target_language, minlength=self.languages), hidden)

    def pad(self, labels: Labels, tokens: int) -> Labels:
        count = len(labels.arrays["labels"])
        room = most_guesses(self.most, tokens)
        fill = {PLACES: 0, "labels": NOTHING, "language": 0}
        arrays = {
            name: np.concatenate((values, np.full(max(0, room - count), fill[name], np.int64)))
            for name, values in labels.arrays.items()
        }
        return Labels(arrays, labels.units, labels.input_ids)


def most_guesses(share: float, tokens: int) -> int:
    """Room for those of a batch: their numbers are rounded up and down in each sequence."""
    return round(share * tokens) + tokens // FEWEST_TOKENS


def choose(
    tokens: NDArray[np.int64],
    lengths: NDArray[np.int64],
    keys: U64,
    vocabulary: Vocabulary,
    mlm_probability: float,
    whole_words: bool = False,
) -> NDArray[np.int64]:
    """Sorted positions of the guesses in concatenated sequences.

    tokens: int64 [T]. lengths: [sequences], which add up to T. keys: one 64-bit hash a sequence.

    Special tokens are never chosen. Of the other n tokens of a sequence, n * mlm_probability are, rounded up or down
    by chance so that the mean is exact. Whole words: all tokens of a word or none, and a word that would be the last
    one where more than half of it fits.
    """
    if not len(tokens):
        return np.empty(0, np.int64)
    sequence = np.repeat(np.arange(len(lengths)), lengths)
    first = np.cumsum(lengths) - lengths
    free = ~vocabulary.special[tokens]
    candidates = np.bincount(sequence, free, minlength=len(lengths))
    wanted = np.floor(candidates * mlm_probability + unit(mix64(keys))).astype(np.int64)
    draw = mix64(keys[sequence] + _counter(len(tokens), first[sequence]))
    word = None
    if whole_words:
        begins = vocabulary.begins_word[tokens] | ~free
        begins[first[lengths > 0]] = True
        word = np.cumsum(begins) - 1
        draw = draw[np.flatnonzero(begins)][word]
    ranked = _ranked(sequence, ~free, draw)
    rank = np.arange(len(tokens)) - first[sequence]  # of the token in this place of `ranked`
    inside = rank < wanted[sequence]
    if word is None:
        return np.sort(ranked[inside])
    size = np.bincount(word)
    fits = np.bincount(word[ranked], inside, minlength=len(size))
    return np.flatnonzero((2 * fits > size)[word] & free)


def hide(
    tokens: NDArray[np.int64], lengths: NDArray[np.int64], keys: U64, vocabulary: Vocabulary, chosen: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The tokens as the model sees them: of the chosen ones 80 % become <mask>, 10 % a token drawn evenly from all
    tokens of text, 10 % stay. A sequence has the same mask in whatever company."""
    ends = np.cumsum(lengths)
    sequence = np.searchsorted(ends, chosen, side="right")
    counter = (2 * (chosen - (ends - lengths)[sequence]) + 1).astype(np.uint64) * GAMMA
    second = mix64(keys[sequence] + counter + GAMMA)
    kind = unit(second)
    substitute = ((second & np.uint64(0xFFFFFFFF)) * np.uint64(len(vocabulary.ordinary))) >> np.uint64(32)
    hidden = tokens.copy()
    masked = kind < MASKED
    hidden[chosen[masked]] = vocabulary.special_ids["mask"]
    replaced = ~masked & (kind < MASKED + REPLACED)
    hidden[chosen[replaced]] = vocabulary.ordinary[substitute[replaced].astype(np.int64)]
    return hidden


def _counter(tokens: int, first: NDArray[np.int64]) -> U64:
    """Odd multiples of the golden ratio, by the place in the sequence."""
    return (2 * (np.arange(tokens) - first) + 1).astype(np.uint64) * GAMMA


def _ranked(sequence: NDArray[np.int64], last: NDArray[np.bool_], draw: U64) -> NDArray[np.int64]:
    """Positions by sequence, in each those that are not `last` first, by their draw.

    All of it in one number each, since sorting numbers is several times as fast as sorting by several keys: the bits
    that are left are the draw's, 30 or more, and equal ones fall by position.
    """
    count = len(sequence)
    place_bits = max(1, (count - 1).bit_length())
    sequence_bits = max(1, int(sequence[-1]).bit_length())
    draw_bits = 63 - place_bits - sequence_bits
    number = (sequence.astype(np.uint64) << np.uint64(1)) | last.astype(np.uint64)
    number = (number << np.uint64(draw_bits)) | (draw >> np.uint64(64 - draw_bits))
    number = (number << np.uint64(place_bits)) | np.arange(count, dtype=np.uint64)
    number.sort()
    return (number & np.uint64((1 << place_bits) - 1)).astype(np.int64)
