"""Which rows a step has: a function of seed and step alone, so that any step can be done again."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

POOL = 50  # batches whose rows are sorted by length together, as transformers' group_by_length does


class Order:
    """Each epoch has each row once, in batches of like lengths, as even in size as can be and none above batch_size."""

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self.lengths, self.seed = np.asarray(lengths), seed
        self.batches_an_epoch = -(-len(lengths) // batch_size)
        self._of_epoch = lru_cache(maxsize=1)(self._made)

    def rows(self, step: int) -> list[int]:
        """Of the step with this number, from 0."""
        epoch, number = divmod(step, self.batches_an_epoch)
        return self._of_epoch(epoch)[number]

    def _made(self, epoch: int) -> list[list[int]]:
        generator = np.random.default_rng([self.seed, epoch])
        rows = generator.permutation(len(self.lengths))
        even = np.array_split(rows, self.batches_an_epoch)
        batches: list[list[int]] = []
        for first in range(0, len(even), POOL):
            held = even[first : first + POOL]
            pool = np.concatenate(held)
            by_length = pool[np.argsort(self.lengths[pool], kind="stable")]
            batches += [one.tolist() for one in np.array_split(by_length, len(held))]
        return [batches[place] for place in generator.permutation(len(batches))]


def step_seed(seed: int, step: int) -> int:
    """Of the chance in a step, as dropout."""
    return int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0] >> 1)
