"""Sums of what parents have learnt."""

from collections.abc import Sequence

import torch
from torch import Tensor

from train.fusion.parts import parts, result
from train.fusion.weights import check_count, check_scale, check_weights, factors

SCALE = 0.4
ANCESTOR = "the ancestor"


class TaskArithmetic:
    """theta = theta_0 + scale * sum w_i (theta_i - theta_0), w_i = 1 unless given.

    Ilharco et al. 2023, "Editing models with task arithmetic" (arXiv 2212.04089), section 2. scale: theirs is tuned on
    held-out data; 0.4 is what Yadav et al. 2023 (arXiv 2306.01708, section 6) take where there are none.
    """

    needs_ancestor = True

    def __init__(self, scale: float = SCALE, weights: Sequence[float] | None = None) -> None:
        check_scale(scale)
        check_weights(weights)
        self.scale, self.weights = scale, weights

    def check(self, parents: int) -> None:
        check_count(self.weights, parents)

    def merge(self, name: str, parents: Sequence[Tensor], ancestor: Tensor | None) -> Tensor:
        origin = needed(name, ancestor)
        weights = factors(self.weights, len(parents))
        out = result(name, [*parents, origin])
        flat = out.view(-1)
        for place, (*found, start) in parts(name, parents, {ANCESTOR: origin}):
            # As a sum over models, each taken once: (1 - scale * sum w) theta_0 + sum scale * w_i theta_i loses digits
            # where theta_i is near theta_0, so the differences are taken first.
            total = torch.sub(found[0], start).mul_(weights[0])
            for one, weight in zip(found[1:], weights[1:], strict=True):
                total.add_(one - start, alpha=weight)
            torch.add(start, total, alpha=self.scale, out=flat[place])
        return out


def needed(name: str, ancestor: Tensor | None) -> Tensor:
    if ancestor is None:
        raise ValueError(f"{name}: this rule needs the ancestor's tensor")
    return ancestor
