"""Tensors of which each process has a part (FSDP2's DTensors), and plain ones, which are whole everywhere."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor, Partial, Replicate


def local(tensor: Tensor) -> Tensor:
    """This process's part, without a copy: what is written into it is written into `tensor`. Call under no_grad."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def whole(part: Tensor, like: Tensor) -> Tensor:
    """The tensor whose parts lie in the processes as those of `like` do; `part` itself where `like` is plain.

    All processes that share `like` must call it.
    """
    if not isinstance(like, DTensor):
        return part
    sharded = DTensor.from_local(
        part, like.device_mesh, like.placements, run_check=False, shape=like.shape, stride=like.stride()
    )
    return sharded.full_tensor()


def part_of(full: Tensor, like: Tensor) -> Tensor:
    """This process's part of `full`, which all have, cut as `like` is cut; nothing is sent."""
    if not isinstance(like, DTensor):
        return full
    everywhere = DTensor.from_local(full, like.device_mesh, [Replicate()] * like.device_mesh.ndim, run_check=False)
    return everywhere.redistribute(placements=like.placements).to_local()


def sum_over_shards(values: Sequence[Tensor], like: Sequence[Tensor]) -> list[Tensor]:
    """Each 0-d value added up over the parts of its tensor in `like`; one collective for all that are cut alike."""
    totals = list(values)
    alike: dict[object, list[int]] = {}
    for index, tensor in enumerate(like):
        if isinstance(tensor, DTensor):
            alike.setdefault((tensor.device_mesh, tensor.placements), []).append(index)
    for indices in alike.values():
        first = like[indices[0]]
        assert isinstance(first, DTensor)
        addends = [Replicate() if placement.is_replicate() else Partial() for placement in first.placements]
        stacked = torch.stack([values[index] for index in indices])
        summed = DTensor.from_local(stacked, first.device_mesh, addends, run_check=False).full_tensor()
        for index, total in zip(indices, summed.unbind(), strict=True):
            totals[index] = total
    return totals
