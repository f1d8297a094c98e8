"""Sums of what parents have learnt, without what is small and without what the most have against them."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import hardshrink

from train.fusion.largest import threshold
from train.fusion.parts import parts, result
from train.fusion.task_arithmetic import ANCESTOR, needed
from train.fusion.weights import check_count, check_scale, check_weights, factors

DENSITY = 0.2
TINY = 1e-30  # in place of 0 weights that agree


class Ties:
    """theta = theta_0 + scale * m, where m is the weighted mean of those trimmed differences t_i whose sign is that of
    sum w_i t_i; t_i = theta_i - theta_0 where its size is among the largest `density` of the tensor, else 0.

    Yadav et al. 2023, "TIES-Merging" (arXiv 2306.01708), section 4.2; defaults of section 6: density 0.2, scale 1.
    Trimmed tensor by tensor, as mergekit does; their code trims over the whole model. What is as large as the smallest
    that is kept is kept too, as in their code, so that places decide nothing. At least one number of a tensor is kept.
    A sum of exactly 0 counts as positive (mergekit's choice).
    """

    needs_ancestor = True

    def __init__(self, density: float = DENSITY, scale: float = 1.0, weights: Sequence[float] | None = None) -> None:
        if not 0 < density <= 1:
            raise ValueError(f"density {density:g} is not above 0 and at most 1")
        check_scale(scale)
        check_weights(weights)
        self.density, self.scale, self.weights = density, scale, weights

    def check(self, parents: int) -> None:
        check_count(self.weights, parents)

    def merge(self, name: str, parents: Sequence[Tensor], ancestor: Tensor | None) -> Tensor:
        origin = needed(name, ancestor)
        weights = factors(self.weights, len(parents))
        out = result(name, [*parents, origin])
        if not out.numel():
            return out
        keep = max(1, int(self.density * out.numel()))
        # hardshrink keeps what is larger than its bound.
        bounds = [float(np.nextafter(np.float32(threshold(one, origin, keep)), np.float32(0))) for one in parents]
        flat = out.view(-1)
        for place, (*found, start) in parts(name, parents, {ANCESTOR: origin}):
            trimmed = [hardshrink(one - start, bound) for one, bound in zip(found, bounds, strict=True)]
            torch.add(start, agreed(trimmed, weights), alpha=self.scale, out=flat[place])
        return out


def agreed(differences: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """The weighted mean, number by number, of those whose sign is that of the weighted sum; 0 where there is none."""
    total = differences[0] * weights[0]
    for one, weight in zip(differences[1:], weights[1:], strict=True):
        total.add_(one, alpha=weight)
    sign = torch.copysign(torch.ones_like(total), total.add_(0.0))  # -0.0 + 0.0 is 0.0
    above, below = torch.zeros_like(total), torch.zeros_like(total)
    for one, weight in zip(differences, weights, strict=True):
        size = torch.mul(one, sign).clamp_(min=0)
        above.add_(size, alpha=weight)
        below.add_(size.sign_(), alpha=weight)
    return above.div_(below.clamp_(min=TINY)).mul_(sign)
