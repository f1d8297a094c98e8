"""The gradient's norm over all parameters and processes, and clipping by it, without a look from the host."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from train.optim.sharding import local, sum_over_shards


@torch.no_grad()
def clip_gradients(parameters: Iterable[Tensor], max_norm: float) -> tuple[Tensor, Tensor]:
    """Scales the gradients in place to a total L2 norm of at most `max_norm`; infinity only measures.

    Returns (norm before that, found_inf), 0-d float32 on the device: found_inf is 1 where the norm is not finite, which
    is what `Optimizer.step` skips by. Under FSDP2 all processes must call it and get the same numbers.
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    parts = [local(gradient) for gradient in gradients]
    squares = [norm.square() for norm in torch._foreach_norm(parts, 2, dtype=torch.float32)]
    norm = torch.stack(sum_over_shards(squares, gradients)).sum().sqrt()
    # 1e-6 as in torch.nn.utils.clip_grad_norm_.
    torch._foreach_mul_(parts, (max_norm / (norm + 1e-6)).clamp_max(1.0))
    return norm, (~norm.isfinite()).to(torch.float32)


def clip_apart(groups: Iterable[Sequence[Tensor]], max_norm: float) -> tuple[Tensor, Tensor]:
    """`clip_gradients` of each group by itself: the norm of the first, and found_inf, 1 where any norm is not finite.

    A group without gradients is passed over, but for the first, which has some.
    """
    first, *others = groups
    norm, found_inf = clip_gradients(first, max_norm)
    for group in others:
        if any(parameter.grad is not None for parameter in group):
            found_inf = torch.maximum(found_inf, clip_gradients(group, max_norm)[1])
    return norm, found_inf
