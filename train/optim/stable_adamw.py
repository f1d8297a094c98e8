"""StableAdamW (Wortsman et al. 2023, arXiv 2304.13013): AdamW whose update is clipped tensor by tensor."""

import torch
from torch import Tensor

from train.optim.adamw import AdamW
from train.optim.sharding import sum_over_shards


class StableAdamW(AdamW):
    """Divides the learning rate of a tensor, for its decay as well, by max(1, RMS).

    RMS is the root of the mean over the whole tensor of g^2 / max(v, eps^2), v the second moment after this step with
    its bias corrected: large where the gradient is much larger than the past led to expect.
    """

    def update(self, learning_rate: Tensor, found_inf: Tensor) -> None:
        indices = self.with_gradient()
        if not indices:
            return
        parameters = [self.group.parameters[i] for i in indices]
        ratios = sum_over_shards([self._sum_of_ratios(i) for i in indices], parameters)
        for index, parameter, ratio in zip(indices, parameters, ratios, strict=True):
            rms = (ratio / parameter.numel()).sqrt()
            self.apply([index], learning_rate / rms.clamp_min(1.0), found_inf)

    def _sum_of_ratios(self, index: int) -> Tensor:
        squared = self.gradient(index).square()
        beta, step = self.betas[1], self.state["step"][index] + 1
        second = self.state["exp_avg_sq"][index].lerp(squared, 1 - beta).div_(1 - torch.pow(beta, step))
        return squared.div_(second.clamp_min_(self.eps**2)).sum(dtype=torch.float32)
