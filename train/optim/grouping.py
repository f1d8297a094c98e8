"""Which parameters decay, and which ones Muon may take."""

from dataclasses import dataclass

from torch import nn

WRAPPERS = ("_orig_mod", "_checkpoint_wrapped_module")  # put into names by torch.compile and by recomputation
# Modules between hidden states and classes. Like embeddings they are no maps of hidden states onto such.
OUTPUTS = ("decoder", "lm_head", "classifier", "seq_relationship")


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that are treated alike. `hidden`: matrices between hidden states, the only ones for Muon."""

    names: tuple[str, ...]
    parameters: tuple[nn.Parameter, ...]
    weight_decay: float
    hidden: bool = False


def plain_name(name: str) -> str:
    """Name of a parameter without what DistributedDataParallel ("module.") and other wrappers put into it."""
    parts = [part for part in name.split(".") if part not in WRAPPERS]
    return ".".join(parts[1:] if parts[0] == "module" else parts)


def group_parameters(model: nn.Module, weight_decay: float) -> list[ParameterGroup]:
    """Hidden matrices, other matrices (embeddings and whatever is tied with them, output layers), biases and norms.

    The last group does not decay. Frozen parameters are in none; an empty group is left out. A tied parameter counts
    once, under the first of its names. Under FSDP2 call it on the model that is already sharded.
    """
    embeddings = {
        id(parameter)
        for name, parameter in model.named_parameters(remove_duplicate=False)
        if _ends_outside(plain_name(name))
    } | {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    kinds: dict[str, list[tuple[str, nn.Parameter]]] = {"hidden": [], "outer": [], "level": []}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        name = plain_name(name)
        *_, module, leaf = ("", *name.split("."))
        if parameter.ndim < 2 or leaf == "bias" or "norm" in module.lower():
            kinds["level"].append((name, parameter))
        elif parameter.ndim > 2 or id(parameter) in embeddings:
            kinds["outer"].append((name, parameter))
        else:
            kinds["hidden"].append((name, parameter))
    return [
        ParameterGroup(
            tuple(name for name, _ in members),
            tuple(parameter for _, parameter in members),
            0.0 if kind == "level" else weight_decay,
            kind == "hidden",
        )
        for kind, members in kinds.items()
        if members
    ]


def _ends_outside(name: str) -> bool:
    """Whether a name is that of an embedding table (token, position, token type, language) or of an output layer."""
    *modules, leaf = name.split(".")
    return any("emb" in part.lower() for part in (*modules[-1:], leaf)) or bool({*modules[-1:]} & {*OUTPUTS})
