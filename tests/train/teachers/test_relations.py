"""Attention relations against plain loops, and the queries, keys and values against transformers'."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from teaching import batch_of, built, config_of, loss_of, new_model, sequences_of, write_teacher

from schemas.errors import UserError
from train.corpus.vocabulary import open_vocabulary
from train.model.attention import build_layout
from train.model_folders.huggingface import load_encoder
from train.teachers.relations import relation_divergence
from train.teachers.routing import groups

HEADS, OURS, THEIRS = 2, 8, 12  # widths
LENGTHS = np.array([5, 1, 9, 4, 9])


def sides(dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    tokens = int(LENGTHS.sum())
    return tuple(torch.randn(tokens, 3 * width, generator=generator, dtype=dtype) for width in (OURS, THEIRS))  # type: ignore


def index() -> list[torch.Tensor]:
    return [torch.from_numpy(one) for one in groups(LENGTHS)]


def reference(student: np.ndarray, teacher: np.ndarray, lengths: np.ndarray, heads: int) -> np.ndarray:
    """[T], one softmax at a time."""
    losses, first = np.zeros(len(student)), 0

    def softmax(x: np.ndarray) -> np.ndarray:
        powers = np.exp(x - x.max())
        return powers / powers.sum()

    for length in lengths:
        own = slice(first, first + length)
        for kind in range(3):
            for head in range(heads):
                parts = []
                for side in (student, teacher):
                    width = side.shape[1] // 3
                    at = kind * width + head * (width // heads)
                    parts.append(side[own, at : at + width // heads])
                for row in range(length):
                    q, p = (softmax(x @ x[row] / np.sqrt(x.shape[1])) for x in parts)
                    losses[first + row] += (p * np.log(p / q)).sum() / heads
        first += length
    return losses


@pytest.mark.parametrize("chunk", [1, 60, 400, None])
def test_it_is_the_divergence_of_each_row_s_softmax(chunk: int | None) -> None:
    student, teacher = sides(torch.float64)
    weight = torch.rand(len(student))
    total, losses = relation_divergence(student, teacher, HEADS, index(), weight, chunk)
    expected = reference(student.numpy(), teacher.numpy(), LENGTHS, HEADS)
    assert np.abs(losses.numpy() - expected).max() < 1e-10
    assert total.item() == pytest.approx((expected * weight.double().numpy()).sum(), rel=1e-9)


@pytest.mark.parametrize("chunk", [1, 40, None])
def test_gradients(chunk: int | None) -> None:
    student, teacher = (one[:8] for one in sides(torch.float64))
    places = [torch.from_numpy(one) for one in groups(np.array([4, 1, 3]))]
    student.requires_grad_()
    weight = torch.rand(8, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda x: relation_divergence(x, teacher, HEADS, places, weight, chunk)[0], (student,)
    )


def test_a_sequence_s_losses_are_its_own() -> None:
    student, teacher = sides()
    together = relation_divergence(student, teacher, HEADS, index(), torch.ones(len(student)))[1]
    alone = []
    for ours, theirs in zip(student.split(LENGTHS.tolist()), teacher.split(LENGTHS.tolist()), strict=True):
        one = [torch.arange(len(ours))[None]]
        alone.append(relation_divergence(ours, theirs, HEADS, one, torch.ones(len(ours)))[1])
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-6, rtol=1e-5)
    assert together[5] == 0  # a token that is alone is related to itself


def test_groups_hold_each_token_once_and_little_else() -> None:
    lengths = np.random.default_rng(0).integers(3, 400, 300)
    found = groups(lengths)
    places = np.concatenate([one.ravel() for one in found])
    real = places[places < lengths.sum()]
    assert np.sort(real).tolist() == list(range(lengths.sum()))
    assert len(places) < 1.2 * len(real) and len(found) < 20
    assert groups(np.empty(0, np.int64)) == []


@pytest.mark.parametrize("kind", ["modernbert", "bert"])
def test_queries_keys_and_values_are_those_of_transformers(kind: str, corpus, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="no transformers: pip install -e .[train]")
    folder = write_teacher(tmp_path / "teacher", corpus.tokenizer, kind)
    theirs: Any = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    ids = torch.arange(5, 25)
    with torch.no_grad():
        hidden = theirs(ids[None], output_hidden_states=True).hidden_states[1][0]
        if kind == "bert":
            own = theirs.encoder.layer[1].attention.self
            expected = torch.cat([own.query(hidden), own.key(hidden), own.value(hidden)], 1)
        else:
            expected = theirs.layers[1].attn.Wqkv(theirs.layers[1].attn_norm(hidden))
        model = load_encoder(folder).language_model.model
        layout = build_layout(np.array([20]), 6, torch.device("cpu"), torch.float32)
        inputs: dict[int, Any] = {1: None}
        model(ids, torch.arange(20), layout, layer_inputs=inputs)
        found = model.layers[1].queries_keys_values(inputs[1])
    torch.testing.assert_close(inputs[1], hidden, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_the_objective_compares_layers_of_other_widths(corpus, tmp_path: Path) -> None:
    """A student of 32 dimensions, teachers of 24 and of another kind; rus_Cyrl is taught by nobody."""
    one = write_teacher(tmp_path / "one", corpus.tokenizer)
    two = write_teacher(tmp_path / "two", corpus.tokenizer, "bert", 2, hidden_size=16, num_attention_heads=2)
    config = config_of(
        corpus,
        teachers=f"eng_Latn={one},zho_Hans={two}",
        **{"objectives.relations.relation_heads": 4, "objectives.relations.student_layer": 0},
    )
    vocabulary = open_vocabulary(corpus.tokenizer)
    student = new_model("modernbert", vocabulary.size, 9, hidden_size=32, num_attention_heads=2)
    objectives, sequences = built(config, student), sequences_of(vocabulary)
    batch = batch_of(objectives, sequences)
    total, sums = loss_of(student, objectives, batch, "relations")
    expected, first = np.zeros(3), 0
    for length, language in zip(sequences.lengths.tolist(), sequences.language.tolist(), strict=True):
        part = slice(first, first + length)
        first += length
        if language == 1:
            continue
        layout = build_layout(np.array([length]), 6, torch.device("cpu"), torch.float32)
        both = []
        for model, layer in ((student, 0), (load_encoder(two if language else one).language_model, 1)):
            inputs: dict[int, Any] = {layer: None}
            with torch.no_grad():
                ids, positions = batch.input_ids[part], batch.positions[part]
                model.model(ids, positions, layout, layer_inputs=inputs)
                both.append(model.model.layers[layer].queries_keys_values(inputs[layer]).numpy())  # type: ignore[operator]
        expected[language] += reference(both[0], both[1], np.array([length]), 4).sum()
    assert sums[:, 0].tolist() == pytest.approx(expected.tolist(), rel=1e-4)
    assert sums[:, 2].tolist() == [20 + 3, 0, 32 + 18] and total.item() == pytest.approx(expected.sum(), rel=1e-4)
    total.backward()
    gradient = student.model.layers[0].attn.Wqkv.weight.grad  # type: ignore[union-attr]
    assert gradient is not None and gradient.any()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"relation_heads": 5},
            "relation_heads = 5 does not divide hidden_size = 24 of the teacher .*: take a divisor",
        ),
        ({"relation_heads": 6}, "relation_heads = 6 does not divide hidden_size = 32 of the model: take a divisor"),
        ({"relation_heads": 4, "teacher_layer": 2}, "teacher_layer = 2, but the teacher .* has 2 layers: take one of"),
        ({"relation_heads": 4, "student_layer": -3}, "student_layer = -3, but the model has 2 layers: take one of -2 "),
    ],
)
def test_layers_and_heads_that_are_not_there(corpus, tmp_path: Path, settings: dict[str, int], said: str) -> None:
    folder = write_teacher(tmp_path / "one", corpus.tokenizer)
    config = config_of(
        corpus, teachers=f"*={folder}", **{f"objectives.relations.{name}": value for name, value in settings.items()}
    )
    student = new_model("modernbert", open_vocabulary(corpus.tokenizer).size, 9, hidden_size=32, num_attention_heads=2)
    with pytest.raises(UserError, match=said):
        built(config, student)
