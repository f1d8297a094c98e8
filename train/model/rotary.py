"""Rotary positions (Su et al. 2021, arXiv 2104.09864): elements i and i + head_dim / 2 of a head turn as a pair."""

import torch
from torch import Tensor


def rotary_table(theta: float, length: int, head_dim: int) -> Tensor:
    """float32 [2, length, head_dim / 2]: cosine and sine of each position's angles."""
    cpu = torch.device("cpu")  # also where a model is built without weights, on no device
    frequency = 1.0 / (theta ** (torch.arange(0, head_dim, 2, dtype=torch.float, device=cpu) / head_dim))
    angle = torch.arange(length, device=cpu).float()[:, None] * frequency
    return torch.stack((angle.cos(), angle.sin()))


def rotate(x: Tensor, rotary: Tensor) -> Tensor:
    """x [T, ..., head_dim] turned by `rotary` [2, T, head_dim / 2]; in float32, whatever the dtype of x."""
    cosine, sine = rotary.view(2, len(x), *[1] * (x.ndim - 2), rotary.shape[-1])
    low, high = x.chunk(2, dim=-1)
    return torch.cat((low * cosine - high * sine, high * cosine + low * sine), dim=-1).to(x.dtype)


def rotate_(x: Tensor, rotary: Tensor, back: bool = False) -> None:
    """`rotate` in place, without a gradient; `back` undoes it, which is also its gradient."""
    cosine, sine = rotary.view(2, len(x), *[1] * (x.ndim - 2), rotary.shape[-1])
    exact = x.to(torch.promote_types(x.dtype, rotary.dtype))
    low, high = exact.chunk(2, dim=-1)
    sign = -1 if back else 1
    turned = low * sine
    low.mul_(cosine).addcmul_(high, sine, value=-sign)
    high.mul_(cosine).add_(turned, alpha=sign)
    if exact is not x:
        x.copy_(exact)
