"""The one seam for what a model is trained on.

An objective labels sequences on the data side and says there, by language, how many losses it takes the sum of (its
units); on the model's side it gives that sum from the one forward pass of the encoder that all objectives share. The
loss of a step is the sum over objectives of lambda(step) times the mean over their units, where the units are counted
over all batches and processes of the step.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from train.data.batches import Labeller
from train.model.attention import AttentionLayout
from train.model.heads import MaskedLanguageModel
from train.optim.schedule import Schedule

SUMS = ("loss", "correct", "units")
PLACES = "places"  # the array of labels that says which tokens an objective asks for


class Objective(Protocol):
    """labeller: its part on the data side. module: parameters of its own, None where the model's are enough."""

    @property
    def labeller(self) -> Labeller: ...

    @property
    def module(self) -> nn.Module | None: ...

    def __call__(
        self, model: MaskedLanguageModel, hidden: Tensor, arrays: Mapping[str, Tensor], weight: Tensor
    ) -> tuple[Tensor, Tensor]:
        """(the sum of its losses in nats, each times the `weight` of its language, with gradient; float64
        [languages, 3], the SUMS without weights, of each language).

        hidden: the encoder's answer for a packed batch, [M, hidden_size] at the `places` of its labels, int64 [M], if
        there is such an array, else [T, hidden_size]. arrays: those of its labels. weight: float32 [languages].
        """
        ...


@dataclass(frozen=True)
class Weighting:
    """What the losses of a step are divided by. schedules: lambda of each objective. language_mean: `tokens`, each loss
    counts alike; `languages`, each language does. language_weights: float64 [languages], lambda of each."""

    schedules: Mapping[str, Schedule]
    language_mean: str
    language_weights: NDArray[np.float64]

    def weights(self, units: Mapping[str, NDArray[np.int64]], step: int, steps: int) -> dict[str, NDArray[np.float64]]:
        """Of each objective, [languages]: what a loss of the language is multiplied with in a step with so many units
        of each language over all processes.

        tokens: lambda_k / sum_j lambda_j n_j. languages: lambda_k / (n_k * sum of lambda_j over languages there).
        """
        found = {}
        for name, counts in units.items():
            if self.language_mean == "tokens":
                weights = self.language_weights / max((self.language_weights * counts).sum(), 1e-300)
            else:
                there = self.language_weights * (counts > 0)
                weights = there / np.maximum(counts, 1) / max(there.sum(), 1e-300)
            found[name] = np.where(counts > 0, weights, 0.0) * self.schedules[name](step, steps)
        return found


class JointModel(nn.Module):
    """The model with the objectives' own modules: one forward pass of the encoder, and the sum of all losses."""

    def __init__(self, model: MaskedLanguageModel, objectives: Mapping[str, Objective]) -> None:
        super().__init__()
        self.model = model
        self.objectives = dict(objectives)
        self.modules_of = nn.ModuleDict({name: o.module for name, o in objectives.items() if o.module is not None})

    def forward(
        self,
        input_ids: Tensor,
        positions: Tensor,
        layout: AttentionLayout,
        arrays: Mapping[str, Mapping[str, Tensor]],
        weights: Mapping[str, Tensor],
        objectives: Mapping[str, Objective] | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """(the weighted sum of all losses, the SUMS of each objective); `objectives`: in place of its own."""
        objectives = objectives or self.objectives
        places = {name: arrays[name].get(PLACES) for name in objectives}
        # Where there is one objective, the last layer need not answer for the other places.
        only = next(iter(places.values())) if len(objectives) == 1 else None
        hidden = self.model.model(input_ids, positions, layout, only)
        total = torch.zeros((), device=hidden.device)
        sums = {}
        for name, objective in objectives.items():
            asked = places[name] if only is None else None
            vectors = hidden if asked is None else hidden.index_select(0, asked)
            loss, sums[name] = objective(self.model, vectors, arrays[name], weights[name])
            total = total + loss
        return total, sums
