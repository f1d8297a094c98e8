"""Loss of the validation documents, the same ones each time, by language; each process takes its part."""

import numpy as np
import torch
from numpy.typing import NDArray

from train.data.validation import Validation
from train.loop.stepping import Stepper
from train.objectives.objective import SUMS, Objective


@torch.no_grad()
def validate(stepper: Stepper, objective: Objective, name: str, held_out: Validation) -> NDArray[np.float64]:
    """The SUMS of each language over all processes. [languages, 3]

    Under FSDP2 every process makes as many forward passes as the others, the last of them perhaps a batch again.
    """
    processes, joint = stepper.processes, stepper.parallel.joint
    device = processes.device
    sums = torch.zeros(stepper.languages, len(SUMS), dtype=torch.double, device=device)
    one = {name: torch.ones(stepper.languages, device=device)}
    rounds = -(-len(held_out) // processes.world_size)
    static = device.type == "cuda"
    joint.eval()
    for number in range(rounds):
        mine = number * processes.world_size + processes.rank
        batch = stepper.batches(held_out(min(mine, len(held_out) - 1), static))
        _, found = joint(batch, one, {name: objective})
        if mine < len(held_out):
            sums += found[name]
    joint.train()
    return processes.sum(sums).cpu().numpy()
