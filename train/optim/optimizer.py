"""An optimiser: update rules over groups of parameters, one learning rate, and state in named tensors."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from train.optim.grouping import ParameterGroup
from train.optim.named_state import Entry, gather, restore
from train.optim.sharding import local


class Rule(ABC):
    """How the parameters of one group change. Works on this process's parts; state exists from the start.

    `moments` name the tensors kept for each parameter in its shape, `counters` those that are 0-d float32.
    """

    moments: ClassVar[tuple[str, ...]]
    counters: ClassVar[tuple[str, ...]] = ()

    @torch.no_grad()
    def __init__(self, group: ParameterGroup) -> None:
        self.group = group
        parts = [local(parameter).detach() for parameter in group.parameters]
        self.state = {kind: [torch.zeros_like(part) for part in parts] for kind in self.moments}
        for kind in self.counters:
            self.state[kind] = [torch.zeros((), dtype=torch.float32, device=part.device) for part in parts]

    @abstractmethod
    def update(self, learning_rate: Tensor, found_inf: Tensor) -> None:
        """One step of the parameters that have a gradient; of none, state included, where `found_inf` is 1.

        Both are 0-d float32 on the device, and the host does not read them.
        """

    def with_gradient(self) -> list[int]:
        """Indices of the group's parameters that have one."""
        return [index for index, parameter in enumerate(self.group.parameters) if parameter.grad is not None]

    def gradient(self, index: int) -> Tensor:
        """This process's part of the gradient of the parameter with this index."""
        gradient = self.group.parameters[index].grad
        assert gradient is not None
        return local(gradient)

    def entries(self) -> dict[str, Entry]:
        return {
            f"{kind}.{name}": Entry(part, None if kind in self.counters else parameter)
            for kind, parts in self.state.items()
            for name, parameter, part in zip(self.group.names, self.group.parameters, parts, strict=True)
        }


class Optimizer:
    """The rules of a model's parameters under one learning rate, which is 0 until it is set; of some groups it is
    multiplied with a rate of theirs.

    With FSDP2, shard the model first: an optimiser holds on to the parameters that it was built with.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self.learning_rate = torch.zeros((), dtype=torch.float32, device=self.parameters[0].device)

    @property
    def parameters(self) -> list[nn.Parameter]:
        return [parameter for rule in self.rules for parameter in rule.group.parameters]

    def set_learning_rate(self, learning_rate: float) -> None:
        """Rate of the next steps; a kernel that writes one number, after those already queued."""
        self.learning_rate.fill_(learning_rate)

    @torch.no_grad()
    def step(self, found_inf: Tensor) -> None:
        """One update. Where `found_inf`, 0-d on the device, is not 0, every bit of parameters and state stays."""
        # The fused kernels compare with exactly 1.
        skipped = (found_inf != 0).to(torch.float32)
        for rule in self.rules:
            rate = rule.group.rate
            rule.update(self.learning_rate if rate == 1 else self.learning_rate * rate, skipped)

    def zero_grad(self) -> None:
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def state_tensors(self, device: torch.device | str | None = None) -> dict[str, Tensor]:
        """Whole tensors by names such as `exp_avg.model.final_norm.weight`, on `device` if that is given.

        Under FSDP2 all processes must call it; without, and without `device`, these are the live tensors. Settings
        such as betas are not among them: they are those of the run.
        """
        return gather(self._entries(), device)

    @torch.no_grad()
    def load_state_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Takes up what `state_tensors` gave, in as many processes as there are now.

        Raises UserError, and changes nothing, where a name is missing, unknown or of another shape.
        """
        restore(self._entries(), tensors, "optimizer")

    def _entries(self) -> dict[str, Entry]:
        return {name: entry for rule in self.rules for name, entry in rule.entries().items()}
