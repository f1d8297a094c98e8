"""What a model is worth on what it was not trained on, the same each time; each process takes its part: loss of the
validation documents by language, how often held-out translations are found, how well a probe tells the language."""

from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from train.data.retrieval import RETRIEVAL, Retrieval
from train.data.validation import Validation
from train.loop.stepping import Stepper
from train.model.pooling import pooled
from train.objectives.language_adversary import LanguageLabeller
from train.objectives.objective import SUMS, Asked, Batch, Objective
from train.telemetry.probe import probe

PROBED = 4096  # sequences at most, of all languages together


def validate(stepper: Stepper, objective: Objective, name: str, held_out: Validation) -> NDArray[np.float64]:
    """The SUMS of each language over all processes. [languages, 3]"""
    sums = torch.zeros(stepper.languages, len(SUMS), dtype=torch.double, device=stepper.processes.device)
    for _, found in _passes(stepper, objective, name, held_out):
        sums += found
    return stepper.processes.sum(sums).cpu().numpy()


@torch.no_grad()
def _passes(
    stepper: Stepper, objective: Objective, name: str, held_out: Validation | Retrieval
) -> Iterator[tuple[int, Tensor]]:  # fmt: skip
    """(number of a batch, what the objective sums of it) of this process's part.

    Under FSDP2 every process makes as many forward passes as the others, the last of them perhaps a batch again.
    """
    processes, joint = stepper.processes, stepper.parallel.joint
    one = {name: torch.ones(stepper.languages, device=processes.device)}
    rounds = -(-len(held_out) // processes.world_size)
    static = processes.device.type == "cuda"
    joint.eval()
    for number in range(rounds):
        mine = number * processes.world_size + processes.rank
        batch: Batch = stepper.batches(held_out(min(mine, len(held_out) - 1), static))
        _, found = joint(batch, one, {name: objective})
        if mine < len(held_out):
            yield mine, found[name]
    joint.train()


@torch.no_grad()
def retrieve(stepper: Stepper, objective: Objective, held_out: Retrieval) -> dict[str, Any]:
    """`accuracy`, the mean over `pairs`, by name: the share of sentences whose translation is the nearest by cosine,
    of both directions, among all sentences of its language that are held out."""
    processes = stepper.processes
    width = stepper.parallel.joint.model.config.hidden_size
    vectors = torch.zeros(len(held_out.line), width, device=processes.device)
    for number, found in _passes(stepper, objective, RETRIEVAL, held_out):
        vectors[held_out.batches[number]] = found.float()
    vectors = processes.sum(vectors).cpu()
    pairs = {}
    for name, (ones, others) in held_out.pairs.items():
        cosines = vectors[ones] @ vectors[others].T
        own = torch.arange(len(ones))
        hits = [(way.argmax(1) == own).double().mean().item() for way in (cosines, cosines.T)]
        pairs[name] = sum(hits) / 2
    return {"accuracy": sum(pairs.values()) / len(pairs), "pairs": pairs}


class LanguageProbe:
    """What a probe makes of the features of validation sequences, with nothing hidden in them: some of each language
    alike, PROBED in all at most, one at least."""

    def __init__(self, held_out: Validation, languages: int, pooling: str) -> None:
        collate = copy(held_out.collate)
        collate.labellers = {"probe": LanguageLabeller(languages, pooling, _nothing)}
        there = max(1, len(held_out.languages()))
        self.held_out = replace(held_out.of_each_language(max(1, PROBED // there)), collate=collate)
        self.language = np.concatenate([np.empty(0, np.int64), *(one.language for one in self.held_out.batches)])

    def __call__(self, stepper: Stepper) -> dict[str, Any] | None:
        """As `train.telemetry.probe.probe` has it, the same for any number of processes; None in all but the first."""
        features = self.features(stepper)
        if stepper.processes.rank:
            return None
        return probe(features, self.language, self.held_out.document_keys())

    def features(self, stepper: Stepper) -> NDArray[np.float32]:
        """Over all processes, [sequences, hidden_size]."""
        width, device = stepper.parallel.joint.model.config.hidden_size, stepper.processes.device
        found = torch.zeros(len(self.language), width, device=device)
        counts = [len(one) for one in self.held_out.batches]
        begins = np.cumsum(counts) - counts
        objective = _Features()
        for number, _ in _passes(stepper, objective, "probe", self.held_out):
            assert objective.features is not None
            begin, count = int(begins[number]), counts[number]
            found[begin : begin + count] = objective.features[:count]
        # Rows of other processes are zero here, so that the sum changes none.
        return stepper.processes.sum(found).cpu().numpy()


class _Features(Objective):
    """Not to learn from: keeps the features of the batch that it was last asked of."""

    features: Tensor | None = None

    def __call__(self, asked: Asked, weight: Tensor) -> tuple[Tensor, Tensor]:
        self.features = pooled(asked.hidden, asked.arrays.get("lengths"))
        return weight.new_zeros(()), weight.new_zeros(len(weight), len(SUMS), dtype=torch.double)


def _nothing(step: int) -> float:
    return 0.0
