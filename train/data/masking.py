"""Which tokens the model has to guess (Devlin et al. 2019, arXiv 1810.04805; share as in Wettig et al. 2022)."""

import numpy as np
from numpy.typing import NDArray

from train.data.hashing import GAMMA, U64, mix64, unit
from train.data.vocabulary import Vocabulary

MASKED, REPLACED = 0.8, 0.1  # of the chosen tokens; the rest stay as they are


def mask_tokens(
    tokens: NDArray[np.int64],
    lengths: NDArray[np.int64],
    keys: U64,
    vocabulary: Vocabulary,
    mlm_probability: float,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(tokens with the guesses hidden, sorted positions of the guesses) of concatenated sequences.

    tokens: int64 [T]. lengths: [sequences], which add up to T. keys: one 64-bit hash a sequence, the counter-based
    generator's key: a sequence has the same mask in whatever company.

    Special tokens are never chosen. Of the other n tokens of a sequence, n * mlm_probability are, rounded up or
    down by chance so that the mean is exact. Of those, 80 % become <mask>, 10 % a token drawn evenly from all
    tokens of text, 10 % stay.
    """
    sequence = np.repeat(np.arange(len(lengths)), lengths)
    first = np.cumsum(lengths) - lengths
    place = np.arange(len(tokens)) - first[sequence]
    free = ~vocabulary.special[tokens]
    candidates = np.bincount(sequence, free, minlength=len(lengths))
    chosen_count = np.floor(candidates * mlm_probability + unit(mix64(keys))).astype(np.int64)
    counter = (2 * place + 1).astype(np.uint64) * GAMMA
    draw = mix64(keys[sequence] + counter)
    # Within each sequence: the tokens of text first, by their draw. A prefix of these is the choice.
    ranked = np.lexsort((draw, ~free, sequence))
    chosen = np.sort(ranked[place < chosen_count[sequence]])
    second = mix64(keys[sequence[chosen]] + counter[chosen] + GAMMA)
    kind = unit(second)
    substitute = ((second & np.uint64(0xFFFFFFFF)) * np.uint64(len(vocabulary.ordinary))) >> np.uint64(32)
    hidden = tokens.copy()
    masked = kind < MASKED
    hidden[chosen[masked]] = vocabulary.special_ids["mask"]
    replaced = ~masked & (kind < MASKED + REPLACED)
    hidden[chosen[replaced]] = vocabulary.ordinary[substitute[replaced].astype(np.int64)]
    return hidden, chosen
