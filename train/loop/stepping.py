"""One optimiser step: forward and backward over a process's batches, the gradients of all processes, the update."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from train.config.tables import PretrainConfig
from train.data.batches import Step
from train.joint.joint_model import JointModel
from train.joint.weighting import Weighting
from train.loop.device_batches import DeviceBatches
from train.loop.distributed import Processes
from train.loop.parallel import Parallel
from train.model.encoder import EncoderConfig
from train.objectives.objective import SUMS
from train.optim.build import build_optimizer
from train.optim.ema import ExponentialMovingAverage
from train.optim.gradients import clip_apart
from train.optim.grouping import parameters_apart
from train.optim.schedule import learning_rate


class Done(NamedTuple):
    """Of a step, on the device: loss, the weighted one over all processes; norm of its gradient, without modules that
    have an optimiser of their own; skipped, 1 where any gradient is not finite; sums, by objective, of this process."""

    loss: Tensor
    norm: Tensor
    skipped: Tensor
    sums: dict[str, Tensor]


class Stepper:
    """The model with what changes it. Nothing in `step` waits for the device.

    skipped, in_a_row: how many steps were not finite and changed nothing, in all and up to now; float64 [] on the
    device.
    """

    def __init__(
        self, joint: JointModel, config: PretrainConfig, weighting: Weighting, processes: Processes, dtype: torch.dtype
    ) -> None:
        self.config, self.weighting, self.processes = config, weighting, processes
        self.languages = len(weighting.language_weights)
        self.parallel = Parallel(joint, config, processes)
        optim = config.optim
        # Their rates have the shape of the run's.
        own = {
            f"modules_of.{name}": one.learning_rate / optim.learning_rate
            for name, one in joint.objectives.items()
            if one.module is not None and one.learning_rate is not None
        }
        self.clipped = parameters_apart(self.parallel.joint, own)
        self.optimizer = build_optimizer(
            self.parallel.joint,
            optim.optimizer,
            betas=(optim.adam_beta1, optim.adam_beta2),
            eps=optim.adam_epsilon,
            weight_decay=optim.weight_decay,
            momentum=optim.momentum,
            own=own,
        )
        self.ema = ExponentialMovingAverage(self.parallel.joint, optim.ema_decay) if optim.ema_decay else None
        shape = joint.model.config  # of --init it may be another than the settings say
        window = shape.local_attention if isinstance(shape, EncoderConfig) else config.model.local_attention
        self.batches = DeviceBatches(processes.device, dtype, window, config.data.max_seq_len)
        self.skipped = torch.zeros((), dtype=torch.double, device=processes.device)
        self.in_a_row = torch.zeros_like(self.skipped)

    def rate(self, step: int) -> float:
        optim = self.config.optim
        return learning_rate(
            step,
            self.config.run.steps,
            peak=optim.learning_rate,
            warmup_ratio=optim.warmup_ratio,
            decay_ratio=optim.decay_ratio,
            shape=optim.decay_shape,
        )

    def step(self, number: int, step: Step, units: Mapping[str, NDArray[np.int64]]) -> Done:
        """The step with this number, from 0. units: by objective and language, of all processes."""
        self.optimizer.set_learning_rate(self.rate(number))
        self.optimizer.zero_grad()
        weights = self.batches.weights(self.weighting.weights(units, number, self.config.run.steps))
        device = self.processes.device
        total = torch.zeros((), dtype=torch.double, device=device)
        shape = (self.languages, len(SUMS))
        sums = {name: torch.zeros(shape, dtype=torch.double, device=device) for name in units}
        for place, batch in enumerate(step.batches):
            there = self.batches(batch)
            loss, found = self.parallel.forward(there, weights, last=place == len(step.batches) - 1)
            # Processes average their gradients; a sum over all of them is what is wanted.
            (loss * self.processes.world_size).backward()
            total += loss.detach()
            for name, values in found.items():
                sums[name] += values
        norm, found_inf = clip_apart(self.clipped, self.config.optim.max_grad_norm)
        self.optimizer.step(found_inf)
        if self.ema is not None:
            self.ema.update(found_inf)
        bad = found_inf.to(torch.double)
        self.skipped += bad
        self.in_a_row = (self.in_a_row + 1) * bad
        nothing = torch.zeros((), dtype=torch.double, device=device)
        sums = {name: torch.where(bad > 0, nothing, values) for name, values in sums.items()}
        return Done(total, norm, bad, sums)
