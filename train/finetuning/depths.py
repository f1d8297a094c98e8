"""Where in an encoder a weight stands: which are trained, and at what rate."""

from dataclasses import dataclass
from typing import Any

from torch import nn

from schemas.errors import UserError


@dataclass(frozen=True)
class Depths:
    """Names of modules in a model with its head. base: of the encoder, "" where it is the model itself. layers: the
    first one first; empty where the encoder has one for all depths. embeddings: what comes before them."""

    base: str
    embeddings: tuple[str, ...]
    layers: tuple[str, ...]

    def rates(self, decay: float) -> dict[str, float]:
        """By module, what its learning rate is times that of the head: decay to the power of its depth, 0 of the last
        layer. What is not named, as the head and a last norm, has 1."""
        count = len(self.layers)
        rates = {name: decay ** (count - 1 - number) for number, name in enumerate(self.layers)}
        return rates | dict.fromkeys(self.embeddings, decay**count)


def depths_of(model: Any) -> Depths:
    """Of any model of transformers."""
    base = model.base_model
    names = {id(module): name for name, module in model.named_modules()}
    prefix = names[id(base)]
    stacks = [
        module
        for module in base.modules()
        if isinstance(module, nn.ModuleList) and len(module) == model.config.num_hidden_layers
    ]
    layers = tuple(names[id(layer)] for layer in stacks[0]) if stacks else ()
    embeddings = tuple(names[id(module)] for name, module in base.named_children() if "emb" in name.lower())
    return Depths(prefix, embeddings, layers)


def freeze(model: Any, depths: Depths, top: int | None) -> None:
    """Leaves all to be trained (None), or the head and the `top` last layers with what stands above them. A pooler
    counts as head: where the folder has none it is as new as the head. UserError where there are fewer layers."""
    if top is not None and top > len(depths.layers):
        has = f"has {len(depths.layers)} layers" if depths.layers else "shares one layer among all depths"
        raise UserError(f"--trained top:{top}: the model {has}: take fewer, or all")
    kept = depths.layers[len(depths.layers) - top :] if top else ()
    frozen = (*depths.embeddings, *depths.layers[: len(depths.layers) - (top or 0)])
    inside = f"{depths.base}." if depths.base else ""
    for name, parameter in model.named_parameters():
        if top is None:
            parameter.requires_grad_(True)
        elif top == 0:
            parameter.requires_grad_(not name.startswith(inside) or name.removeprefix(inside).startswith("pooler"))
        else:
            own = any(name.startswith(f"{module}.") for module in kept)
            parameter.requires_grad_(own or not any(name.startswith(f"{module}.") for module in frozen))
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise UserError("nothing of the model is trained: take --trained all, or top:N")
