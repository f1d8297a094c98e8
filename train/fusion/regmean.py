"""Of each linear layer the one whose answers are nearest to those of all parents, each on its own inputs."""

from collections.abc import Sequence

import torch
from torch import Tensor

from train.fusion.average import average
from train.fusion.fisher import Statistics
from train.fusion.weights import shares

SHRINK = 0.9
RIDGE = 1e-6


class RegMean:
    """W = (sum G_i)^-1 sum G_i W_i with G_i = X_i^T X_i of the inputs X_i [tokens, in] that the layer sees in parent i,
    the numbers off the diagonal times `shrink`; W is [in, out], the transpose of torch's weight.

    Jin et al. 2023, "Dataless knowledge fusion" (arXiv 2212.09849), section 3.2; shrink 0.9 as in section 4.2 (1 is the
    regression itself, 0 weighs rows by the inputs' squares). of(name): [in, in], one a parent. In float64, with a ridge
    towards the mean of the parents, G_i + r I, r = 1e-6 times the mean of sum G_i's diagonal: an input that no parent
    ever sees then keeps the mean of its weights. A tensor without Gram matrices is averaged.
    """

    needs_ancestor = False

    def __init__(self, of: Statistics, shrink: float = SHRINK) -> None:
        if not 0 <= shrink <= 1:
            raise ValueError(f"shrink {shrink:g} is not between 0 and 1")
        self.of, self.shrink = of, shrink

    def check(self, parents: int) -> None:
        """Takes any number."""

    def merge(self, name: str, parents: Sequence[Tensor], ancestor: Tensor | None = None) -> Tensor:
        mean = average(name, parents, shares(None, len(parents)))
        grams = self.of(name)
        if grams is None:
            return mean
        inputs = mean.shape[-1]
        if mean.dim() != 2 or [*map(tuple, map(Tensor.size, grams))] != [(inputs, inputs)] * len(parents):
            raise ValueError(f"{name} has the shape {list(mean.shape)}, and its Gram matrices are not of that")
        total = torch.zeros(inputs, inputs, dtype=torch.float64, device=mean.device)
        right = torch.zeros(inputs, len(mean), dtype=torch.float64, device=mean.device)
        # W - mean solves the same equations with W_i - mean on the right, and the ridge takes it to 0 there.
        for weight, gram in zip(parents, grams, strict=True):
            shrunk = gram.to(mean.device).double()
            if not torch.isfinite(shrunk).all():
                raise ValueError(f"{name} has a Gram matrix with numbers that are not finite")
            shrunk = self.shrink * shrunk + (1 - self.shrink) * torch.diag(shrunk.diagonal())
            total += shrunk
            right += shrunk @ (weight.detach().double() - mean).T
        ridge = RIDGE * float(total.diagonal().mean())
        if ridge <= 0:  # no input was ever seen
            return mean
        total.diagonal().add_(ridge)
        return (mean + torch.linalg.solve(total, right).T).float()
