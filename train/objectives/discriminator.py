"""What adversarial objectives share: a discriminator over features of sequences, and the gradient reversal by which the
encoder learns to make its task hard (Ganin et al. 2016, arXiv 1505.07818)."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, leaky_relu

SLOPE = 0.2  # of LeakyReLU below 0, as in MUSE (Conneau et al. 2018, arXiv 1710.04087)


@dataclass(frozen=True)
class Turning:
    """What the gradients that reach the encoder are multiplied with, minus the sign, in each step of a run of `steps`.

    most * (2 / (1 + exp(-10 p)) - 1) with p = step / steps (Ganin et al.) in the last of every `ratio` steps; 0 in the
    others, in which the discriminator learns alone.
    """

    most: float
    ratio: int
    steps: int

    def __call__(self, step: int) -> float:
        if step % self.ratio != self.ratio - 1:
            return 0.0
        return self.most * (2 / (1 + math.exp(-10 * step / self.steps)) - 1)


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, strength: Tensor) -> Tensor:
        ctx.save_for_backward(strength)
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (strength,) = ctx.saved_tensors
        return -strength.to(gradient.dtype) * gradient, None


def reverse(values: Tensor, strength: Tensor | float) -> Tensor:
    """The values as they are, whose gradient comes back times minus `strength`, a number or a tensor of one element."""
    found = _Reversal.apply(values, torch.as_tensor(strength, device=values.device))
    assert isinstance(found, Tensor)
    return found


class Discriminator(nn.Module):
    """Two linear layers between which LeakyReLU stands: features [n, inputs] to logits [n, classes], in float32."""

    def __init__(self, inputs: int, size: int, classes: int) -> None:
        super().__init__()
        self.dense = nn.Linear(inputs, size)
        self.classifier = nn.Linear(size, classes)

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.classifier(leaky_relu(self.dense(features), SLOPE))
        return logits


def told_apart(discriminator: nn.Module, features: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
    """(cross-entropy in nats, with gradient; hits) of each row. features [n, inputs]; classes: int64 [n]. [n] each."""
    logits = discriminator(features)
    return cross_entropy(logits, classes, reduction="none"), logits.detach().argmax(1) == classes
