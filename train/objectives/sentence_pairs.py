"""Whether the second text of a pair follows the first: next-sentence prediction (Devlin et al. 2019, arXiv 1810.04805)
and sentence-order prediction (Lan et al. 2020, arXiv 1909.11942). Both ask the same of other pairs, which
`train.data.pairing` makes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from train.data.batches import FEWEST_TOKENS, Labels, Sequences
from train.model.heads import MaskedLanguageModel, PairHead
from train.objectives.masking import NOTHING
from train.objectives.objective import PLACES, Asked, Built, Objective, sums_by_language


@dataclass(frozen=True)
class PairLabeller:
    """Targets of one objective of pairs, a unit a pair: `places`, int64 [pairs], of their <s>, ascending; `labels`, 1
    where the second text does not follow the first; `language`. number: of the objective among the run's."""

    number: int
    languages: int

    def __call__(self, sequences: Sequences, step: int, found: Mapping[str, Labels]) -> Labels:
        pairs = sequences.pairs
        assert pairs is not None, "pairs are asked for in a stream that makes none"
        mine = np.flatnonzero(pairs.objective == self.number)
        language = sequences.language[mine]
        places = (np.cumsum(sequences.lengths) - sequences.lengths)[mine]
        arrays = {PLACES: places, "labels": pairs.label[mine], "language": language}
        return Labels(arrays, np.bincount(language, minlength=self.languages))

    def pad(self, labels: Labels, tokens: int) -> Labels:
        spare = max(0, tokens // FEWEST_TOKENS - len(labels.arrays["labels"]))
        fill = {PLACES: 0, "labels": NOTHING, "language": 0}
        arrays = {
            name: np.concatenate((values, np.full(spare, fill[name], np.int64)))
            for name, values in labels.arrays.items()
        }
        return Labels(arrays, labels.units)


class SentencePairs(Objective):
    """Cross-entropy of the two classes, from the vectors of <s>."""

    def __init__(self, labeller: PairLabeller) -> None:
        self.labeller = labeller

    @classmethod
    def build(cls, built: Built) -> Self:
        number = next(at for at, name in enumerate(built.config.pairs) if built.config.objectives[name] is built.table)
        return cls(PairLabeller(number, len(built.languages)))

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
