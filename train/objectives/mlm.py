"""Masked language modelling (Devlin et al. 2019, arXiv 1810.04805)."""

from collections.abc import Mapping

import torch
from torch import Tensor

from train.config.tables import MaskedLanguageModelConfig
from train.corpus.vocabulary import Vocabulary
from train.model.cross_entropy import masked_cross_entropy
from train.model.heads import MaskedLanguageModel
from train.objectives.masking import MaskLabeller, Share
from train.objectives.objective import SUMS
from train.optim.schedule import Schedule


class MaskedLanguageModelling:
    """Cross-entropy of the hidden tokens; only these reach the vocabulary."""

    module = None

    def __init__(self, labeller: MaskLabeller) -> None:
        self.labeller = labeller

    @classmethod
    def build(
        cls, config: MaskedLanguageModelConfig, vocabulary: Vocabulary, languages: int, steps: int
    ) -> "MaskedLanguageModelling":
        schedule = Schedule.parse(str(config.mlm_probability))
        most = max(value for _, value in schedule.points)
        whole = config.whole_word_masking
        return cls(MaskLabeller(vocabulary, languages, Share(schedule, steps), most, whole))

    def __call__(
        self, model: MaskedLanguageModel, hidden: Tensor, arrays: Mapping[str, Tensor], weight: Tensor
    ) -> tuple[Tensor, Tensor]:
        labels, language = arrays["labels"], arrays["language"]
        vectors = model.head(hidden)
        total, losses, correct = masked_cross_entropy(
            vectors, model.model.token_embeddings, model.decoder.bias, labels, weight[language]
        )
        with torch.no_grad():
            values = torch.stack((losses.double(), correct.double(), (labels >= 0).double()), 1)
            sums = values.new_zeros(len(weight), len(SUMS)).index_add_(0, language, values)
        return total, sums
