"""An exponential moving average of a model's weights."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule

from train.optim.grouping import plain_name
from train.optim.named_state import Entry, gather, restore
from train.optim.sharding import local


class ExponentialMovingAverage:
    """average <- d * average + (1 - d) * weights, with d = min(decay, (1 + t) / (10 + t)) after t such updates.

    The ramp forgets the weights of the start, so that no bias need be corrected. Begins with a copy of the weights;
    each process averages its own parts, so shard the model first. Buffers are not averaged.
    """

    @torch.no_grad()
    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model, self.decay = model, decay
        self.parameters = {plain_name(name): parameter for name, parameter in model.named_parameters()}
        self.averages = [local(parameter).detach().clone() for parameter in self.parameters.values()]
        self.updates = torch.zeros((), dtype=torch.float32, device=self.averages[0].device)

    @torch.no_grad()
    def update(self, found_inf: Tensor) -> None:
        """Takes the present weights in, unless `found_inf`, 0-d on the device, is not 0."""
        skipped = found_inf != 0
        decay = ((1 + self.updates) / (10 + self.updates)).clamp_max(self.decay)
        weight = torch.where(skipped, 0.0, 1 - decay)
        for average, parameter in zip(self.averages, self.parameters.values(), strict=True):
            average.lerp_(local(parameter), weight.to(average.dtype))
        self.updates += ~skipped

    @contextmanager
    def swap(self) -> Iterator[None]:
        """Inside, the model has the averaged weights: to evaluate or export it, not to train it."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    @torch.no_grad()
    def _exchange(self) -> None:
        # A forward pass without a backward leaves FSDP2's root gathered: it would go on with the weights of before.
        for module in self.model.modules():
            if isinstance(module, FSDPModule):
                module.reshard()
        for average, parameter in zip(self.averages, self.parameters.values(), strict=True):
            part = local(parameter)
            weights = part.clone()
            part.copy_(average)
            average.copy_(weights)

    @torch.no_grad()
    def state_tensors(self, device: torch.device | str | None = None) -> dict[str, Tensor]:
        """Whole tensors `average.NAME` and the count `updates`; see `Optimizer.state_tensors`."""
        return gather(self._entries(), device)

    @torch.no_grad()
    def load_state_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Takes up what `state_tensors` gave. Raises UserError for names or shapes of another model."""
        restore(self._entries(), tensors, "weight average")

    def _entries(self) -> dict[str, Entry]:
        members = zip(self.parameters.items(), self.averages, strict=True)
        entries = {f"average.{name}": Entry(average, parameter) for (name, parameter), average in members}
        return entries | {"updates": Entry(self.updates)}
