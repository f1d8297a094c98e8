"""A map without a dictionary or parallel lines: MUSE's game from several seeds, refined, and which of them failed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike

from train.alignment.adversarial import Advance, Played, play
from train.alignment.adversarial_settings import GameSettings
from train.alignment.checking import Matrix, matrix
from train.alignment.self_learning import Refined, refined

CHANCE_STARTS = 3
MARGIN = 0.05  # of the criterion: games that brought clouds together but not words came to 0.03, others to 0.4


@dataclass(frozen=True)
class SeedRun:
    """why: it failed, as "the game diverged in epoch 3"; "" where it did not."""

    seed: int
    played: Played
    refined: Refined
    why: str = ""

    @property
    def failed(self) -> bool:
        return bool(self.why)

    @property
    def matrix(self) -> Matrix:
        return self.refined.matrix

    @property
    def criterion(self) -> float:
        return self.refined.criterion


@dataclass(frozen=True)
class Unsupervised:
    """runs: by seed, as given. chance: the criterion of each random rotation, refined as runs are. threshold: a run
    whose criterion is not above it failed; so did one whose game diverged."""

    runs: tuple[SeedRun, ...]
    chance: tuple[float, ...]
    threshold: float

    @property
    def best(self) -> SeedRun:
        """Of those that did not fail, or of all where all did, that of the highest criterion, which knows no truth."""
        return max(self.runs, key=lambda run: (not run.failed, run.criterion))

    @property
    def failed(self) -> bool:
        """Whether all runs did."""
        return all(run.failed for run in self.runs)


def align_without_supervision(
    first: ArrayLike,
    second: ArrayLike,
    settings: GameSettings,
    seeds: Sequence[int],
    advance: Advance = lambda steps: None,
    device: torch.device | str = "cpu",
) -> Unsupervised:
    """The game and its refinement from each seed. first [n, d], second [m, d]: the most frequent words first.

    A run failed unless its criterion is higher by MARGIN than what the same refinement makes of random rotations: the
    median of theirs, since in few dimensions one may hit the truth by itself. So did one whose game diverged; the map
    of its best epoch, or the identity, is not refined.
    advance: as of `play`, `settings.steps` a seed. ValueError as `play`, and for no seed or one given twice."""
    X, Y = matrix(first, "vectors of the first side"), matrix(second, "vectors of the second side")
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds {list(seeds)}: one at least is needed, each once")
    if X.shape[1] != Y.shape[1]:
        raise ValueError(f"sides of {X.shape[1]} and {Y.shape[1]} dimensions: the game needs the same of both")

    def refine(W: Matrix, rounds: int = settings.refinements) -> Refined:
        return refined(X, Y, W, rounds, settings.rank, settings.criterion_words)

    chance = tuple(refine(rotation(X.shape[1], number)).criterion for number in range(CHANCE_STARTS))
    threshold = float(np.median(chance)) + MARGIN
    runs = []
    for seed in seeds:
        played = play(X, Y, settings, seed, advance, device)
        if played.diverged:
            why, found = f"the game diverged in epoch {len(played.history) + 1}", refine(played.matrix, rounds=0)
        else:
            found = refine(played.matrix)
            why = "" if found.criterion > threshold else "no better than the refinement of a random rotation"
        runs.append(SeedRun(seed, played, found, why))
    return Unsupervised(tuple(runs), chance, threshold)


def rotation(width: int, seed: int) -> Matrix:
    """Orthogonal, float64 [width, width], any as likely as another (Mezzadri 2007)."""
    Q, R = np.linalg.qr(np.random.default_rng(seed).normal(size=(width, width)))
    return np.asarray(Q * np.sign(np.diag(R)))
