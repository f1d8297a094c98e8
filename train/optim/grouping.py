"""Which parameters decay, which ones Muon may take, and which have an optimiser of their own."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

WRAPPERS = ("_orig_mod", "_checkpoint_wrapped_module")  # put into names by torch.compile and by recomputation
# Modules between hidden states and classes. Like embeddings they are no maps of hidden states onto such.
OUTPUTS = ("decoder", "lm_head", "classifier", "seq_relationship")


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that are treated alike. `hidden`: matrices between hidden states, the only ones for Muon. `owner`: the
    module, of those with an optimiser of their own, that they are of; "" for the model's. `rate`: what their learning
    rate is, times that of the run."""

    names: tuple[str, ...]
    parameters: tuple[nn.Parameter, ...]
    weight_decay: float
    hidden: bool = False
    owner: str = ""
    rate: float = 1.0


def plain_name(name: str) -> str:
    """Name of a parameter without what DistributedDataParallel ("module.") and other wrappers put into it."""
    parts = [part for part in name.split(".") if part not in WRAPPERS]
    return ".".join(parts[1:] if parts[0] == "module" else parts)


def owner_of(name: str, own: Mapping[str, float]) -> str:
    """The module among `own` that a parameter of this plain name is of; "" for none."""
    return next((module for module in own if name.startswith(f"{module}.")), "")


def parameters_apart(model: nn.Module, own: Mapping[str, float]) -> list[list[nn.Parameter]]:
    """The model's parameters, and then those of each module with an optimiser of its own: what is clipped together."""
    found: dict[str, list[nn.Parameter]] = {owner: [] for owner in ("", *own)}
    for name, parameter in model.named_parameters():
        found[owner_of(plain_name(name), own)].append(parameter)
    return list(found.values())


def group_parameters(
    model: nn.Module, weight_decay: float, own: Mapping[str, float] | None = None
) -> list[ParameterGroup]:  # fmt: skip
    """Hidden matrices, other matrices (embeddings and whatever is tied with them, output layers), biases and norms;
    then those of each module in `own`, a name and the rate of its groups, none of whose matrices is hidden.

    Biases and norms do not decay. Frozen parameters are in none; an empty group is left out. A tied parameter counts
    once, under the first of its names. Under FSDP2 call it on the model that is already sharded.
    """
    rates = {"": 1.0, **(own or {})}
    embeddings = {
        id(parameter)
        for name, parameter in model.named_parameters(remove_duplicate=False)
        if _ends_outside(plain_name(name))
    } | {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    kinds: dict[tuple[str, str], list[tuple[str, nn.Parameter]]] = {
        (owner, kind): [] for owner in rates for kind in ("hidden", "outer", "level")
    }
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        name = plain_name(name)
        *_, module, leaf = ("", *name.split("."))
        owner = owner_of(name, own or {})
        if parameter.ndim < 2 or leaf == "bias" or "norm" in module.lower():
            kind = "level"
        elif owner or parameter.ndim > 2 or id(parameter) in embeddings:
            kind = "outer"
        else:
            kind = "hidden"
        kinds[owner, kind].append((name, parameter))
    return [
        ParameterGroup(
            tuple(name for name, _ in members),
            tuple(parameter for _, parameter in members),
            0.0 if kind == "level" else weight_decay,
            kind == "hidden",
            owner,
            rates[owner],
        )
        for (owner, kind), members in kinds.items()
        if members
    ]


def _ends_outside(name: str) -> bool:
    """Whether a name is that of an embedding table (token, position, token type, language) or of an output layer."""
    *modules, leaf = name.split(".")
    return any("emb" in part.lower() for part in (*modules[-1:], leaf)) or bool({*modules[-1:]} & {*OUTPUTS})
