"""What MUSE's game is played with: as published, and as two processor cores can."""

from dataclasses import dataclass


@dataclass(frozen=True)
class GameSettings:
    """Defaults: MUSE's own (Conneau et al. 2018, arXiv 1710.04087, section 3.1; options of its unsupervised.py), except
    beta, where the paper has 0.01 and its code 0.001.

    words: the most frequent of each side, which are drawn evenly. hidden: width of the discriminator's two layers.
    dropout: of its input. smoothing: its targets are this far from 0 and 1. discriminator_steps: for each of the map.
    rate: of SGD, for both. decay: of the map's rate, each epoch. shrink: what the map's rate is multiplied with where
    the criterion is below the best, from the second time on. least_rate: training ends below. batch: words of each
    side in a step. epoch_words: words of each side that the map sees in an epoch. beta: pull towards orthogonality.
    length: what rows are made as long as on average, since the rate fits vectors of one length only; None: as they are.
    refinements, rank, criterion_words: as of `self_learning.refined`.
    """

    words: int = 75_000
    hidden: int = 2048
    dropout: float = 0.1
    smoothing: float = 0.1
    discriminator_steps: int = 5
    rate: float = 0.1
    decay: float = 0.98
    shrink: float = 0.5
    least_rate: float = 1e-6
    batch: int = 32
    epochs: int = 5
    epoch_words: int = 1_000_000
    beta: float = 0.01
    length: float | None = None
    refinements: int = 5
    rank: int = 15_000
    criterion_words: int = 10_000

    @property
    def epoch_steps(self) -> int:
        return -(-self.epoch_words // self.batch)

    @property
    def steps(self) -> int:
        """Steps of the map in all, by which progress is counted."""
        return self.epochs * self.epoch_steps


FULL = GameSettings()
REDUCED = GameSettings(words=5000, hidden=256, epochs=5, epoch_words=64_000, length=1.0)
