"""Whether the second text of a pair follows the first: next-sentence prediction (Devlin et al. 2019, arXiv 1810.04805)
and sentence-order prediction (Lan et al. 2020, arXiv 1909.11942). Both ask the same of other pairs, which
`train.data.pairing` makes."""

from typing import Self

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from train.model.heads import MaskedLanguageModel, PairHead
from train.objectives.masking import NOTHING
from train.objectives.objective import Asked, Built, Objective, sums_by_language
from train.objectives.pair_labels import PairLabeller


class SentencePairs(Objective):
    """Cross-entropy of the two classes, from the vectors of <s>."""

    def __init__(self, labeller: PairLabeller) -> None:
        self.labeller = labeller

    @classmethod
    def build(cls, built: Built) -> Self:
        return cls(PairLabeller(built.config.pairs.index(built.name), len(built.languages)))

    def bind(self, model: MaskedLanguageModel, device: torch.device, dtype: torch.dtype) -> None:
        self.module = PairHead(model.config)

    def __call__(self, asked: Asked, weight: Tensor) -> tuple[Tensor, Tensor]:
        assert self.module is not None
        labels, language = asked.arrays["labels"], asked.arrays["language"]
        logits = self.module(asked.hidden)
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        losses = cross_entropy(logits, labels, ignore_index=NOTHING, reduction="none")
        total = (losses * weight[language]).sum()
        return total, sums_by_language(language, losses, logits.argmax(1) == labels, labels >= 0, len(weight))


class NextSentence(SentencePairs):
    """The second text is another document's in half of the pairs."""


class SentenceOrder(SentencePairs):
    """The two texts have changed places in half of the pairs."""
