"""Layers whose parameters are float32 and whose work is in the dtype of what comes in."""

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm, linear

from train.model.shape import EncoderShape


class Linear(nn.Linear):
    """The product is in the dtype of what comes in, whatever that of the weight."""

    def __init__(self, inputs: int, outputs: int, bias: bool = False) -> None:
        super().__init__(inputs, outputs, bias=bias)

    def forward(self, hidden: Tensor) -> Tensor:
        return linear(hidden, self.weight.to(hidden.dtype), _cast(self.bias, hidden.dtype))


class LayerNorm(nn.LayerNorm):
    """In and out are of one dtype, mean and variance in float32 inside the kernel."""

    def __init__(self, config: EncoderShape) -> None:
        super().__init__(config.hidden_size, eps=config.norm_eps, bias=config.biases)

    def forward(self, hidden: Tensor) -> Tensor:
        weight, bias = self.weight.to(hidden.dtype), _cast(self.bias, hidden.dtype)
        return layer_norm(hidden, self.normalized_shape, weight, bias, self.eps)


def language_table(config: EncoderShape) -> nn.Embedding | None:
    """[1 + languages, hidden_size], None where the shape has no languages.

    Zero at the start: the model is then the one that it would be without, and a row of AdamW's first step is as large
    for a rare language as for a frequent one. No generator moves, so that all other weights are the same too.
    """
    if not config.languages:
        return None
    rows = torch.zeros(1 + len(config.languages), config.hidden_size)
    return nn.Embedding.from_pretrained(rows, freeze=False)


def _cast(bias: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    return None if bias is None else bias.to(dtype)
