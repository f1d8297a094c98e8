"""A mean in which each number counts for how much its model's answers hang on it."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from train.fusion.average import average
from train.fusion.parts import parts, result
from train.fusion.weights import check_count, check_weights, shares

FLOOR = 1e-12
Statistics = Callable[[str], Sequence[Tensor] | None]  # of a tensor, one a parent; None where there are none


class Fisher:
    """theta = sum w_i F_i theta_i / sum w_i F_i, number by number; F_i is at least `floor`, so that where no model
    cares, the result is the mean.

    Matena and Raffel 2022, "Merging models with Fisher-weighted averaging" (arXiv 2111.09832), section 3.1 and equation
    3. of(name): the diagonals of a tensor, of its shape. A tensor that has none is averaged.
    """

    needs_ancestor = False

    def __init__(self, of: Statistics, weights: Sequence[float] | None = None, floor: float = FLOOR) -> None:
        if not 0 < floor < float("inf"):
            raise ValueError(f"floor {floor:g} is not above 0")
        check_weights(weights)
        self.of, self.weights, self.floor = of, weights, floor

    def check(self, parents: int) -> None:
        check_count(self.weights, parents)

    def merge(self, name: str, parents: Sequence[Tensor], ancestor: Tensor | None = None) -> Tensor:
        count, weights = len(parents), shares(self.weights, len(parents))
        diagonals = self.of(name)
        if diagonals is None:
            return average(name, parents, weights)
        if len(diagonals) != count:
            raise ValueError(f"{name} has {len(diagonals)} Fisher diagonals for {count} parents")
        out = result(name, [*parents, *diagonals])
        flat = out.view(-1)
        told = {f"the Fisher diagonals of parent {which + 1}": one for which, one in enumerate(diagonals)}
        for place, found in parts(name, parents, told):
            total, mass = torch.zeros_like(found[0]), torch.zeros_like(found[0])
            for one, diagonal, weight in zip(found[:count], found[count:], weights, strict=True):
                importance = diagonal.clamp(min=self.floor).mul_(weight)
                total.addcmul_(one, importance)
                mass.add_(importance)
            torch.div(total, mass, out=flat[place])
        return out
