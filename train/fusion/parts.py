"""Tensors of one shape, a part at a time: a part and all that is made of it stay in the processor's cache, and a rule
needs no memory but its result."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import torch
from torch import Tensor

NOTHING: Mapping[str, Tensor] = MappingProxyType({})
PART = 1 << 17  # numbers, on a CPU: half a megabyte of each tensor


def result(name: str, tensors: Sequence[Tensor]) -> Tensor:
    """An empty float32 tensor for what becomes of them. ValueError as check_alike."""
    check_alike(name, tensors)
    return torch.empty(tensors[0].shape, dtype=torch.float32, device=tensors[0].device)


def check_alike(name: str, tensors: Sequence[Tensor]) -> None:
    """ValueError where shapes differ, and for whole numbers."""
    for one in tensors:
        if one.shape != tensors[0].shape:
            raise ValueError(f"{name} has the shapes {list(tensors[0].shape)} and {list(one.shape)}")
        if not one.is_floating_point():
            raise ValueError(f"{name} is {str(one.dtype).removeprefix('torch.')}, and only real numbers can be merged")


def parts(
    name: str, parents: Sequence[Tensor], others: Mapping[str, Tensor] = NOTHING, check: bool = True
) -> Iterator[tuple[slice, list[Tensor]]]:
    """(place among the flat numbers, float32 part of each tensor). To be read, not written: they may be the tensors'
    own memory.

    others: behind the parents, by what they are. check: whether numbers that are not finite are a ValueError; one pass
    of several is enough."""
    tensors = [*parents, *others.values()]
    flat = [one.detach().reshape(-1) for one in tensors]
    length = len(flat[0])
    step = PART if flat[0].device.type == "cpu" else max(length, 1)
    for begin in range(0, length, step):
        place = slice(begin, min(begin + step, length))
        found = [one[place].float() for one in flat]
        if check:
            for which, one in enumerate(found):
                if not torch.isfinite(torch.stack(torch.aminmax(one))).all():
                    whose = f"parent {which + 1}" if which < len(parents) else [*others][which - len(parents)]
                    raise ValueError(f"{name} of {whose} holds numbers that are not finite")
        yield place, found
