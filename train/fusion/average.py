"""The plain mean, beside which every other rule is shown."""

from collections.abc import Sequence

from torch import Tensor

from train.fusion.parts import parts, result
from train.fusion.weights import check_count, check_weights, shares


class Average:
    """theta = sum w_i theta_i, with w_i that add up to 1: uniform, or in proportion to what is given.

    Wortsman et al. 2022, "Model soups" (arXiv 2203.05482), section 2: the uniform soup; a greedy soup is this rule on
    the parents that are chosen. It means something only where the parents lie in one basin.
    """

    needs_ancestor = False

    def __init__(self, weights: Sequence[float] | None = None) -> None:
        check_weights(weights)
        self.weights = weights

    def check(self, parents: int) -> None:
        check_count(self.weights, parents)

    def merge(self, name: str, parents: Sequence[Tensor], ancestor: Tensor | None = None) -> Tensor:
        return average(name, parents, shares(self.weights, len(parents)))


def average(name: str, parents: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    out = result(name, parents)
    flat = out.view(-1)
    for place, found in parts(name, parents):
        total = flat[place].copy_(found[0]).mul_(shares[0])
        for one, share in zip(found[1:], shares[1:], strict=True):
            total.add_(one, alpha=share)
    return out
