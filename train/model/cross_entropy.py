"""Product with the vocabulary and softmax in one, some tokens at a time: the logits of all never exist together.

The gradients are made in the forward pass, while the logits of a chunk are there (Hsu et al. 2024, arXiv 2410.10989),
which is why the weight of each token in the loss has to be known by then.
"""

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

PADDING = -1  # the label of a place that is not to be guessed
CHUNK_LOGITS = {"cpu": 1 << 22, "cuda": 1 << 28}  # a chunk is in the cache of a CPU, and fills a GPU


def masked_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor,
    labels: Tensor,
    token_weight: Tensor | None = None,
    chunk: int | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """(sum of token_weight * loss, with gradient; float32 [M] losses in nats and bool [M] hits, both without).

    hidden [M, H] and `weight` [rows, H] give the logits, in the dtype of `hidden`; bias [V] is that of the vocabulary,
    and rows of `weight` from V on have no probability and no gradient. labels: int64 [M], -1 where there is nothing to
    guess: no loss, no gradient, no hit. token_weight: float [M], 1 where it is None; it has no gradient itself.
    A hit is a logit above all others; the first among equals is none. Softmax and sums are in float32 (in float64 for
    float64). chunk: tokens at a time. Nothing waits for the device.
    """
    if token_weight is None:
        token_weight = torch.ones(len(hidden), device=hidden.device)
    if chunk is None:
        chunk = max(1, CHUNK_LOGITS.get(hidden.device.type, 1 << 28) // len(bias))
    return _apply(hidden, weight, bias, labels, token_weight, chunk)


@torch.compiler.disable
def _apply(*arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Chunks are a loop over slices, which a compiler would unroll; what is worth compiling is within."""
    learning = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in arguments[:3])
    return _MaskedCrossEntropy.apply(*arguments, learning)


class _MaskedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor,
        labels: Tensor,
        token_weight: Tensor,
        chunk: int,
        learning: bool,
    ) -> tuple[Tensor, Tensor, Tensor]:
        tokens, size = len(hidden), len(bias)
        exact = torch.promote_types(hidden.dtype, torch.float32)
        rows = weight[:size].to(hidden.dtype)
        chosen = labels != PADDING
        labels, token_weight = labels.clamp(min=0), token_weight.to(exact) * chosen
        losses, correct = hidden.new_empty(tokens, dtype=exact), torch.empty_like(chosen)
        if learning:
            d_hidden = torch.empty_like(hidden)
            d_weight = torch.zeros_like(weight, dtype=exact)
            d_bias = torch.zeros_like(bias, dtype=exact)
        softmax = _compiled_softmax() if hidden.is_cuda else softmax_in_place
        for start in range(0, tokens, chunk):
            part = slice(start, start + chunk)
            logits = hidden[part] @ rows.T
            losses[part], correct[part], d_logits = softmax(logits, bias, labels[part], token_weight[part], learning)
            del logits
            if learning:
                torch.mm(d_logits, rows, out=d_hidden[part])
                if d_logits.dtype == exact:
                    d_weight[:size].addmm_(d_logits.T, hidden[part])
                else:
                    d_weight[:size] += d_logits.T @ hidden[part]
                d_bias += d_logits.sum(0, dtype=exact)
        losses, correct = losses * chosen, correct & chosen
        if learning:
            ctx.save_for_backward(d_hidden, d_weight.to(weight.dtype), d_bias.to(bias.dtype))
        ctx.mark_non_differentiable(losses, correct)
        return (losses * token_weight).sum(), losses, correct

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        found = (saved * gradient.to(saved.dtype) for saved in ctx.saved_tensors)
        return (*found, None, None, None, None)


def softmax_of_chunk(
    logits: Tensor, bias: Tensor, labels: Tensor, token_weight: Tensor, learning: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """(losses [n], hits [n], gradient of the weighted sum by `logits` [n, V], which is the last only if `learning`).

    For a compiler, which makes few sweeps over the logits of it.
    """
    exact = logits.to(token_weight.dtype) + bias.to(token_weight.dtype)
    at_label = exact.gather(1, labels[:, None])
    correct = (exact >= at_label).sum(1) == 1
    highest = exact.amax(1, keepdim=True)
    powers = (exact - highest).exp()
    total = powers.sum(1, keepdim=True)
    losses = (total.log() + highest - at_label)[:, 0]
    if not learning:
        return losses, correct, logits
    hot = torch.arange(logits.shape[1], device=logits.device) == labels[:, None]
    gradient = powers * (token_weight[:, None] / total) - hot * token_weight[:, None]
    return losses, correct, gradient.to(logits.dtype)


def softmax_in_place(
    logits: Tensor, bias: Tensor, labels: Tensor, token_weight: Tensor, learning: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """What `softmax_of_chunk` gives, without a compiler; overwrites `logits`."""
    labels, exact = labels[:, None], logits.to(token_weight.dtype)
    exact += bias
    at_label = exact.gather(1, labels)
    others = exact.scatter_(1, labels, float("-inf")).amax(1, keepdim=True)
    highest = torch.maximum(others, at_label)
    powers = exact.scatter_(1, labels, at_label).sub_(highest).exp_()
    total = powers.sum(1, keepdim=True)
    losses, correct = (total.log() + highest - at_label)[:, 0], (at_label > others)[:, 0]
    if learning:
        powers.mul_(token_weight[:, None] / total).scatter_add_(1, labels, -token_weight[:, None])
    return losses, correct, powers.to(logits.dtype)


@cache
def _compiled_softmax() -> Any:
    return torch.compile(softmax_of_chunk)
