"""The adversary's labels, and its loss against NumPy from the encoder's answers on."""

import numpy as np
import pytest
import torch
from teaching import LANGUAGES, batch_of, built, config_of, labelled, loss_of, new_model, sequences_of

from schemas.errors import UserError
from train.corpus.vocabulary import Vocabulary, open_vocabulary
from train.data.batches import FEWEST_TOKENS, PackedBatch
from train.joint.build import build_objectives
from train.joint.joint_model import JointModel
from train.loop.device_batches import DeviceBatches
from train.model.heads import MaskedLanguageModel
from train.objectives.discriminator import SLOPE
from train.objectives.language_adversary import LanguageLabeller, check_languages

NAME = "language_adversary"
Given = dict[str, object]


@pytest.fixture(scope="module")
def vocabulary(corpus) -> Vocabulary:
    return open_vocabulary(corpus.tokenizer)


@pytest.fixture
def model(vocabulary: Vocabulary) -> MaskedLanguageModel:
    return new_model("modernbert", vocabulary.size, 9, hidden_size=32, num_attention_heads=2)


def settings(pooling: str, **others: object) -> Given:
    return {f"objectives.{NAME}.{key}": value for key, value in {"pooling": pooling, **others}.items()}


def test_labels_are_of_sequences(vocabulary: Vocabulary) -> None:
    sequences = sequences_of(vocabulary, (5, 3, 9), (1, 0, 1))
    mean = LanguageLabeller(3, "mean", lambda step: step / 10)(sequences, 4, {})
    assert {name: values.tolist() for name, values in mean.arrays.items()} == {
        "lengths": [5, 3, 9], "language": [1, 0, 1], "strength": [pytest.approx(0.4)],
    }  # fmt: skip
    assert mean.units.tolist() == [1, 2, 0] and mean.input_ids is None
    cls = LanguageLabeller(3, "cls", lambda step: 0.0)(sequences, 4, {})
    assert cls.arrays["places"].tolist() == [0, 5, 8] and "lengths" not in cls.arrays


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_all_batches_have_one_shape(vocabulary: Vocabulary, pooling: str) -> None:
    labeller = LanguageLabeller(3, pooling, lambda step: 0.0)
    shapes = set()
    for lengths in ((20, 30), (3,) * 8, (FEWEST_TOKENS,) * 8, ()):
        found = labeller.pad(labeller(sequences_of(vocabulary, lengths), 0, {}) if lengths else labeller(
            sequences_of(vocabulary, (3,))._replace(
                lengths=np.empty(0, np.int64), language=np.empty(0, np.int64), tokens=np.empty(0, np.int64)
            ), 0, {}
        ), 8 * FEWEST_TOKENS)  # fmt: skip
        shapes.add(tuple((name, values.shape) for name, values in sorted(found.arrays.items())))
        assert found.units.sum() == len(lengths) == (found.arrays["language"] >= 0).sum()
        if pooling == "mean":
            assert found.arrays["lengths"].sum() == 8 * FEWEST_TOKENS
    assert len(shapes) == 1


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_the_loss_is_that_of_numpy(corpus, vocabulary: Vocabulary, model, pooling: str) -> None:
    objectives = built(config_of(corpus, **settings(pooling)), model)
    sequences = sequences_of(vocabulary)
    batch = batch_of(objectives, sequences)
    weight = torch.tensor([0.5, 2.0, 0.25])
    joint = JointModel(model, objectives)
    total, found = joint(batch, {NAME: weight}, {NAME: objectives[NAME]})
    with torch.no_grad():
        hidden = model.model(batch.input_ids, batch.positions, batch.layout).double().numpy()
    ends = np.cumsum(sequences.lengths)
    parts = np.split(hidden, ends[:-1])
    rows = np.array([part.mean(0) if pooling == "mean" else part[0] for part in parts])
    module = objectives[NAME].module
    assert module is not None
    first, bias, second, last = (p.detach().double().numpy() for p in module.parameters())
    inner = rows @ first.T + bias
    logits = np.where(inner > 0, inner, SLOPE * inner) @ second.T + last
    language = sequences.language
    losses = np.log(np.exp(logits).sum(1)) - logits[np.arange(len(language)), language]
    assert total.item() == pytest.approx((losses * weight.numpy()[language]).sum(), abs=1e-5)
    for number in range(3):
        mine = language == number
        hits = (logits.argmax(1) == language)[mine].sum()
        assert found[NAME][number].tolist() == pytest.approx([losses[mine].sum(), hits, mine.sum()], abs=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_padding_changes_nothing(corpus, vocabulary: Vocabulary, model, pooling: str) -> None:
    """As on a GPU, where a batch has one shape: padding tokens are sequences of their own."""
    objectives = built(config_of(corpus, **settings(pooling)), model)
    sequences = sequences_of(vocabulary)
    plain = batch_of(objectives, sequences)
    size, tokens = 8 * FEWEST_TOKENS, int(sequences.lengths.sum())
    found = {name: one.labeller.pad(labels, size) for (name, labels), one in zip(
        labelled(objectives, sequences).items(), objectives.values(), strict=True)}  # fmt: skip
    spare = size - tokens
    ids = np.concatenate((plain.input_ids.numpy(), np.full(spare, vocabulary.special_ids["pad"])))
    positions = np.concatenate((plain.positions.numpy(), np.zeros(spare, np.int64)))
    lengths = np.concatenate((sequences.lengths, np.full(spare // 32, 32), [spare % 32]))
    padded = DeviceBatches(torch.device("cpu"), torch.float32, 8, 40)(
        PackedBatch(ids, positions, lengths, found, np.zeros((3, 3), np.int64))
    )
    gradients = []
    for batch in (plain, padded):
        model.zero_grad()
        total, sums = loss_of(model, objectives, batch, NAME)
        total.backward()
        gradients.append((total, sums, [p.grad.clone() for p in model.model.parameters()]))
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-6)


def test_the_encoder_gets_the_gradient_turned_and_the_discriminator_its_own(corpus, vocabulary, model) -> None:
    """Against the same loss without reversal; in a step of strength 0 the encoder gets nothing."""
    objectives = built(config_of(corpus, **settings("mean")), model)
    batch = batch_of(objectives, sequences_of(vocabulary))
    adversary = objectives[NAME]
    assert adversary.module is not None
    found = {}
    for strength in (-1.0, 0.25, 0.0):  # -1: as if nothing were turned
        batch.arrays[NAME]["strength"].fill_(strength)  # type: ignore[index]
        model.zero_grad()
        adversary.module.zero_grad()
        loss_of(model, objectives, batch, NAME)[0].backward()
        found[strength] = [
            [p.grad.clone() for p in part.parameters() if p.grad is not None] for part in (model, adversary.module)
        ]
    assert all(torch.equal(mine, other) for mine, other in zip(found[-1.0][1], found[0.25][1], strict=True))
    assert any(value.abs().max() > 1e-4 for value in found[0.25][0])
    for plain, turned, none in zip(found[-1.0][0], found[0.25][0], found[0.0][0], strict=True):
        torch.testing.assert_close(turned, -0.25 * plain, rtol=1e-4, atol=1e-7)
        assert not none.any()


def test_nothing_in_a_batch_is_no_loss_and_no_error(corpus, vocabulary: Vocabulary, model) -> None:
    objectives = built(config_of(corpus, **settings("mean")), model)
    one = sequences_of(vocabulary, (3,))
    nothing = np.empty(0, np.int64)
    batch = batch_of(objectives, one._replace(tokens=nothing, lengths=nothing, language=nothing, keys=one.keys[:0]))
    total, sums = loss_of(model, objectives, batch, NAME)
    total.backward()
    module = objectives[NAME].module
    assert total.item() == 0 and not sums.any() and module is not None
    assert all(p.grad is not None and not p.grad.any() for p in module.parameters())


def test_two_languages_are_needed(corpus, vocabulary: Vocabulary) -> None:
    config = config_of(corpus, **settings("mean"))
    with pytest.raises(UserError, match="needs two languages to tell apart, and eng_Latn alone is shown with a weight"):
        build_objectives(config, vocabulary, ["eng_Latn"])
    with pytest.raises(UserError, match="and none are shown"):
        check_languages([])
    adversary = build_objectives(config, vocabulary, LANGUAGES)[NAME]
    adversary.check_shown(LANGUAGES[:2])
    assert adversary.balanced and adversary.learning_rate == 2e-3
