"""Tensors of one shape, a part at a time: a part and all that is made of it stay in the processor's cache, and a rule
needs no memory but its result."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

PART = 1 << 17  # numbers, on a CPU: half a megabyte of each tensor


def result(name: str, tensors: Sequence[Tensor]) -> Tensor:
    """An empty float32 tensor for what becomes of them. ValueError where shapes differ, and for whole numbers."""
    for one in tensors:
        if one.shape != tensors[0].shape:
            raise ValueError(f"{name} has the shapes {list(tensors[0].shape)} and {list(one.shape)}")
        if not one.is_floating_point():
            raise ValueError(f"{name} is {str(one.dtype).removeprefix('torch.')}, and only real numbers can be merged")
    return torch.empty(tensors[0].shape, dtype=torch.float32, device=tensors[0].device)


def parts(name: str, tensors: Sequence[Tensor], check: bool = True) -> Iterator[tuple[slice, list[Tensor]]]:
    """(place among the flat numbers, float32 part of each). To be read, not written: they may be the tensors' memory.

    check: whether numbers that are not finite are a ValueError; one pass of several is enough."""
    flat = [one.detach().reshape(-1) for one in tensors]
    length = len(flat[0])
    step = PART if flat[0].device.type == "cpu" else max(length, 1)
    for begin in range(0, length, step):
        place = slice(begin, min(begin + step, length))
        found = [one[place].float() for one in flat]
        if check:
            for which, one in enumerate(found):
                if not torch.isfinite(torch.stack(torch.aminmax(one))).all():
                    raise ValueError(f"{name} of model {which + 1} holds numbers that are not finite")
        yield place, found
