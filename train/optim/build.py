"""The optimiser that a name stands for."""

from collections.abc import Callable, Mapping

import torch
from torch import nn

from schemas.errors import UserError
from train.optim.adamw import AdamW
from train.optim.grouping import ParameterGroup, group_parameters
from train.optim.muon import BLOCKS, Muon
from train.optim.optimizer import Optimizer, Rule
from train.optim.stable_adamw import StableAdamW

NAMES = ("adamw", "stableadamw", "muon")


def build_optimizer(
    model: nn.Module,
    name: str,
    *,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    momentum: float = 0.95,
    blocks: Mapping[str, int] = BLOCKS,
    dtype: torch.dtype | None = None,
    own: Mapping[str, float] | None = None,
) -> Optimizer:
    """Optimiser of a model that is on its device and, with FSDP2, sharded; its learning rate is still to be set.

    With "muon" AdamW takes all but the hidden matrices. `momentum`, `blocks` and `dtype` are Muon's, see there. `own`:
    modules, by their names in the model, that AdamW takes whatever the name, and what their learning rate is, times
    the one that is set. Raises UserError for another name.
    """
    if name not in NAMES:
        raise UserError(f"optimizer = {name} is not known: choose one of {', '.join(NAMES)}")
    rules: dict[str, Callable[[ParameterGroup], Rule]] = {
        "adamw": lambda group: AdamW(group, betas, eps),
        "stableadamw": lambda group: StableAdamW(group, betas, eps),
        "muon": lambda group: Muon(group, momentum, blocks, dtype) if group.hidden else AdamW(group, betas, eps),
    }
    groups = group_parameters(model, weight_decay, own)
    return Optimizer([rules["adamw" if group.owner else name](group) for group in groups])
