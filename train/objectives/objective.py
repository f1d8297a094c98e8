"""The one seam for what a model is trained on.

An objective labels sequences on the data side and says there, by language, how many losses it takes the sum of (its
units); on the model's side it gives that sum from the one forward pass of the encoder that all objectives of a batch
share. The loss of a step is the sum over objectives of lambda(step) times the mean over their units, where the units
are counted over all batches and processes of the step.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from train.config.tables import PretrainConfig
from train.corpus.vocabulary import Vocabulary
from train.data.batches import Labeller
from train.model.attention import AttentionLayout
from train.model.heads import MaskedLanguageModel
from train.optim.schedule import Schedule

SUMS = ("loss", "correct", "units")
PLACES = "places"  # the array of labels that says which tokens an objective asks for


class Batch(NamedTuple):
    """A packed batch of T tokens on the model's device.

    input_ids, positions: int64 [T]. segments: int64 [T], 0 or 1, None where there are no pairs. languages: int64 [T],
    rows of the language embedding, 0 for a language that is not told; None where the model has none. arrays: those of
    each objective's labels. parts: of each objective, layouts of the parts of the batch that its labels name.
    """

    input_ids: Tensor
    positions: Tensor
    layout: AttentionLayout
    segments: Tensor | None
    languages: Tensor | None
    arrays: Mapping[str, Mapping[str, Tensor]]
    parts: Mapping[str, Mapping[str, AttentionLayout]]


@dataclass(frozen=True)
class Asked:
    """What an objective is given of a forward pass.

    hidden: the encoder's answer, [M, hidden_size] at the `places` of its labels, int64 [M], if there is such an array,
    else [T, hidden_size]. arrays: those of its labels. layer_inputs: of the layers that it asks for, [T, hidden_size].
    """

    model: MaskedLanguageModel
    batch: Batch
    hidden: Tensor
    arrays: Mapping[str, Tensor]
    layer_inputs: Mapping[int, Tensor] = field(default_factory=dict)


class Built(NamedTuple):
    """What objectives are built from, before there is a model. table: the objective's own of the config."""

    config: PretrainConfig
    table: Any
    vocabulary: Vocabulary
    languages: tuple[str, ...]


class Objective:
    """labeller: its part on the data side. module: parameters of its own, None where the model's are enough.
    layers: of which it wants the inputs. balanced: every language counts alike, whatever language_mean says.
    learning_rate: peak rate of its module, which then has an optimiser of its own; None: the model's."""

    labeller: Labeller
    module: nn.Module | None = None
    layers: tuple[int, ...] = ()
    balanced: bool = False
    learning_rate: float | None = None

    @classmethod
    def build(cls, built: Built) -> Self:
        """UserError for settings that do not fit vocabulary and languages."""
        raise NotImplementedError

    def bind(self, model: MaskedLanguageModel, device: torch.device, dtype: torch.dtype) -> None:
        """Makes what hangs on the model: its own module, teachers. UserError where they do not fit."""

    def __call__(self, asked: Asked, weight: Tensor) -> tuple[Tensor, Tensor]:
        """(the sum of its losses in nats, each times the `weight` of its language, with gradient; float64
        [languages, 3], the SUMS without weights, of each language). weight: float32 [languages]."""
        raise NotImplementedError


def sums_by_language(language: Tensor, losses: Tensor, correct: Tensor, units: Tensor, languages: int) -> Tensor:
    """SUMS, float64 [languages, 3], of losses, hits and counts. [n] each, and their languages, int64 [n]."""
    with torch.no_grad():
        values = torch.stack((losses.double(), correct.double(), units.double()), 1)
        return values.new_zeros(languages, len(SUMS)).index_add_(0, language, values)


@dataclass(frozen=True)
class Weighting:
    """What the losses of a step are divided by. schedules: lambda of each objective. language_mean: `tokens`, each loss
    counts alike; `languages`, each language does. language_weights: float64 [languages], lambda of each. balanced: the
    objectives for which each language counts alike whatever language_mean says. language_schedules: lambda of the
    languages, by number, for which it changes over the run."""

    schedules: Mapping[str, Schedule]
    language_mean: str
    language_weights: NDArray[np.float64]
    balanced: frozenset[str] = frozenset()
    language_schedules: Mapping[int, Schedule] = field(default_factory=dict)

    def of_objectives(self, step: int, steps: int) -> dict[str, float]:
        """lambda of each objective in a step of a run of `steps`."""
        return {name: schedule(step, steps) for name, schedule in self.schedules.items()}

    def of_languages(self, step: int, steps: int) -> NDArray[np.float64]:
        """lambda of each language in a step of a run of `steps`. [languages]"""
        if not self.language_schedules:
            return self.language_weights
        weights = self.language_weights.copy()
        for number, schedule in self.language_schedules.items():
            weights[number] = schedule(step, steps)
        return weights

    def ever_weighing(self) -> NDArray[np.bool_]:
        """Languages whose lambda is above 0 at some point of its schedule. [languages]"""
        found = self.language_weights > 0
        for number, schedule in self.language_schedules.items():
            found[number] = any(value > 0 for _, value in schedule.points)
        return found

    def weights(self, units: Mapping[str, NDArray[np.int64]], step: int, steps: int) -> dict[str, NDArray[np.float64]]:
        """Of each objective, [languages]: what a loss of the language is multiplied with in a step with so many units
        of each language over all processes.

        tokens: lambda_k / sum_j lambda_j n_j. languages: lambda_k / (n_k * sum of lambda_j over languages there).
        """
        found = {}
        lambdas = self.of_languages(step, steps)
        for name, counts in units.items():
            if self.language_mean == "tokens" and name not in self.balanced:
                weights = lambdas / max((lambdas * counts).sum(), 1e-300)
            else:
                there = lambdas * (counts > 0)
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
        self, batch: Batch, weights: Mapping[str, Tensor], objectives: Mapping[str, Objective] | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """(the weighted sum of all losses, the SUMS of each objective), of those that have labels in the batch.

        objectives: in place of its own.
        """
        there = {name: one for name, one in (objectives or self.objectives).items() if name in batch.arrays}
        places = [batch.arrays[name].get(PLACES) for name in there]
        # Where all of them name their places, the last layer need not answer for the others.
        named = [one for one in places if one is not None]
        narrow = len(named) == len(places) and bool(named)
        targets = None if not narrow else named[0] if len(named) == 1 else torch.cat(named)
        layer_inputs: dict[int, Tensor | None] = {layer: None for one in there.values() for layer in one.layers}
        hidden = self.model.model(
            batch.input_ids,
            batch.positions,
            batch.layout,
            targets,
            segments=batch.segments,
            languages=batch.languages,
            layer_inputs=layer_inputs,
        )
        kept = {layer: value for layer, value in layer_inputs.items() if value is not None}
        parts = iter(hidden.split([len(one) for one in named]) if narrow else ())
        total = torch.zeros((), device=hidden.device)
        sums = {}
        for (name, objective), asked in zip(there.items(), places, strict=True):
            every = hidden if narrow or asked is None else hidden.index_select(0, asked)
            vectors = next(parts) if narrow else every
            own = {layer: kept[layer] for layer in objective.layers}
            loss, sums[name] = objective(Asked(self.model, batch, vectors, batch.arrays[name], own), weights[name])
            total = total + loss
        return total, sums
