"""Features from which a discriminator cannot tell the language, by gradient reversal (Ganin et al. 2016, arXiv
1505.07818)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from schemas.errors import UserError
from train.data.batches import FEWEST_TOKENS, Labels, Sequences
from train.model.heads import MaskedLanguageModel
from train.model.pooling import pooled
from train.objectives.discriminator import Discriminator, Turning, reverse, told_apart
from train.objectives.masking import NOTHING
from train.objectives.objective import PLACES, Asked, Built, Objective, sums_by_language


@dataclass(frozen=True)
class LanguageLabeller:
    """`language` of each sequence, int64 [sequences], and `strength`, float32 [1], of the reversal in this step; for
    the mean over all tokens of a sequence, <s> and </s> among them, its `lengths`, else the `places` of <s>."""

    languages: int
    pooling: str
    strength: Callable[[int], float]

    def __call__(self, sequences: Sequences, step: int, found: Mapping[str, Labels]) -> Labels:
        lengths = sequences.lengths
        arrays: dict[str, NDArray[Any]] = {"lengths": lengths}
        if self.pooling == "cls":
            arrays = {PLACES: np.cumsum(lengths) - lengths}
        arrays |= {"language": sequences.language, "strength": np.array([self.strength(step)], np.float32)}
        return Labels(arrays, np.bincount(sequences.language, minlength=self.languages))

    def pad(self, labels: Labels, tokens: int) -> Labels:
        """One sequence more than a batch has room for, since the first of those that fill it up has all the padding."""
        language = labels.arrays["language"]
        spare = tokens // FEWEST_TOKENS + 1 - len(language)
        arrays = {**labels.arrays, "language": np.concatenate((language, np.full(spare, NOTHING)))}
        for name in ("lengths", PLACES):
            if name in arrays:
                arrays[name] = np.concatenate((arrays[name], np.zeros(spare, np.int64)))
        if "lengths" in arrays:
            arrays["lengths"][len(language)] = tokens - arrays["lengths"].sum()
        return Labels(arrays, labels.units)


class LanguageAdversary(Objective):
    """Cross-entropy of a sequence's language, which the discriminator learns to lower and the encoder to raise. A unit
    is a sequence. The classes are all languages of the corpus, whatever a plan shows of them: a run that is planned
    anew goes on with the same discriminator."""

    balanced = True
    tells_languages = True

    def __init__(self, labeller: LanguageLabeller, size: int, learning_rate: float) -> None:
        self.labeller, self.size, self.learning_rate = labeller, size, learning_rate
        self.languages = labeller.languages

    @classmethod
    def build(cls, built: Built) -> Self:
        table = built.table
        check_languages(built.languages)
        turning = Turning(table.reversal, table.ratio, built.config.run.steps)
        labeller = LanguageLabeller(len(built.languages), table.pooling, turning)
        return cls(labeller, table.discriminator_size, table.discriminator_learning_rate)

    def bind(self, model: MaskedLanguageModel, device: torch.device, dtype: torch.dtype) -> None:
        self.module = Discriminator(model.config.hidden_size, self.size, self.languages)

    def check_shown(self, languages: Sequence[str]) -> None:
        check_languages(languages)

    def __call__(self, asked: Asked, weight: Tensor) -> tuple[Tensor, Tensor]:
        assert self.module is not None
        there = asked.arrays["language"] >= 0
        language = asked.arrays["language"].clamp_min(0)
        features = pooled(asked.hidden, asked.arrays.get("lengths"))
        losses, correct = told_apart(self.module, reverse(features, asked.arrays["strength"]), language)
        losses = torch.where(there, losses, 0.0)
        sums = sums_by_language(language, losses, correct & there, there, len(weight))
        return (losses * weight[language]).sum(), sums


def check_languages(languages: Sequence[str]) -> None:
    """UserError where there are not two."""
    if len(languages) < 2:
        shown = f"{languages[0]} alone is" if languages else "none are"
        raise UserError(
            f"objectives.language_adversary needs two languages to tell apart, and {shown} shown with a weight: give "
            "others a share in mixture.json and language_weights above 0, or take the objective out"
        )
