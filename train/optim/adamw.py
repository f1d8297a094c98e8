"""AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101), in torch's fused kernels."""

from collections.abc import Sequence

from torch import Tensor
from torch.optim.adamw import adamw

from train.optim.grouping import ParameterGroup
from train.optim.optimizer import Rule
from train.optim.sharding import local


class AdamW(Rule):
    """Element by element, so that each process updates its own parts. Bias correction counts each parameter's steps."""

    moments = ("exp_avg", "exp_avg_sq")
    counters = ("step",)

    def __init__(self, group: ParameterGroup, betas: tuple[float, float], eps: float) -> None:
        super().__init__(group)
        self.betas, self.eps = betas, eps

    def update(self, learning_rate: Tensor, found_inf: Tensor) -> None:
        indices = self.with_gradient()
        if indices:
            self.apply(indices, learning_rate, found_inf)

    def apply(self, indices: Sequence[int], learning_rate: Tensor, found_inf: Tensor) -> None:
        """The update of the parameters with these indices, in one kernel for all."""
        exp_avg, exp_avg_sq, step = ([self.state[kind][i] for i in indices] for kind in (*self.moments, *self.counters))
        adamw(
            [local(self.group.parameters[i]) for i in indices],
            [self.gradient(i) for i in indices],
            exp_avg,
            exp_avg_sq,
            [],
            step,
            fused=True,
            found_inf=found_inf,
            amsgrad=False,
            beta1=self.betas[0],
            beta2=self.betas[1],
            lr=learning_rate,
            weight_decay=self.group.weight_decay,
            eps=self.eps,
            maximize=False,
        )
