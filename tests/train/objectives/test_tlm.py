"""Translation language modelling: the masked words of two sides, each counted for its own language."""

import numpy as np
import pytest
import torch

from train.corpus.hashing import combine
from train.corpus.vocabulary import Vocabulary, open_vocabulary
from train.data.batches import Sequences
from train.objectives.tlm import SideLabeller


@pytest.fixture(scope="module")
def vocabulary(corpus) -> Vocabulary:
    return open_vocabulary(corpus.tokenizer)


def test_each_side_has_its_share(vocabulary: Vocabulary) -> None:
    """100 pairs of 20 and 10 tokens of text: 6 and 3 of them are guesses, of the language of their side."""
    bos, eos = vocabulary.special_ids["bos"], vocabulary.special_ids["eos"]
    text = vocabulary.ordinary[:30].tolist()
    tokens = np.array([bos, *text[:20], eos, *text[20:], eos] * 100)
    sides, language = np.tile([22, 11], 100), np.tile([2, 0], 100)
    labeller = SideLabeller(vocabulary, 3, lambda step: 0.3, 0.3)
    labels = labeller(Sequences(tokens, sides, language, combine(7, np.arange(200))), 0, {})
    assert labeller.joined
    assert labels.units.tolist() == [300, 0, 600]
    places = labels.arrays["places"]
    assert (labels.arrays["language"] == np.where(places % 33 < 22, 2, 0)).all()
    assert np.bincount(places // 33).tolist() == [9] * 100
    assert labels.input_ids is not None and (labels.arrays["labels"] == tokens[places]).all()
    assert not np.isin(places % 33, (0, 21, 32)).any()
    assert torch.from_numpy(labels.input_ids).ne(torch.from_numpy(tokens)).sum() > 600
