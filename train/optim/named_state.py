"""State as a flat dict of whole, named tensors: safetensors stores it, and any number of processes takes it up."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from schemas.errors import UserError
from train.optim.sharding import local, part_of, whole


@dataclass(frozen=True)
class Entry:
    """One tensor of state: this process's part of it, and the parameter that is cut alike (None: whole everywhere)."""

    part: Tensor
    like: Tensor | None = None

    @property
    def shape(self) -> torch.Size:
        return self.part.shape if self.like is None else self.like.shape


def gather(entries: Mapping[str, Entry], device: torch.device | str | None = None) -> dict[str, Tensor]:
    """The whole tensors, brought together one at a time and moved to `device` if that is given.

    All processes must call it. Where nothing is cut and nothing moves, these are the live tensors.
    """
    result = {}
    for name, entry in entries.items():
        tensor = entry.part if entry.like is None else whole(entry.part, entry.like)
        result[name] = tensor if device is None else tensor.to(device)
    return result


def restore(entries: Mapping[str, Entry], tensors: Mapping[str, Tensor], owner: str) -> None:
    """Copies whole tensors into the entries of the same names; `owner` is what the message calls them.

    Raises UserError, before anything is changed, where a name is missing, unknown or of another shape.
    """
    way_out = "go on with the model and the optimizer that it was saved from, or start a new run"
    for kind, names in (("lacks", entries.keys() - tensors.keys()), ("has unknown", tensors.keys() - entries.keys())):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise UserError(f"the saved state of the {owner} {kind} {min(names)}{more}: {way_out}")
    for name, entry in entries.items():
        if tensors[name].shape != entry.shape:
            found, wanted = list(tensors[name].shape), list(entry.shape)
            raise UserError(f"{name} in the saved state of the {owner} is {found}, here it is {wanted}: {way_out}")
    for name, entry in entries.items():
        full = tensors[name].to(entry.part.device)
        local(entry.part).copy_(full if entry.like is None else part_of(full, entry.like))
