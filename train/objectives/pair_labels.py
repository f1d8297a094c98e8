"""Labels of pairs of texts, on the data side."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from train.data.batches import FEWEST_TOKENS, PLACES, Labels, Sequences
from train.objectives.masking import NOTHING


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
