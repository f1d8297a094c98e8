"""What a model is worth on what it was not trained on, the same each time; each process takes its part: loss of the
validation documents, by language, and how often the held-out translations are found."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from train.data.retrieval import RETRIEVAL, Retrieval
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


@torch.no_grad()
def retrieve(stepper: Stepper, objective: Objective, held_out: Retrieval) -> dict[str, Any]:
    """`accuracy`, the mean over `pairs`, by name: the share of sentences whose translation is the nearest by cosine,
    of both directions, among all sentences of its language that are held out."""
    processes, joint = stepper.processes, stepper.parallel.joint
    device, static = processes.device, processes.device.type == "cuda"
    vectors = torch.zeros(len(held_out.line), joint.model.config.hidden_size, device=device)
    weights = {RETRIEVAL: torch.ones(stepper.languages, device=device)}
    joint.eval()
    for number in range(-(-len(held_out) // processes.world_size)):
        mine = number * processes.world_size + processes.rank
        batch = stepper.batches(held_out(min(mine, len(held_out) - 1), static))
        _, found = joint(batch, weights, {RETRIEVAL: objective})
        if mine < len(held_out):
            vectors[held_out.batches[mine]] = found[RETRIEVAL].float()
    joint.train()
    vectors = processes.sum(vectors).cpu()
    pairs = {}
    for name, (ones, others) in held_out.pairs.items():
        cosines = vectors[ones] @ vectors[others].T
        own = torch.arange(len(ones))
        hits = [(way.argmax(1) == own).double().mean().item() for way in (cosines, cosines.T)]
        pairs[name] = sum(hits) / 2
    return {"accuracy": sum(pairs.values()) / len(pairs), "pairs": pairs}
