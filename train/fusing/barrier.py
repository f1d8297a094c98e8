"""The loss barrier between models: what held-out text costs on the straight line from one's weights to the other's.

    B = max over α of  L(α θ1 + (1 - α) θ2) - (α L(θ1) + (1 - α) L(θ2))

(Frankle et al. 2020, linear mode connectivity, arXiv 1912.05671), of the masked loss L in nats a token, by language.
Near 0 the models lie in one basin, and their average is no worse than they are; models of different beginnings lie in
different ones, and what lies between is worse than either.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray

from schemas.errors import UserError
from schemas.evaluation import Figure
from train.encoders.opened import OpenedModel
from train.fusing.token_rows import KIND, in_rows_of
from train.likelihood.held_out_texts import HeldOutText
from train.likelihood.masked_accuracy import masked_accuracy
from train.metrics.figures import measured
from train.metrics.intervals import Interval, bootstrap

POINTS = 11
Texts = Mapping[str, Sequence[HeldOutText]]


@dataclass(frozen=True)
class Curve:
    """One language between two models. losses: float64 [points], nats a hidden token at `alphas` 0 to 1, where 1 is the
    first model. barrier: in the same unit, 0 or more; its interval is over texts. at: the α of it."""

    losses: NDArray[np.float64]
    barrier: Figure
    at: float


@dataclass(frozen=True)
class Barrier:
    """first, second: names of the models. curves: by language."""

    first: str
    second: str
    curves: dict[str, Curve]


def alphas(points: int = POINTS) -> NDArray[np.float64]:
    """float64 [points], evenly from 0 to 1. ValueError for fewer than 3, between whose ends is nothing."""
    if points < 3:
        raise ValueError(f"{points} points leave nothing between two models: 3 or more are needed")
    return np.arange(points) / (points - 1)


def loss_barrier(
    parents: Sequence[OpenedModel],
    texts: Texts,
    points: int = POINTS,
    *,
    batch_tokens: int = 0,
    progress: Callable[[int], None] | None = None,
) -> list[Barrier]:
    """Of each pair of parents, in their order; the same tokens are hidden for each α. Rows of tokens are matched by the
    tokens' strings. progress is told how many bytes of the texts are done: `passes` times all of them.

    The parents are in memory, and one more set of weights. UserError for fewer than two parents, for tokens or shapes
    that differ, where one has no head for masked words, and for weights that are not finite.
    """
    if len(parents) < 2:
        raise UserError("--parent: a barrier lies between two models or more: name another")
    for other in parents[1:]:
        check_kind(parents[0], other)
    parents = [in_rows_of(parents[0], one) for one in parents]
    at = alphas(points)
    ends: dict[int, dict[str, NDArray[np.float64]]] = {}
    found = []
    for here, there in combinations(range(len(parents)), 2):
        first, second = parents[here], parents[there]
        line = _Line(first, second)

        def ask(alpha: float, line: "_Line" = line) -> dict[str, NDArray[np.float64]]:
            model = line.at(alpha)
            return {name: _sums(model, of, batch_tokens, progress) for name, of in texts.items()}

        for number, alpha in ((there, 0.0), (here, 1.0)):
            if number not in ends:
                ends[number] = ask(alpha)
        between = [ends[there], *(ask(float(alpha)) for alpha in at[1:-1]), ends[here]]
        curves = {name: _curve(np.stack([each[name] for each in between], 1), at) for name in texts}
        found.append(Barrier(first.name, second.name, {name: one for name, one in curves.items() if one is not None}))
        line.close()
    return found


def passes(parents: int, points: int = POINTS) -> int:
    """How often all texts are read: each parent once, and what lies between each pair."""
    return parents + parents * (parents - 1) // 2 * (points - 2)


def excess(losses: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64 [points]: what losses [points] lie above the straight line between the first and the last."""
    return np.asarray(losses - (at * losses[-1] + (1 - at) * losses[0]))


def check_kind(one: OpenedModel, other: OpenedModel) -> None:
    """UserError where two models have not the same kind of layers."""
    if one.config.model_type != other.config.model_type:
        kinds = f"{one.config.model_type} and {other.config.model_type}"
        raise UserError(
            f"--parent {one.given} and {other.given} are of different kinds, {kinds}: no weights lie between"
        )


class _Line:
    """The weights between two models, put into the first one's module. A third set is kept, of the first's own."""

    def __init__(self, first: OpenedModel, second: OpenedModel) -> None:
        self.model, self.module = first, first.model(KIND, "masked words")
        self.target = dict(self.module.state_dict())
        self.one = {name: value.clone() for name, value in self.target.items()}
        self.other = dict(second.model(KIND, "masked words").state_dict())
        shapes = [{name: tuple(value.shape) for name, value in of.items()} for of in (self.one, self.other)]
        differs = sorted(name for name in {*shapes[0], *shapes[1]} if shapes[0].get(name) != shapes[1].get(name))
        if differs:
            raise UserError(
                f"--parent {first.given} and {second.given} are of different shapes ({differs[0]}): no weights lie "
                "between"
            )

    @torch.no_grad()
    def at(self, alpha: float) -> OpenedModel:
        """α of the first model and 1 - α of the second; the ends are theirs to the bit."""
        for name, value in self.target.items():
            if value.is_floating_point():
                value.copy_(self.one[name]).mul_(alpha).add_(self.other[name], alpha=1 - alpha)
        return self.model

    def close(self) -> None:
        """The first model is itself again."""
        self.at(1.0)


def _sums(
    model: OpenedModel, texts: Sequence[HeldOutText], batch_tokens: int, progress: Callable[[int], None] | None
) -> NDArray[np.float64]:
    """[texts, 2]: loss and hidden tokens of each."""
    each = masked_accuracy(model, texts, batch_tokens=batch_tokens, progress=progress)
    return np.stack([each.loss, each.hidden.astype(np.float64)], 1)


def _curve(sums: NDArray[np.float64], at: NDArray[np.float64]) -> Curve | None:
    """sums: [texts, points, 2]. None where no token was hidden."""
    sums = sums[sums[:, 0, 1] > 0]
    if not len(sums):
        return None

    def losses(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        total = drawn.sum(0)
        return np.asarray(total[:, 0] / total[:, 1])

    def barrier(drawn: NDArray[np.float64]) -> float:
        return float(excess(losses(drawn), at).max())

    own = excess(losses(sums), at)
    interval: Interval = bootstrap(sums, barrier)
    return Curve(losses(sums), measured(interval, int(sums[:, 0, 1].sum())), float(at[own.argmax()]))
