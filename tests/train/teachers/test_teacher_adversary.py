"""Whose vector it is: against NumPy, with two teachers, one of another width."""

from pathlib import Path

import numpy as np
import pytest
import torch
from teaching import CPU, LANGUAGES, batch_of, built, config_of, new_model, sequences_of, write_teacher

from train.corpus.vocabulary import Vocabulary, open_vocabulary
from train.joint.joint_model import JointModel
from train.model.attention import build_layout
from train.model.heads import MaskedLanguageModel
from train.model_folders.huggingface import load_encoder
from train.objectives.discriminator import SLOPE
from train.objectives.objective import Objective

NAME = "teacher_adversary"


@pytest.fixture(scope="module")
def vocabulary(corpus) -> Vocabulary:
    return open_vocabulary(corpus.tokenizer)


@pytest.fixture(scope="module")
def teachers(corpus, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("teachers")
    same = write_teacher(root / "same", corpus.tokenizer, hidden_size=32, num_attention_heads=2)
    return same, write_teacher(root / "other", corpus.tokenizer, "bert", 2, hidden_size=16, num_attention_heads=2)


@pytest.fixture
def model(vocabulary: Vocabulary) -> MaskedLanguageModel:
    return new_model("modernbert", vocabulary.size, 9, hidden_size=32, num_attention_heads=2)


def objectives_of(
    corpus, teachers: tuple[Path, Path], model: MaskedLanguageModel, pooling: str
) -> dict[str, Objective]:
    setting = f"eng_Latn={teachers[0]},zho_Hans={teachers[1]}"
    return built(config_of(corpus, teachers=setting, **{f"objectives.{NAME}.pooling": pooling}), model)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_the_loss_is_that_of_numpy(corpus, teachers, vocabulary: Vocabulary, model, pooling: str) -> None:
    objectives = objectives_of(corpus, teachers, model, pooling)
    sequences = sequences_of(vocabulary)
    batch = batch_of(objectives, sequences)
    weight = torch.tensor([0.5, 2.0, 0.25])
    total, found = JointModel(model, objectives)(batch, {NAME: weight}, {NAME: objectives[NAME]})
    module = objectives[NAME].module
    assert module is not None
    own = {name: p.detach().double().numpy() for name, p in module.named_parameters()}
    assert ("zho_Hans.map.weight" in own) and ("eng_Latn.map.weight" not in own)
    ends = np.cumsum(sequences.lengths)[:-1]
    with torch.no_grad():
        hidden = model.model(batch.input_ids, batch.positions, batch.layout).double().numpy()
        text, layout = torch.from_numpy(sequences.tokens), build_layout(sequences.lengths, 6, CPU, torch.float32)
        answers = [load_encoder(folder).encoder(text, batch.positions, layout).double().numpy() for folder in teachers]

    def vectors(values: np.ndarray) -> np.ndarray:
        return np.array([part.mean(0) if pooling == "mean" else part[0] for part in np.split(values, ends)])

    expected, loss = np.zeros((3, 3)), 0.0
    for language, name, answer in ((0, "eng_Latn", answers[0]), (2, "zho_Hans", answers[1])):
        mine = sequences.language == language
        ours, theirs = vectors(hidden)[mine], vectors(answer)[mine]
        if f"{name}.map.weight" in own:
            ours = ours @ own[f"{name}.map.weight"].T + own[f"{name}.map.bias"]
        part = f"{name}.discriminator"
        for rows, wanted in ((ours, 0), (theirs, 1)):
            inner = rows @ own[f"{part}.dense.weight"].T + own[f"{part}.dense.bias"]
            logits = np.where(inner > 0, inner, SLOPE * inner) @ own[f"{part}.classifier.weight"].T
            logits = logits + own[f"{part}.classifier.bias"]
            each = np.log(np.exp(logits).sum(1)) - logits[:, wanted]
            expected[language] += each.sum(), (logits.argmax(1) == wanted).sum(), len(rows)
            loss += weight[language].item() * each.sum()
    np.testing.assert_allclose(found[NAME].numpy(), expected, atol=1e-5)
    assert total.item() == pytest.approx(loss, abs=1e-5)
    labels = objectives[NAME].labeller(sequences, 0, {})
    assert labels.units.tolist() == expected[:, 2].tolist() == [4, 0, 4]


def test_the_student_and_its_map_are_turned_and_the_discriminators_are_not(corpus, teachers, vocabulary, model) -> None:
    objectives = objectives_of(corpus, teachers, model, "mean")
    batch = batch_of(objectives, sequences_of(vocabulary))
    joint = JointModel(model, objectives)
    found = {}
    for strength in (-1.0, 0.5):
        batch.arrays[NAME]["strength"].fill_(strength)  # type: ignore[index]
        joint.zero_grad()
        joint(batch, {NAME: torch.ones(len(LANGUAGES))}, {NAME: objectives[NAME]})[0].backward()
        found[strength] = {name: p.grad.clone() for name, p in joint.named_parameters() if p.grad is not None}
    for name, plain in found[-1.0].items():
        turned = 1.0 if "discriminator" in name else -0.5
        torch.testing.assert_close(found[0.5][name], turned * plain, rtol=1e-4, atol=1e-7)
    assert found[0.5][f"modules_of.{NAME}.zho_Hans.map.weight"].any()
    assert not any("teachers" in name for name in found[0.5])


def test_a_batch_without_sequences_of_a_teacher_still_has_its_gradients(corpus, teachers, vocabulary, model) -> None:
    objectives = objectives_of(corpus, teachers, model, "mean")
    batch = batch_of(objectives, sequences_of(vocabulary, (9, 5), (1, 0)))
    joint = JointModel(model, objectives)
    total, sums = joint(batch, {NAME: torch.ones(len(LANGUAGES))}, {NAME: objectives[NAME]})
    total.backward()
    assert sums[NAME][:, 2].tolist() == [2, 0, 0]
    assert all(p.grad is not None for name, p in joint.named_parameters() if name.startswith("modules_of."))
