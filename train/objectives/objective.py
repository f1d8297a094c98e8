"""The one seam for what a model is trained on.

An objective labels sequences on the data side and says there, by language, how many losses it takes the sum of (its
units); on the model's side it gives that sum from the one forward pass of the encoder that all objectives of a batch
share. The loss of a step is the sum over objectives of lambda(step) times the mean over their units, where the units
are counted over all batches and processes of the step.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from train.config.tables import PretrainConfig
from train.corpus.vocabulary import Vocabulary
from train.data.batches import PLACES as PLACES
from train.data.batches import Labeller
from train.model.attention import AttentionLayout
from train.model.heads import MaskedLanguageModel

SUMS = ("loss", "correct", "units")


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
    """What an objective is built from, before there is a model. name, table: its own of the config. teachers: the run's
    one `train.teachers.teachers.Teachers`, None where it has none."""

    config: PretrainConfig
    name: str
    table: Any
    vocabulary: Vocabulary
    languages: tuple[str, ...]
    teachers: Any = None


class Objective:
    """labeller: its part on the data side. module: parameters of its own, None where the model's are enough.
    layers: of which it wants the inputs. balanced: every language counts alike, whatever language_mean says.
    learning_rate: peak rate of its module, which then has an optimiser of its own; None: the model's. guesses: its
    units are guesses of tokens, each of which costs a product with the vocabulary. tells_languages: its classes are the
    languages, so that the share of the largest of them says what its accuracy is worth."""

    labeller: Labeller
    module: nn.Module | None = None
    layers: tuple[int, ...] = ()
    balanced: bool = False
    learning_rate: float | None = None
    guesses: bool = False
    tells_languages: bool = False

    @classmethod
    def build(cls, built: Built) -> Self:
        """UserError for settings that do not fit vocabulary and languages."""
        raise NotImplementedError

    def bind(self, model: MaskedLanguageModel, device: torch.device, dtype: torch.dtype) -> None:
        """Makes what hangs on the model: its own module, teachers. UserError where they do not fit."""

    def check_shown(self, languages: Sequence[str]) -> None:
        """UserError where these languages, all that a run shows and gives a weight, are not what it needs."""

    def __call__(self, asked: Asked, weight: Tensor) -> tuple[Tensor, Tensor]:
        """(the sum of its losses in nats, each times the `weight` of its language, with gradient; float64
        [languages, 3], the SUMS without weights, of each language). weight: float32 [languages]."""
        raise NotImplementedError


def sums_by_language(language: Tensor, losses: Tensor, correct: Tensor, units: Tensor, languages: int) -> Tensor:
    """SUMS, float64 [languages, 3], of losses, hits and counts. [n] each, and their languages, int64 [n]."""
    with torch.no_grad():
        values = torch.stack((losses.double(), correct.double(), units.double()), 1)
        return values.new_zeros(languages, len(SUMS)).index_add_(0, language, values)
