"""Masked language modelling (Devlin et al. 2019, arXiv 1810.04805)."""

from typing import Self

from torch import Tensor

from train.model.cross_entropy import masked_cross_entropy
from train.objectives.masking import MaskLabeller, Share
from train.objectives.objective import Asked, Built, Objective, sums_by_language
from train.optim.schedule import Schedule


class MaskedLanguageModelling(Objective):
    """Cross-entropy of the hidden tokens; only these reach the vocabulary."""

    guesses = True

    def __init__(self, labeller: MaskLabeller) -> None:
        self.labeller = labeller

    @classmethod
    def build(cls, built: Built) -> Self:
        schedule = Schedule.parse(str(built.table.mlm_probability))
        most = max(value for _, value in schedule.points)
        share, whole = Share(schedule, built.config.run.steps), built.table.whole_word_masking
        return cls(MaskLabeller(built.vocabulary, len(built.languages), share, most, whole))

    def __call__(self, asked: Asked, weight: Tensor) -> tuple[Tensor, Tensor]:
        labels, language = asked.arrays["labels"], asked.arrays["language"]
        vectors, model = asked.model.head(asked.hidden), asked.model
        total, losses, correct = masked_cross_entropy(
            vectors, model.model.token_embeddings, model.decoder.bias, labels, weight[language]
        )
        return total, sums_by_language(language, losses, correct, labels >= 0, len(weight))
