"""The gated feed-forward block (GeGLU; Shazeer 2020, arXiv 2002.05202)."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import gelu, linear

CHUNK = 512  # tokens whose intermediate values stay in the cache of a CPU


def gated_feed_forward(hidden: Tensor, weight_in: Tensor, weight_out: Tensor) -> Tensor:
    """hidden [T, H], weight_in [2 * inner, H], weight_out [H, inner] to [T, H]: (gelu(value) * gate) @ weight_out.T,
    where value and gate are the halves of hidden @ weight_in.T.
    """
    if hidden.device.type == "cpu" and hidden.dtype != torch.bfloat16 and not torch.compiler.is_compiling():
        return _GatedFeedForward.apply(hidden, weight_in, weight_out)
    value, gate = linear(hidden, weight_in).chunk(2, dim=-1)
    return linear(gelu(value) * gate, weight_out)


class _GatedFeedForward(torch.autograd.Function):
    """Some tokens at a time, and gelu once more in the backward pass: what is wide goes to memory once."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight_in: Tensor, weight_out: Tensor) -> Tensor:
        inner = weight_out.shape[1]
        wide = hidden.new_empty(len(hidden), 2 * inner)
        result = torch.empty_like(hidden)
        for x, part, out in zip(hidden.split(CHUNK), wide.split(CHUNK), result.split(CHUNK), strict=True):
            torch.mm(x, weight_in.T, out=part)
            torch.mm(gelu(part[:, :inner]).mul_(part[:, inner:]), weight_out.T, out=out)
        ctx.save_for_backward(hidden, weight_in, weight_out, wide)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden, weight_in, weight_out, wide = ctx.saved_tensors
        inner = weight_out.shape[1]
        found = torch.empty_like(hidden), torch.zeros_like(weight_in), torch.zeros_like(weight_out)
        d_wide = wide.new_empty(min(CHUNK, len(wide)), 2 * inner)
        for start in range(0, len(hidden), CHUNK):
            part = slice(start, start + CHUNK)
            value, gate = wide[part].chunk(2, dim=1)
            activated = gelu(value)
            d_product = gradient[part] @ weight_out
            d_part = d_wide[: len(value)]
            torch.mul(d_product, activated, out=d_part[:, inner:])
            found[2].addmm_(gradient[part].T, activated.mul_(gate))
            d_part[:, :inner] = torch.ops.aten.gelu_backward(d_product.mul_(gate), value)
            torch.mm(d_part, weight_in, out=found[0][part])
            found[1].addmm_(d_part.T, hidden[part])
        return found
