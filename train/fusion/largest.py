"""How large the k-th largest difference of two tensors is, without sorting them and without a copy of them."""

import numpy as np
import torch
from torch import Tensor

from train.fusion.parts import parts

SAMPLE = 1 << 16
MARGIN = 4.0  # standard deviations of the sample's rank


def threshold(tensor: Tensor, origin: Tensor, keep: int) -> float:
    """The exact keep-th largest of |tensor - origin|, 1 <= keep <= numel, of finite numbers.

    As Floyd and Rivest's SELECT (1975) does: a sample says between what bounds it lies, one pass counts what is above
    and gathers what is between, and only that is searched. Where the sample misled, all of it is.
    """
    low, high = _bounds(tensor, origin, keep)
    above, between = 0, []
    for _, (one, start) in parts("", (tensor, origin), check=False):
        size = (one - start).abs_().cpu().numpy()  # whose search for few among many is three times as fast as torch's
        larger = size > high
        above += int(np.count_nonzero(larger))
        between.append(size[np.flatnonzero(larger ^ (size >= low))])
    found = torch.from_numpy(np.concatenate(between))
    rank = keep - above  # among `found`, from the largest
    if not 1 <= rank <= len(found):
        found, rank = (tensor.detach().float() - origin.float()).abs_().reshape(-1), keep
    return float(torch.kthvalue(found, len(found) - rank + 1).values)


def _bounds(tensor: Tensor, origin: Tensor, keep: int) -> tuple[float, float]:
    """Between them it lies, almost surely if the sample is like the whole; all of it for few numbers."""
    flat, start = tensor.detach().reshape(-1), origin.reshape(-1)
    if len(flat) <= SAMPLE:
        return 0.0, float("inf")
    step = len(flat) // SAMPLE | 1  # odd, so that it does not keep to a few columns of a matrix
    sizes = (flat[::step].float() - start[::step].float()).abs_().sort(descending=True).values
    share = keep / len(flat)
    spread = MARGIN * (share * (1 - share) * len(sizes)) ** 0.5 + 1
    upper, lower = int(share * len(sizes) - spread), int(share * len(sizes) + spread)
    return (
        float(sizes[lower]) if lower < len(sizes) else 0.0,
        float(sizes[upper]) if upper >= 0 else float("inf"),
    )
