"""Distillation through whole models against plain softmaxes."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from teaching import LANGUAGES, batch_of, built, config_of, labelled, loss_of, sequences_of, write_teacher
from torch.nn.functional import cross_entropy, kl_div

from schemas.errors import UserError
from train.corpus.vocabulary import Vocabulary
from train.joint.joint_model import JointModel
from train.model.attention import build_layout
from train.model_folders.huggingface import from_pretrained

TEMPERATURE, SHARE = 2.0, 0.7


def test_a_weighted_divergence_and_cross_entropy(corpus, folders, student, vocabulary: Vocabulary) -> None:
    """a * T^2 * KL + (1 - a) * CE of an objective each, with the gradients of a plain reference; k takes in all."""
    config = config_of(
        corpus,
        teachers=f"*={folders[0]}",
        **{"objectives.distillation.temperature": TEMPERATURE, "objectives.distillation.top_k": 9999},
    )
    objectives = built(config, student)
    batch = batch_of(objectives, sequences_of(vocabulary))
    places, labels = batch.arrays["mlm"]["places"], batch.arrays["mlm"]["labels"]
    weights = {
        "mlm": torch.full((3,), (1 - SHARE) / len(places)),
        "distillation": torch.full((3,), SHARE / len(places)),
    }
    total, sums = JointModel(student, objectives)(batch, weights)
    total.backward()
    found = {name: p.grad.clone() for name, p in student.named_parameters() if p.grad is not None}
    student.zero_grad()
    lengths = sequences_of(vocabulary).lengths
    windows = [build_layout(lengths, window, torch.device("cpu"), torch.float32) for window in (8, 6)]  # of each model
    with torch.no_grad():
        wanted = from_pretrained(folders[0])(batch.input_ids, batch.positions, windows[1], places)
    logits = student(batch.input_ids, batch.positions, windows[0], places)
    wanted, logits = wanted[:, : vocabulary.size], logits[:, : vocabulary.size]
    both = [(one / TEMPERATURE).log_softmax(1) for one in (logits, wanted)]
    divergence = TEMPERATURE**2 * kl_div(*both, reduction="batchmean", log_target=True)
    loss = SHARE * divergence + (1 - SHARE) * cross_entropy(logits, labels)
    loss.backward()
    assert total.item() == pytest.approx(loss.item(), rel=1e-5)
    hits = (logits.argmax(1) == wanted.argmax(1)).sum().item()
    assert sums["distillation"].sum(0).tolist() == pytest.approx([divergence.item() * len(places), hits, len(places)])
    for name, parameter in student.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(found[name], parameter.grad, atol=1e-5, rtol=1e-3)


def test_two_teachers_are_each_alone_on_its_languages(corpus, folders, student, vocabulary: Vocabulary) -> None:
    sequences = sequences_of(vocabulary)
    flag = {"objectives.distillation.top_k": 16}
    routes = {
        "both": f"eng_Latn={folders[0]},zho_Hans={folders[1]}",
        "one": f"eng_Latn={folders[0]}",
        "two": f"zho_Hans={folders[1]}",
        "all": f"*={folders[1]},eng_Latn={folders[0]}",
    }
    found = {}
    for name, teachers in routes.items():
        objectives = built(config_of(corpus, teachers=teachers, **flag), student)
        found[name] = loss_of(student, objectives, batch_of(objectives, sequences), "distillation")[1]
    torch.testing.assert_close(found["both"], found["one"] + found["two"], atol=1e-4, rtol=1e-5)
    assert (found["both"][:, 2] > 0).tolist() == [True, False, True] and not found["both"][1].any()
    torch.testing.assert_close(found["all"][[0, 2]], found["both"][[0, 2]], atol=1e-4, rtol=1e-5)
    assert found["all"][1, 2] > 0


def test_each_teacher_runs_once_a_batch(corpus, folders, student, vocabulary: Vocabulary) -> None:
    flags = {"objectives.distillation.top_k": 4, "objectives.relations.relation_heads": 2}
    config = config_of(corpus, teachers=f"eng_Latn={folders[0]},*={folders[1]}", **flags)
    objectives = built(config, student)
    teachers = objectives["distillation"].teachers  # type: ignore[attr-defined]
    assert teachers is objectives["relations"].teachers  # type: ignore[attr-defined]
    calls: list[str] = []
    for name, (model, _) in teachers._models.items():
        model.model.register_forward_hook(lambda *_, name=name: calls.append(name))
    joint = JointModel(student, objectives)
    weights = {name: torch.ones(3) for name in objectives}
    for count in (1, 2):
        joint(batch_of(objectives, sequences_of(vocabulary)), weights)
        assert sorted(calls) == sorted(["eng_Latn", "others"] * count)
    assert not any("teacher" in name for name, _ in joint.named_parameters())
    assert not any(p.requires_grad for model, _ in teachers._models.values() for p in model.parameters())


def test_places_that_fill_a_batch_up_count_for_nothing(corpus, folders, student, vocabulary: Vocabulary) -> None:
    objectives = built(
        config_of(corpus, teachers=f"eng_Latn={folders[0]}", **{"objectives.distillation.top_k": 8}), student
    )
    sequences = sequences_of(vocabulary)
    plain = labelled(objectives, sequences)
    padded = {"mlm": objectives["mlm"].labeller.pad(plain["mlm"], 256)}
    padded["distillation"] = objectives["distillation"].labeller(sequences, 0, padded)
    for key, values in plain["distillation"].arrays.items():
        assert values.tolist() == padded["distillation"].arrays[key].tolist()
    wide = objectives["distillation"].labeller.pad(padded["distillation"], 256)
    other = objectives["distillation"].labeller.pad(
        labelled(objectives, sequences_of(vocabulary, (9, 9)))["distillation"], 256
    )
    assert len(wide.arrays["places"]) == len(other.arrays["places"]) > len(plain["distillation"].arrays["places"])
    batch = batch_of(objectives, sequences)
    arrays = {**batch.arrays, "distillation": {k: torch.from_numpy(v) for k, v in wide.arrays.items()}}
    for one, two in zip(
        loss_of(student, objectives, batch, "distillation"),
        loss_of(student, objectives, batch._replace(arrays=arrays), "distillation"),
        strict=True,
    ):
        torch.testing.assert_close(one, two)


def test_rows_that_only_one_of_the_two_has_are_no_classes(
    corpus, student, vocabulary: Vocabulary, tmp_path: Path
) -> None:
    """A teacher whose embeddings were padded with rows that are likelier than all tokens."""
    folder = write_teacher(tmp_path / "wide", corpus.tokenizer, vocab_size=vocabulary.size + 20)
    objectives = built(config_of(corpus, teachers=f"*={folder}", **{"objectives.distillation.top_k": 8}), student)
    batch = batch_of(objectives, sequences_of(vocabulary))
    before = loss_of(student, objectives, batch, "distillation")[0]
    ((teacher, _),) = objectives["distillation"].teachers._models.values()  # type: ignore[attr-defined]
    with torch.no_grad():
        teacher.decoder.bias[vocabulary.size :] = 50.0
    after = loss_of(student, objectives, batch_of(objectives, sequences_of(vocabulary)), "distillation")[0]
    assert before.item() == after.item()


def test_a_teacher_without_a_head_makes_no_guesses(corpus, student, folders, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="no transformers: pip install -e .[train]")
    transformers.AutoModel.from_pretrained(folders[1]).save_pretrained(tmp_path / "bare")
    shutil.copy(corpus.tokenizer / "tokenizer.json", tmp_path / "bare")
    config = config_of(corpus, teachers=f"*={tmp_path / 'bare'}", **{"objectives.distillation.top_k": 8})
    with pytest.raises(UserError, match="bare has no masked-language-model head: take the model that has one"):
        built(config, student)


def test_units_are_the_guesses_in_taught_languages(corpus, folders, student, vocabulary: Vocabulary) -> None:
    objectives = built(
        config_of(corpus, teachers=f"rus_Cyrl={folders[0]}", **{"objectives.distillation.top_k": 8}), student
    )
    labels = labelled(objectives, sequences_of(vocabulary))
    assert labels["distillation"].units.tolist() == [0, labels["mlm"].units[1], 0]
    assert labels["distillation"].units.dtype == np.int64 and len(LANGUAGES) == 3
