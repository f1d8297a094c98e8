"""A teacher's guesses as targets, and how far a student's are from them, some tokens at a time.

Of the teacher's distribution the likeliest tokens are kept, and all others are one class together, so that the logits
of all places never exist at once, neither the teacher's nor the student's. As in `train.model.cross_entropy` the
gradients are made in the forward pass.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK_LOGITS = {"cpu": 1 << 22, "cuda": 1 << 26}


class SoftTargets(NamedTuple):
    """tokens: int64 [M, k], the likeliest, the first of them first. log_probs: [M, k], of these. log_rest: [M], of all
    others together, minus infinity where there are none. All of the softmax with the temperature."""

    tokens: Tensor
    log_probs: Tensor
    log_rest: Tensor


@torch.no_grad()
def soft_targets(
    hidden: Tensor, weight: Tensor, bias: Tensor, size: int, top_k: int, temperature: float, chunk: int | None = None
) -> SoftTargets:
    """Of hidden [M, H] and the first `size` rows of weight [rows, H] and bias; in float32 (float64 for float64)."""
    exact = torch.promote_types(hidden.dtype, torch.float32)
    rows, kept = weight[:size].to(hidden.dtype), min(top_k, size)
    tokens = torch.empty(len(hidden), kept, dtype=torch.int64, device=hidden.device)
    log_probs = hidden.new_empty(len(hidden), kept, dtype=exact)
    log_rest = hidden.new_empty(len(hidden), dtype=exact)
    for part in _chunks(hidden, size, chunk):
        logits = (hidden[part] @ rows.T).to(exact).add_(bias[:size]).div_(temperature)
        highest, tokens[part] = logits.topk(kept)
        rest = logits.scatter_(1, tokens[part], float("-inf")).logsumexp(1)
        total = torch.logaddexp(rest, highest.logsumexp(1))
        log_probs[part], log_rest[part] = highest - total[:, None], rest - total
    return SoftTargets(tokens, log_probs, log_rest)


def soft_divergence(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor,
    size: int,
    targets: SoftTargets,
    temperature: float,
    token_weight: Tensor,
    chunk: int | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """(sum of token_weight * loss, with gradient; float32 [M] losses in nats and bool [M] hits, both without).

    A loss is temperature ** 2 * KL(targets || softmax(logits / temperature)) over the classes of `targets`, where the
    square keeps the size of the gradients (Hinton et al. 2015, arXiv 1503.02531). hidden [M, H], weight [rows, H] and
    bias [V] give the logits; rows from `size` on are no classes. token_weight: float [M], without gradient. A hit: the
    targets' first token has a logit above all others. Nothing waits for the device.
    """
    learning = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (hidden, weight, bias))
    found = _SoftDivergence.apply(hidden, weight, bias, size, targets, temperature, token_weight, chunk, learning)
    return found[0], found[1], found[2]


class _SoftDivergence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor,
        size: int,
        targets: SoftTargets,
        temperature: float,
        token_weight: Tensor,
        chunk: int | None,
        learning: bool,
    ) -> tuple[Tensor, Tensor, Tensor]:
        exact = torch.promote_types(hidden.dtype, torch.float32)
        rows, token_weight = weight[:size].to(hidden.dtype), token_weight.to(exact)
        losses = hidden.new_empty(len(hidden), dtype=exact)
        correct = torch.empty(len(hidden), dtype=torch.bool, device=hidden.device)
        if learning:
            d_hidden = torch.empty_like(hidden)
            d_weight = torch.zeros_like(weight, dtype=exact)
            d_bias = torch.zeros_like(bias, dtype=exact)
        for part in _chunks(hidden, size, chunk):
            logits = (hidden[part] @ rows.T).to(exact).add_(bias[:size]).div_(temperature)
            losses[part], correct[part], d_logits = _divergence(logits, SoftTargets(*(one[part] for one in targets)))
            if learning:
                # Of T ** 2 * KL by the logits before they are divided by T.
                d_logits = d_logits.mul_(temperature * token_weight[part, None]).to(hidden.dtype)
                torch.mm(d_logits, rows, out=d_hidden[part])
                d_weight[:size] += d_logits.T @ hidden[part]
                d_bias[:size] += d_logits.sum(0, dtype=exact)
        losses *= temperature**2
        if learning:
            ctx.save_for_backward(d_hidden, d_weight.to(weight.dtype), d_bias.to(bias.dtype))
        ctx.mark_non_differentiable(losses, correct)
        return (losses * token_weight).sum(), losses, correct

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        found = (saved * gradient.to(saved.dtype) for saved in ctx.saved_tensors)
        return (*found, None, None, None, None, None, None)


def _divergence(logits: Tensor, targets: SoftTargets) -> tuple[Tensor, Tensor, Tensor]:
    """(KL [n], hits [n], gradient of KL by `logits` [n, V], which are overwritten).

    In the classes q_j - p_j; a token of the rest has its part of q_rest - p_rest.
    """
    top = logits.gather(1, targets.tokens)
    logits.scatter_(1, targets.tokens, float("-inf"))
    above = logits.amax(1)
    correct = top[:, 0] > torch.maximum(above, top[:, 1:].amax(1) if top.shape[1] > 1 else above)
    above = above.nan_to_num(neginf=0.0)  # where no token is left
    powers = logits.sub_(above[:, None]).exp_()
    sums = powers.sum(1)
    rest = sums.log() + above
    total = torch.logaddexp(rest, top.logsumexp(1))
    log_q, log_q_rest = top - total[:, None], rest - total
    p, p_rest = targets.log_probs.exp(), targets.log_rest.exp()
    of_rest = torch.where(p_rest > 0, p_rest * (targets.log_rest - log_q_rest), 0.0)
    losses = (p * (targets.log_probs - log_q)).sum(1) + of_rest
    share = (log_q_rest.exp() - p_rest) / sums.clamp(min=torch.finfo(sums.dtype).tiny)
    gradient = powers.mul_(share[:, None]).scatter_(1, targets.tokens, log_q.exp() - p)
    return losses, correct, gradient


def _chunks(hidden: Tensor, size: int, chunk: int | None) -> list[slice]:
    chunk = chunk or max(1, CHUNK_LOGITS.get(hidden.device.type, 1 << 22) // size)
    return [slice(start, start + chunk) for start in range(0, len(hidden), chunk)]
