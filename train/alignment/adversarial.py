"""MUSE's game: a map learns to bring one side where a discriminator can not tell it from the other (Conneau et al.
2018, arXiv 1710.04087, sections 2.1 and 3.1; what the paper leaves open as in src/trainer.py of its code)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from train.alignment.adversarial_settings import GameSettings
from train.alignment.checking import Matrix, matrix
from train.alignment.criterion import criterion
from train.alignment.discriminator import Discriminator
from train.alignment.map_rate import MapRate

TOLD = 100  # steps between two calls of `advance`
FAR = 1e6  # a number of a map; beta pulls it to below 1, where the game holds
Advance = Callable[[int], None]


@dataclass(frozen=True)
class Played:
    """matrix: float64 [d, d], nearly orthogonal, of the epoch of the highest criterion; the identity where there is
    none. history: the criterion after each epoch. losses: the discriminator's mean loss in each, nats; log 2 is a
    guess. diverged: whether the epoch behind them is lost, as its map is no longer finite."""

    matrix: Matrix
    history: tuple[float, ...]
    losses: tuple[float, ...]
    diverged: bool = False


def play(
    first: ArrayLike,
    second: ArrayLike,
    settings: GameSettings,
    seed: int,
    advance: Advance = lambda steps: None,
    device: torch.device | str = "cpu",
) -> Played:
    """first [n, d], second [m, d]: the most frequent words first. The same for the same seed on one machine; torch's
    own generator is left as it was. advance(steps) is called as steps of the map are done, `settings.steps` in all.

    ValueError as `checking.matrix`, and for sides of other widths."""
    X, Y = matrix(first, "vectors of the first side"), matrix(second, "vectors of the second side")
    if X.shape[1] != Y.shape[1]:
        raise ValueError(f"sides of {X.shape[1]} and {Y.shape[1]} dimensions: the game needs the same of both")
    place = torch.device(device)
    with torch.random.fork_rng([place] if place.type == "cuda" else []):
        torch.manual_seed(seed)
        return _epochs(_Game(X, Y, settings, place), X, Y, advance)


def _epochs(game: "_Game", X: Matrix, Y: Matrix, advance: Advance) -> Played:
    settings = game.settings
    best, history, losses, diverged = np.eye(X.shape[1]), list[float](), list[float](), False
    rate = MapRate(settings)
    for _ in range(settings.epochs):
        loss = game.epoch(rate.value, advance)
        W = game.matrix()
        diverged = not (np.isfinite(loss) and np.abs(W).max() < FAR)
        if diverged:
            break
        losses.append(loss)
        history.append(criterion(X @ W, Y, settings.criterion_words))
        if rate.after_epoch(history[-1]):
            best = W
        if rate.value < settings.least_rate:
            break
    return Played(best, tuple(history), tuple(losses), diverged)


class _Game:
    def __init__(self, X: Matrix, Y: Matrix, settings: GameSettings, device: torch.device) -> None:
        self.settings, self.device = settings, device
        self.X, self.Y = (self._side(one) for one in (X, Y))
        self.W = torch.eye(X.shape[1], device=device, requires_grad=True)
        self.discriminator = Discriminator(X.shape[1], settings.hidden, settings.dropout).to(device)
        self.optimizer = torch.optim.SGD(self.discriminator.parameters(), lr=settings.rate)
        self.first_is = torch.full((2 * settings.batch,), settings.smoothing, device=device)
        self.first_is[: settings.batch] = 1 - settings.smoothing

    def _side(self, vectors: Matrix) -> Tensor:
        frequent = vectors[: self.settings.words]
        size = np.sqrt(np.square(frequent).mean())
        if self.settings.scaled and size > 0:
            frequent = frequent / size
        return torch.tensor(np.ascontiguousarray(frequent), dtype=torch.float32, device=self.device)

    def matrix(self) -> Matrix:
        return self.W.detach().cpu().numpy().astype(np.float64)

    def epoch(self, rate: float, advance: Advance) -> float:
        """The discriminator's mean loss. rate: of the map."""
        settings = self.settings
        total = torch.zeros((), device=self.device)
        for step in range(settings.epoch_steps):
            for _ in range(settings.discriminator_steps):
                total += self._discriminate()
            self._map(rate)
            if (step + 1) % TOLD == 0 or step + 1 == settings.epoch_steps:
                advance(step % TOLD + 1)
        return float(total) / (settings.epoch_steps * settings.discriminator_steps)

    def _batch(self) -> Tensor:
        """[2 batch, d]: mapped words of the first side, then words of the second."""
        size = (self.settings.batch,)
        of_first = torch.randint(len(self.X), size, device=self.device)
        of_second = torch.randint(len(self.Y), size, device=self.device)
        return torch.cat([self.X[of_first] @ self.W, self.Y[of_second]])

    def _discriminate(self) -> Tensor:
        self.discriminator.train()
        with torch.no_grad():
            batch = self._batch()
        loss = binary_cross_entropy_with_logits(self.discriminator(batch), self.first_is)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def _map(self, rate: float) -> None:
        """One step to where the discriminator errs, then one towards orthogonality."""
        self.discriminator.eval()
        loss = binary_cross_entropy_with_logits(self.discriminator(self._batch()), 1 - self.first_is)
        (gradient,) = torch.autograd.grad(loss, self.W)
        with torch.no_grad():
            self.W -= rate * gradient
            self.W.copy_((1 + self.settings.beta) * self.W - self.settings.beta * (self.W @ self.W.T) @ self.W)
