"""InfoNCE against NumPy, its gradient against differences, and the same for any number of processes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from forks import Fork
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import normalize

from train.data.batches import Sequences
from train.model.attention import build_layout
from train.objectives.contrastive import Contrastive, RetrievalVectors, SentenceLabeller, info_nce, sentence_vectors
from train.objectives.objective import Asked, Batch

LENGTHS = np.array([4, 3, 6, 5, 3, 7])  # of three queries and their translations
LANGUAGE = np.array([0, 1, 2, 2, 0, 1])
TOKENS = int(LENGTHS.sum())


def by_numpy(vectors: np.ndarray, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """Losses and hits of queries, then of translations, sentence by sentence."""
    pairs = len(vectors) // 2
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    losses, hits = [], []
    for side in (0, 1):
        own, others = vectors[side * pairs :][:pairs], vectors[(1 - side) * pairs :][:pairs]
        for number in range(pairs):
            scores = others @ own[number] / temperature
            losses.append(np.log(np.exp(scores).sum()) - scores[number])
            hits.append((scores[number] > np.delete(scores, number)).all())
    return np.array(losses), np.array(hits)


def labels(pooling: str, padded: int = 0) -> dict[str, Tensor]:
    labeller = SentenceLabeller(3, pooling)
    keys = np.zeros(len(LENGTHS), np.uint64)
    found = labeller(Sequences(np.zeros(TOKENS, np.int64), LENGTHS, LANGUAGE, keys), 0, {})
    assert found.units.tolist() == [2, 2, 2]
    found = labeller.pad(found, padded) if padded else found
    return {name: torch.from_numpy(values) for name, values in found.arrays.items()}


def asked(hidden: Tensor, arrays: dict[str, Tensor]) -> Asked:
    nothing = torch.empty(0, dtype=torch.int64)
    layout = build_layout(LENGTHS, 8, torch.device("cpu"), torch.float32)
    return Asked(None, Batch(nothing, nothing, layout, None, None, {}, {}), hidden, arrays)  # type: ignore[arg-type]


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_the_loss_is_numpy_s(pooling: str) -> None:
    draw = np.random.default_rng(2)
    hidden = draw.normal(size=(TOKENS, 8))
    firsts = np.cumsum(LENGTHS) - LENGTHS
    parts = np.split(hidden, firsts[1:])
    vectors = np.stack([part.mean(0) if pooling == "mean" else part[0] for part in parts])
    losses, hits = by_numpy(vectors, 0.5)
    weight = np.array([0.5, 1.0, 3.0])
    arrays = labels(pooling)
    answer = torch.from_numpy(hidden[arrays["places"]] if pooling == "cls" else hidden).float()
    objective = Contrastive(SentenceLabeller(3, pooling), 0.5)
    total, sums = objective(asked(answer, arrays), torch.from_numpy(weight).float())
    assert total.item() == pytest.approx((losses * weight[LANGUAGE]).sum(), abs=1e-5)
    expected = np.zeros((3, 3))
    np.add.at(expected, LANGUAGE, np.stack((losses, hits, np.ones(6)), 1))
    np.testing.assert_allclose(sums.numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_padded_labels_are_of_one_shape_and_change_nothing(pooling: str) -> None:
    hidden = torch.from_numpy(np.random.default_rng(2).normal(size=(320, 8))).float()
    arrays, padded = labels(pooling), labels(pooling, 320)
    objective, found = Contrastive(SentenceLabeller(3, pooling), 0.5), []
    for one, rows in ((arrays, hidden[:TOKENS]), (padded, hidden)):
        answer = rows[one["places"]] if pooling == "cls" else rows
        found.append(objective(asked(answer, one), torch.ones(3))[0].item())
    assert found[0] == pytest.approx(found[1])
    assert len(padded["places" if pooling == "cls" else "lengths"]) == (10 if pooling == "cls" else len(LENGTHS) + 1)


def test_two_pairs_by_hand() -> None:
    """Right angles and equal directions: scores are 1 and 0."""
    one, other = [3.0, 0.0], [0.0, 2.0]
    hidden = normalize(torch.tensor([one, other, one, other]), dim=1)
    losses, hits = info_nce(hidden, 1.0, None)
    assert losses.tolist() == pytest.approx([np.log(1 + np.exp(-1))] * 4) and hits.all()
    losses, hits = info_nce(hidden[[0, 1, 3, 2]], 1.0, None)
    assert losses.tolist() == pytest.approx([np.log(1 + np.exp(1))] * 4) and not hits.any()
    assert not info_nce(hidden[[0, 0, 0, 0]], 1.0, None)[1].any(), "the first among equals is no hit"


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_gradients_are_those_of_differences(pooling: str) -> None:
    torch.manual_seed(0)
    arrays = labels(pooling)
    hidden = torch.randn(6 if pooling == "cls" else TOKENS, 4, dtype=torch.double, requires_grad=True)
    weight = torch.tensor([0.5, 1.0, 3.0], dtype=torch.double)
    objective = Contrastive(SentenceLabeller(3, pooling), 0.3)
    torch.autograd.gradcheck(lambda values: objective(asked(values, arrays), weight)[0], hidden)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_padding_changes_nothing(pooling: str) -> None:
    torch.manual_seed(0)
    hidden = torch.randn(TOKENS + 12, 4)
    plain, padded = labels(pooling), labels(pooling, TOKENS + 12)
    found = []
    for arrays, there in ((plain, hidden[:TOKENS]), (padded, hidden)):
        given = there[arrays["places"]] if pooling == "cls" else there
        found.append(sentence_vectors(asked(given, arrays)))
    assert torch.equal(*found)
    nothing, vectors = RetrievalVectors()(asked(given, padded), torch.ones(3))
    assert not nothing and torch.equal(vectors, found[0])


def test_bfloat16_is_compared_in_float32() -> None:
    vectors = sentence_vectors(asked(torch.randn(TOKENS, 4).bfloat16(), labels("mean")))
    assert vectors.dtype == torch.float32
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(6))


def test_any_number_of_processes_is_the_same_loss_and_gradient(tmp_path: Path) -> None:
    run = Fork(Path(__file__).with_name("several_processes.py"), [tmp_path])
    said = run.communicate()
    assert run.returncode == 0, said
    one, *others = (load_file(tmp_path / f"{world}.safetensors") for world in (1, 2, 4))
    assert one["gradient"].abs().max() > 0.1 and 0 < one["hits"].sum() <= 16
    for other in others:
        for name, value in one.items():
            torch.testing.assert_close(other[name], value, rtol=1e-5, atol=1e-5)
