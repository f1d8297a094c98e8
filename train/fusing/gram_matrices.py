"""What the linear layers of a model see: the Gram matrices of their inputs."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, linear

from train.fusing.hidden_texts import TOKENS, HiddenText, batched, packed
from train.model.encoder import GeGLU
from train.model.heads import MaskedLanguageModel


class GramMatrices:
    """grams: X^T X / tokens of each linear layer's inputs X [tokens, in], float32 [in, in], on the CPU, by the name of
    its weight. tokens: how many it saw."""

    def __init__(self) -> None:
        self.grams: dict[str, Tensor] = {}
        self.tokens: dict[str, int] = {}

    def add(self, name: str, inputs: Tensor) -> None:
        seen = inputs.detach().reshape(-1, inputs.shape[-1]).float()
        self.tokens[name] = self.tokens.get(name, 0) + len(seen)
        if name in self.grams:
            self.grams[name].addmm_(seen.T, seen)
        else:
            self.grams[name] = seen.T @ seen


def gram_matrices(
    model: MaskedLanguageModel,
    texts: Sequence[HiddenText],
    *,
    batch_tokens: int = TOKENS,
    progress: Callable[[int], None] | None = None,
) -> GramMatrices:
    """Jin et al. 2023 (arXiv 2212.09849), section 3.2: activations alone, no gradient.

    Tokens are hidden as in training; the encoder's layers see all tokens, the head the hidden ones. The decoder is the
    table of embeddings, which is more than a linear layer, and has none. The mean over tokens, so that a parent with
    more texts does not count for more. Languages are not told. progress is told of tokens.
    """
    found = GramMatrices()
    hooks = [one for name, module in model.named_modules() for one in _hooks(name, module, found)]
    try:
        with torch.no_grad():
            for group in batched(texts, batch_tokens):
                batch = packed(model, group)
                hidden = model.model(batch.input_ids, batch.positions, batch.layout)
                if len(batch.targets):
                    model.head(hidden[batch.targets])
                if progress:
                    progress(len(batch.input_ids))
    finally:
        for hook in hooks:
            hook.remove()
    for name, gram in found.grams.items():
        found.grams[name] = gram.div_(found.tokens[name]).cpu()
    return found


def _hooks(name: str, module: nn.Module, found: GramMatrices) -> list[Any]:
    """A gated block multiplies by its matrices without calling them."""
    if isinstance(module, GeGLU):

        def gated(block: GeGLU, given: tuple[Tensor, ...]) -> None:
            hidden = given[0]
            value, gate = linear(hidden, block.Wi.weight.to(hidden.dtype)).chunk(2, dim=-1)
            found.add(f"{name}.Wi.weight", hidden)
            found.add(f"{name}.Wo.weight", gelu(value) * gate)

        return [module.register_forward_pre_hook(gated)]
    if isinstance(module, nn.Linear):
        return [module.register_forward_pre_hook(lambda _, given: found.add(f"{name}.weight", given[0]))]
    return []
