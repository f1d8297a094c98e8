"""Whole runs that learn from two teachers by three objectives, and what a user is told who gives the wrong ones."""

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from teaching import write_teacher
from training_runs import assert_near, assert_same_run, log, pretrain, weights

from schemas.errors import UserError
from train.config.load import load_config
from train.loop.dry_run import estimate
from train.model_folders.huggingface import load_encoder
from train.pretrain import main
from train.pretrain import train as run_training

ALL = {
    "objectives.distillation.weight": 0.5,
    "objectives.mlm.weight": 0.5,
    "objectives.distillation.top_k": 16,
    "objectives.relations.relation_heads": 4,
    "objectives.sentence_vectors.pooling": "mean",
}
TAUGHT = ("distillation", "relations", "sentence_vectors")


@pytest.fixture(scope="module")
def teachers(corpus, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("teachers")
    return (
        write_teacher(root / "one", corpus.tokenizer),
        write_teacher(root / "two", corpus.tokenizer, "bert", 2, hidden_size=16, num_attention_heads=2),
    )


@pytest.fixture(scope="module")
def flags(corpus, teachers: tuple[Path, Path]) -> Callable[..., list[str]]:
    """Of a run in which rus_Cyrl has no teacher."""
    setting = f"eng_Latn={teachers[0]},zho_Hans={teachers[1]}"
    return lambda output, **settings: corpus.flags(output, **{"teachers": setting, **ALL, **settings})


@pytest.fixture(scope="module")
def whole(flags: Callable[..., list[str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    output = tmp_path_factory.mktemp("taught") / "whole"
    pretrain(flags(output))
    return output


def test_all_three_are_learnt_in_the_languages_that_have_a_teacher(whole: Path) -> None:
    lines = log(whole)
    for name in TAUGHT:
        losses = [line["objectives"][name]["loss"] for line in lines]
        assert losses[-1] < losses[0] and all(line["objectives"][name]["units"] for line in lines)
        for line in lines:
            there = {language for language, of in line["languages"].items() if name in of.get("objectives", {})}
            assert there <= {"eng_Latn", "zho_Hans"} and there
    mlm = lines[0]["objectives"]["mlm"]
    assert mlm["weight"] == lines[0]["objectives"]["distillation"]["weight"] == 0.5
    assert lines[0]["objectives"]["distillation"]["units"] < mlm["units"] < lines[0]["objectives"]["relations"]["units"]
    config = json.loads((whole / "_run.json").read_text())["config"]
    assert set(config["model"]["teachers"]) == {"eng_Latn", "zho_Hans"}


def test_teachers_are_no_part_of_what_is_saved(whole: Path) -> None:
    names = weights(whole, 6)
    own = {name for name in names if name.startswith("modules_of.")}
    assert own == {
        f"modules_of.sentence_vectors.{language}.{kind}"
        for language in ("eng_Latn", "zho_Hans")
        for kind in ("weight", "bias")
    }
    exported = load_file(whole / "export" / "model.safetensors")
    assert not any("modules_of" in name for name in exported) and len(exported) == len(names) - len(own)


def test_stopped_and_resumed_is_the_same_run(whole: Path, flags: Callable[..., list[str]], tmp_path, stopped) -> None:
    stopped(flags(tmp_path / "two"), 4)
    pretrain(flags(tmp_path / "two"))
    assert_same_run(whole, tmp_path / "two", 6)


def test_another_teacher_in_the_same_folder_is_no_resumed_run(
    corpus, whole: Path, teachers, flags, tmp_path: Path, stopped, monkeypatch, capsys
) -> None:
    folder = shutil.copytree(teachers[0], tmp_path / "one")
    setting = f"eng_Latn={folder},zho_Hans={teachers[1]}"
    stopped(flags(tmp_path / "two", teachers=setting), 4)
    found = json.loads((tmp_path / "two" / "checkpoints" / "step-00000004" / "lineage.json").read_text())["teachers"]
    assert found == json.loads((whole / "export" / "lineage.json").read_text())["teachers"]  # wherever it lies
    tensors = load_file(folder / "model.safetensors")
    save_file({name: value + 1 for name, value in tensors.items()}, folder / "model.safetensors")
    monkeypatch.setattr("sys.argv", ["pretrain.py", *flags(tmp_path / "two", teachers=setting)])
    assert main() == 2
    error = capsys.readouterr().err
    assert f"teachers = eng_Latn={folder} is not what the run was started with" in error and error.count("\n") == 1


def test_two_processes_with_a_part_of_each_layer_are_near(
    whole: Path, flags: Callable[..., list[str]], tmp_path: Path, program
) -> None:
    """Relations ask layers of ModernBERT outside their own forward pass; those of BERT are in test_all_objectives."""
    run = program(flags(tmp_path / "run", parallel="fsdp", watchdog_seconds=60), processes=2)
    _, errors = run.communicate(timeout=240)
    assert run.returncode == 0, errors
    assert_near(whole, tmp_path / "run")
    for mine, theirs in zip(log(whole), log(tmp_path / "run"), strict=True):
        for name in TAUGHT:
            one, other = mine["objectives"][name], theirs["objectives"][name]
            assert one["units"] == other["units"] and one["loss"] == pytest.approx(other["loss"], abs=1e-5)


@pytest.fixture(scope="module")
def bad(corpus, teachers, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders that are no teachers of this corpus, by what is wrong with them."""
    root = tmp_path_factory.mktemp("bad")
    other = shutil.copytree(corpus.tokenizer, root / "tokenizer")
    content = json.loads((other / "tokenizer.json").read_text(encoding="utf-8"))
    vocab = content["model"]["vocab"]
    keys = list(vocab)[-2:]
    vocab[keys[0]], vocab[keys[1]] = vocab[keys[1]], vocab[keys[0]]
    (other / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    small = write_teacher(root / "small", corpus.tokenizer, vocab_size=150)
    (small / "tokenizer.json").unlink()
    bare = shutil.copytree(teachers[0], root / "bare")
    tensors = load_file(bare / "model.safetensors")
    save_file({k: v for k, v in tensors.items() if k.startswith("model.")}, bare / "model.safetensors")
    broken = shutil.copytree(teachers[0], root / "broken")
    (broken / "model.safetensors").unlink()
    (root / "empty").mkdir()
    alike = shutil.copytree(teachers[0], root / "alike")
    (alike / "tokenizer.json").unlink()
    torn, listed = shutil.copytree(alike, root / "torn"), shutil.copytree(alike, root / "listed")
    (torn / "lineage.json").write_text('{"tokenizer": ')
    (listed / "config.json").write_text("[]")
    return {
        "alike": alike,
        "torn": torn,
        "listed": listed,
        "other": write_teacher(root / "other", other),
        "small": small,
        "bare": bare,
        "broken": broken,
        "empty": root / "empty",
        "short": write_teacher(root / "short", corpus.tokenizer, max_position_embeddings=16),
        "good": teachers[0],
        "good2": shutil.copytree(teachers[0], root / "good2"),
    }


ONE = {"objectives.distillation.top_k": 16}
RELATIONS = {"objectives.relations.relation_heads": 4}
VECTORS = {"objectives.sentence_vectors.pooling": "cls"}
ADVERSARY = {"objectives.teacher_adversary.ratio": 2}
ASKED_NOTHING = "the teacher {good2} is asked nothing, since of its languages (rus_Cyrl, zho_Hans) none is shown"
MISTAKES: list[tuple[str, dict[str, Any], str]] = [
    ("*={other}", ONE, "the teacher {other} has another vocabulary than --tokenizer {tokenizer}"),
    ("*={other}", RELATIONS, "the teacher {other} has another vocabulary than --tokenizer {tokenizer}"),
    ("*={small}", ONE, "the teacher {small} has no tokenizer.json, and nothing else says that its 150 tokens"),
    ("*={small}", VECTORS, "the teacher {small} has no tokenizer.json, and nothing else says that its 150 tokens"),
    ("*={alike}", RELATIONS, "the teacher {alike} has no tokenizer.json, and nothing else says that its"),
    ("*={alike}", VECTORS, "the teacher {alike} has no tokenizer.json, and nothing else says that its"),
    ("*={torn}", ONE, "{torn}/lineage.json is no JSON"),
    ("*={listed}", ONE, "{listed}/config.json is no JSON object"),
    ("deu_Latn={good}", ONE, "teachers names deu_Latn, which the shards do not have: take it out"),
    (
        "eng_Latn={good},rus_Cyrl={good},zho_Hans={good},*={short}",
        ONE,
        "teachers has {short} for *, but names every language of the shards: take * out",
    ),
    ("", ONE, "objectives.distillation has no teacher: give --teachers '*=DIR', or take the objective out"),
    ("", VECTORS, "objectives.sentence_vectors has no teacher: give --teachers '*=DIR'"),
    ("*={good}", {}, "teachers are given and no objective asks them: name one, as --objectives.distillation.weight 1"),
    ("*={empty}", ONE, "{empty} is no exported model: it has no config.json; point to a folder `export`"),
    ("*={broken}", ONE, "{broken} has no weights, model.safetensors or pytorch_model.bin: copy the rest"),
    ("*={bare}", ONE, "the teacher {bare} has no masked-language-model head: take the model that has one"),
    ("*={short}", ONE, "max_seq_len = 32 is more than the teacher {short} can take, 16: make it smaller"),
    ("*={good}", {"objectives.relations.relation_heads": 5}, "relation_heads = 5 does not divide hidden_size = 24"),
    ("*={good}", RELATIONS | {"objectives.relations.teacher_layer": 7}, "teacher_layer = 7, but the teacher {good}"),
    ("*={good}", RELATIONS | {"objectives.relations.student_layer": -3}, "student_layer = -3, but the model has 2"),
    *(
        ("eng_Latn={good},*={good2}", {"language_weights": "rus_Cyrl=0,zho_Hans=0"} | of, ASKED_NOTHING)
        for of in (ONE, RELATIONS, VECTORS, ADVERSARY)
    ),
    ("eng_Latn", ONE, "teachers = 'eng_Latn': it should be names with paths, as eng_Latn=DIR,*=OTHER"),
]


@pytest.mark.parametrize(("given", "settings", "said"), MISTAKES)
def test_mistakes_are_one_line_and_status_2(
    corpus, bad: dict[str, Path], tmp_path: Path, monkeypatch, capsys, given: str, settings: dict[str, Any], said: str
) -> None:
    places = {name: str(path) for name, path in bad.items()} | {"tokenizer": str(corpus.tokenizer)}
    settings = settings | ({"teachers": given.format(**places)} if given else {})
    monkeypatch.setattr("sys.argv", ["pretrain.py", *corpus.flags(tmp_path / "run", **settings)])
    assert main() == 2
    error = capsys.readouterr().err
    assert said.format(**places) in error and error.count("\n") == 1
    assert not (tmp_path / "run" / "metrics.jsonl").exists()
    monkeypatch.setattr("sys.argv", [*sys.argv, "--dry-run"])
    assert main() == 2
    assert capsys.readouterr().err == error


def test_a_dry_run_counts_the_teachers_and_the_objectives_own_modules(whole: Path, flags, teachers, tmp_path) -> None:
    told = list(estimate(load_config(flags(tmp_path / "run"))))
    parameters = sum(value.numel() for value in weights(whole, 6).values())
    assert told[0].startswith(f"model: {parameters:,} parameters")
    frozen = sum(value.numel() for one in teachers for value in load_encoder(one).language_model.parameters())
    assert told[1] == f"teachers: {frozen:,} parameters, frozen"
    assert "GB a process (teachers 0.00, weights" in told[2]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("short", "max_seq_len = 32 is more than --init {short} can take, 16: make it smaller"),
        ("small", "--init {small} has 150 rows of tokens, and --tokenizer {tokenizer} ids up to 1"),
        ("good", "export_language = deu_Latn is none of the shards' 3 languages"),
    ],
)
def test_a_dry_run_refuses_what_a_run_does(corpus, bad, tmp_path: Path, folder: str, said: str) -> None:
    """Of models to start from, and of languages."""
    more = {"language_embedding": True, "export_language": "deu_Latn"} if folder == "good" else {}
    config = load_config(corpus.flags(tmp_path, init=bad[folder], **more))
    said = said.format(tokenizer=corpus.tokenizer, **bad)
    with pytest.raises(UserError, match=re.escape(said)):
        list(estimate(config))
    with pytest.raises(UserError, match=re.escape(said)):
        run_training(config)


def test_a_folder_s_tokens_are_what_counts_not_its_other_settings(corpus, teachers, flags, tmp_path: Path) -> None:
    """transformers writes a tokenizer anew with what it was last used with."""
    folder = shutil.copytree(teachers[0], tmp_path / "again")
    content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    content["truncation"] = {"direction": "Right", "max_length": 40, "strategy": "LongestFirst", "stride": 0}
    (folder / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    pretrain(flags(tmp_path / "run", teachers=f"*={folder}", steps=1))
    assert log(tmp_path / "run")[0]["objectives"]["distillation"]["units"]
    # A checkpoint has no tokenizer, but says what it was trained with.
    checkpoint = tmp_path / "run" / "checkpoints" / "step-00000001"
    assert not (checkpoint / "tokenizer.json").exists()
    pretrain(flags(tmp_path / "pupil", teachers=f"*={checkpoint}", steps=1))
