"""Losses of pairs: against a plain softmax, by language, and labels of one shape."""

import numpy as np
import pytest
import torch
from torch import nn

from train.data.batches import FEWEST_TOKENS, PairsOfSequences, Sequences
from train.model.encoder import EncoderConfig
from train.model.heads import MaskedLanguageModel, PairHead
from train.objectives.objective import Asked
from train.objectives.pair_labels import PairLabeller
from train.objectives.sentence_pairs import NextSentence

CONFIG = EncoderConfig(
    vocab_size=70, hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2,
    max_position_embeddings=32,
)  # fmt: skip
# Of each sequence: for which objective it is, its label, its language, its length.
OBJECTIVE = np.array([-1, 0, 1, 0, -1, 1, 0])
LABEL = np.array([0, 1, 1, 0, 0, 0, 1])
LANGUAGE = np.array([0, 2, 1, 0, 1, 2, 2])
LENGTHS = np.array([5, 9, 7, 30, 4, 8, 6])


def sequences() -> Sequences:
    count = int(LENGTHS.sum())
    pairs = PairsOfSequences(np.zeros(count, np.int64), OBJECTIVE, LABEL)
    return Sequences(np.zeros(count, np.int64), LENGTHS, LANGUAGE, np.zeros(7, np.uint64), pairs)


def test_labels_of_each_objective() -> None:
    first, second = (PairLabeller(number, 4)(sequences(), 0, {}) for number in (0, 1))
    assert {name: values.tolist() for name, values in first.arrays.items()} == {
        "places": [5, 21, 63], "labels": [1, 0, 1], "language": [2, 0, 2],
    }  # fmt: skip
    assert {name: values.tolist() for name, values in second.arrays.items()} == {
        "places": [14, 55], "labels": [1, 0], "language": [1, 2],
    }  # fmt: skip
    assert first.units.tolist() == [1, 0, 2, 0] and second.units.tolist() == [0, 1, 1, 0]
    assert first.input_ids is None


def test_labels_of_one_shape() -> None:
    labeller = PairLabeller(0, 4)
    labels = labeller(sequences(), 0, {})
    padded = labeller.pad(labels, 640)
    assert all(len(values) == 640 // FEWEST_TOKENS for values in padded.arrays.values())
    assert padded.arrays["labels"].tolist() == [1, 0, 1] + [-1] * 17
    assert padded.units is labels.units


def bound(dtype: torch.dtype = torch.float32) -> NextSentence:
    torch.manual_seed(0)
    objective = NextSentence(PairLabeller(0, 4))
    objective.bind(MaskedLanguageModel(CONFIG), torch.device("cpu"), dtype)
    assert isinstance(objective.module, PairHead)
    objective.module.to(dtype)
    for parameter in objective.module.parameters():
        nn.init.normal_(parameter)
    return objective


def asked(hidden: torch.Tensor, tokens: int = 640) -> Asked:
    labeller = PairLabeller(0, 4)
    labels = labeller.pad(labeller(sequences(), 0, {}), tokens)
    arrays = {name: torch.from_numpy(values) for name, values in labels.arrays.items()}
    return Asked(None, None, hidden, arrays)  # type: ignore[arg-type]


def test_the_loss_is_that_of_a_plain_softmax() -> None:
    objective = bound()
    hidden = torch.randn(20, 16)
    weight = torch.tensor([0.5, 1.0, 3.0, 2.0])
    total, sums = objective(asked(hidden), weight)
    head = {name: value.detach().double().numpy() for name, value in objective.module.named_parameters()}  # type: ignore[union-attr]
    pooled = np.tanh(hidden.double().numpy() @ head["pooler.dense.weight"].T + head["pooler.dense.bias"])
    logits = pooled @ head["seq_relationship.weight"].T + head["seq_relationship.bias"]
    losses = np.log(np.exp(logits).sum(1)) - logits[np.arange(20), [1, 0, 1] + [0] * 17]
    assert total.item() == pytest.approx(3 * losses[0] + 0.5 * losses[1] + 3 * losses[2], abs=1e-5)
    hits = logits.argmax(1)[:3] == [1, 0, 1]
    expected = np.array([[losses[1], hits[1], 1], [0, 0, 0], [losses[0] + losses[2], hits[0] + hits[2], 2], [0, 0, 0]])
    np.testing.assert_allclose(sums.numpy(), expected, atol=1e-5)


def test_gradients() -> None:
    objective = bound(torch.float64)
    hidden = torch.randn(3, 16, dtype=torch.float64, requires_grad=True)
    weight = torch.tensor([0.5, 1.0, 3.0, 2.0], dtype=torch.float64)
    parameters = list(objective.module.parameters())  # type: ignore[union-attr]
    assert torch.autograd.gradcheck(lambda values, *_: objective(asked(values, 96), weight)[0], (hidden, *parameters))


def test_no_pair_is_no_loss_and_no_error() -> None:
    objective = bound()
    labels = {name: torch.empty(0, dtype=torch.int64) for name in ("places", "labels", "language")}
    total, sums = objective(Asked(None, None, torch.empty(0, 16), labels), torch.ones(4))  # type: ignore[arg-type]
    total.backward()
    assert total.item() == 0 and not sums.any()
    assert all(one.grad is not None and not one.grad.any() for one in objective.module.parameters())  # type: ignore[union-attr]
