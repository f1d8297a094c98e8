"""Whole runs of BERT and of language embeddings, with pairs: resumed, exported, opened by transformers, begun anew."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from training_runs import assert_same_run, log, pretrain, weights

from schemas.errors import UserError
from train.config.load import parse_arguments
from train.loop.dry_run import estimate
from train.model.attention import build_layout
from train.model.languages import LANGUAGE_TABLE
from train.model_folders.huggingface import load_encoder

LANGUAGES = ("eng_Latn", "rus_Cyrl", "zho_Hans")
BERT: dict[str, object] = {"architecture": "bert", "language_embedding": True}
TABLES = ("word", "position", "token_type", "language")


@pytest.fixture(scope="module")
def bert(corpus_of_sentences, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six steps of BERT with a language embedding and a pair head."""
    torch.set_num_threads(1)
    output = tmp_path_factory.mktemp("bert") / "run"
    pretrain(corpus_of_sentences.flags(output, **BERT, **{"objectives.nsp.weight": 1}))
    return output


def sequence() -> tuple[torch.Tensor, torch.Tensor]:
    """(token ids, segments) of one."""
    ids = torch.randint(5, 200, (24,), generator=torch.Generator().manual_seed(1))
    return ids, (torch.arange(24) > 9).long()


@torch.no_grad()
def answer(folder: Path, language: str | None = None, segments: bool = True) -> tuple[Tensor, Tensor | None]:
    """(logits of all tokens, those of the pair head) that a checkpoint gives."""
    loaded = load_encoder(folder)
    model, (ids, types) = loaded.language_model, sequence()
    layout = build_layout(np.array([24]), 8, torch.device("cpu"), torch.float32)
    rows = torch.full((24,), 0 if language is None else 1 + LANGUAGES.index(language))
    hidden = model.model(ids, torch.arange(24), layout, segments=types if segments else None, languages=rows)
    table = model.model.token_embeddings[:200]
    logits = torch.nn.functional.linear(model.head(hidden), table, model.decoder.bias)
    return logits, None if loaded.pair_head is None else loaded.pair_head(hidden[:1])


def test_a_run_of_bert_learns_all_its_tables(bert: Path, corpus_of_sentences, tmp_path: Path) -> None:
    first, last = (weights(bert, step) for step in (3, 6))
    for name in TABLES:
        key = f"model.embeddings.{name}_embeddings.weight"
        assert not torch.equal(first[key], last[key])
    rows = last[LANGUAGE_TABLE]
    assert rows.shape == (4, 32) and rows.any(1).all()
    assert "modules_of.nsp.pooler.dense.weight" in last
    encoder = json.loads((bert / "checkpoints" / "step-00000006" / "encoder.json").read_text())
    assert encoder["model_type"] == "bert" and encoder["language_embeddings"] == list(LANGUAGES)
    assert (encoder["max_position_embeddings"], encoder["layer_norm_eps"], encoder["type_vocab_size"]) == (32, 1e-12, 2)


def test_validation_is_of_unknown_languages_and_of_told_ones(bert: Path, finished: Path) -> None:
    for line in log(bert, "validation"):
        told = line["told_language"]
        assert told.keys() == {"loss", "accuracy", "masked", "languages"}
        assert told["masked"] == line["masked"] and told["languages"].keys() == line["languages"].keys()
        assert told["loss"] != line["loss"] and told["loss"] == pytest.approx(line["loss"], rel=0.1)
    assert not any("told_language" in line for line in log(finished, "validation"))


def test_the_export_is_what_the_checkpoint_says_of_unknown_languages(bert: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="no transformers: pip install -e .[train]")
    model, report = transformers.AutoModelForPreTraining.from_pretrained(bert / "export", output_loading_info=True)
    assert type(model).__name__ == "BertForPreTraining"
    assert not report["missing_keys"] and not report["unexpected_keys"] and not report["mismatched_keys"]
    ids, segments = sequence()
    with torch.no_grad():
        found = model.eval()(input_ids=ids[None], token_type_ids=segments[None])
    logits, pairs = answer(bert / "checkpoints" / "step-00000006")
    torch.testing.assert_close(found.prediction_logits[0], logits, atol=1e-4, rtol=0)
    torch.testing.assert_close(found.seq_relationship_logits, pairs, atol=1e-4, rtol=0)
    assert json.loads((bert / "export" / "lineage.json").read_text())["language"] is None
    tokenizer = transformers.AutoTokenizer.from_pretrained(bert / "export")
    assert tokenizer.model_input_names == ["input_ids", "token_type_ids", "attention_mask"]


def test_a_finished_run_started_again_exports_a_language(bert: Path, corpus_of_sentences, monkeypatch, capsys) -> None:
    transformers = pytest.importorskip("transformers", reason="no transformers: pip install -e .[train]")
    before = load_file(bert / "export" / "model.safetensors")
    settings = BERT | {"objectives.nsp.weight": 1, "export_language": "rus_Cyrl"}
    pretrain(corpus_of_sentences.flags(bert, **settings))
    said = capsys.readouterr().out
    assert "export is written, as of an unknown language\n" in said
    assert "export-rus_Cyrl is written, as of rus_Cyrl\n" in said
    after = load_file(bert / "export" / "model.safetensors")
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert json.loads((bert / "export-rus_Cyrl" / "lineage.json").read_text())["language"] == "rus_Cyrl"
    model = transformers.BertForPreTraining.from_pretrained(bert / "export-rus_Cyrl").eval()
    ids, segments = sequence()
    with torch.no_grad():
        found = model(input_ids=ids[None], token_type_ids=segments[None]).prediction_logits[0]
    logits, _ = answer(bert / "checkpoints" / "step-00000006", "rus_Cyrl")
    torch.testing.assert_close(found, logits, atol=1e-4, rtol=0)
    with pytest.raises(UserError, match=r"export_language = rus_Latn is none of .* did you mean .*rus_Cyrl") as error:
        pretrain(corpus_of_sentences.flags(bert, **settings | {"export_language": "rus_Latn"}))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("architecture", ["bert", "modernbert"])
def test_stopped_and_resumed_is_the_same_run(
    corpus, tmp_path: Path, stopped: Callable[..., None], architecture: str
) -> None:
    """With languages that are dropped."""
    settings = BERT | {"architecture": architecture, "log_every": 2, "steps": 4}
    pretrain(corpus.flags(tmp_path / "whole", **settings))
    stopped(corpus.flags(tmp_path / "parts", **settings), 3)
    pretrain(corpus.flags(tmp_path / "parts", **settings))
    assert_same_run(tmp_path / "whole", tmp_path / "parts", 4)
    whole = load_file(tmp_path / "whole" / "export" / "model.safetensors")
    parts = load_file(tmp_path / "parts" / "export" / "model.safetensors")
    assert all(torch.equal(value, parts[name]) for name, value in whole.items())


@pytest.mark.parametrize("architecture", ["bert", "modernbert"])
def test_a_language_embedding_starts_as_the_run_without(
    corpus, tmp_path: Path, architecture: str, finished: Path
) -> None:
    """The loss of the first step, in which all rows are zero; languages of which a share is told learn their rows."""
    settings = {"architecture": architecture, "steps": 1, "save_every": 1, "eval_every": 1}
    pretrain(corpus.flags(tmp_path / "with", **settings, language_embedding=True))
    pretrain(corpus.flags(tmp_path / "without", **settings))
    one, two = log(tmp_path / "with")[0], log(tmp_path / "without")[0]
    assert one["loss"] == two["loss"] and one["languages"] == two["languages"]
    assert weights(tmp_path / "with", 1)[LANGUAGE_TABLE].any(1).all()


def test_modernbert_leaves_its_pair_head_behind_and_says_so(
    corpus_of_sentences, tmp_path: Path, monkeypatch, capsys
) -> None:
    transformers = pytest.importorskip("transformers", reason="no transformers: pip install -e .[train]")
    pretrain(corpus_of_sentences.flags(tmp_path, steps=2, language_embedding=True, **{"objectives.sop.weight": 1}))
    assert "the pair head is in the checkpoints alone: modernbert has no place for it\n" in capsys.readouterr().out
    assert "modules_of.sop.seq_relationship.weight" in weights(tmp_path, 2)
    model = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path / "export").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "export")
    with torch.no_grad():
        found = model(input_ids=sequence()[0][None]).logits[0].log_softmax(1)
        model(**tokenizer("river", "light", return_tensors="pt"))  # takes what its tokenizer makes
    expected, pairs = answer(tmp_path / "checkpoints" / "step-00000002")
    assert pairs is not None
    torch.testing.assert_close(found, expected.log_softmax(1), atol=1e-4, rtol=0)


@pytest.mark.parametrize("kept", ["export", "checkpoints/step-00000006"])
def test_init_takes_the_pair_head_along(
    bert: Path, corpus_of_sentences, tmp_path: Path, monkeypatch, kept: str
) -> None:
    small = {"learning_rate": 1e-9, "weight_decay": 0, "steps": 1, "init": bert / kept}
    pretrain(corpus_of_sentences.flags(tmp_path, **small, language_embedding=True, **{"objectives.sop.weight": 1}))
    before, after = weights(bert, 6), weights(tmp_path, 1)
    for name in ("pooler.dense.weight", "seq_relationship.weight"):
        torch.testing.assert_close(after[f"modules_of.sop.{name}"], before[f"modules_of.nsp.{name}"], atol=1e-6, rtol=0)
    expected = before[LANGUAGE_TABLE] if kept != "export" else torch.zeros(4, 32)
    torch.testing.assert_close(after[LANGUAGE_TABLE], expected, atol=1e-6, rtol=0)


def test_init_has_rows_by_name_and_says_which_are_left_out(
    bert: Path, corpus_of_sentences, tmp_path: Path, capsys
) -> None:
    checkpoint = bert / "checkpoints" / "step-00000006"
    other = tmp_path / "other"
    other.mkdir()
    for name in ("model.safetensors", "encoder.json"):
        text = (checkpoint / name).read_bytes()
        (other / name).write_bytes(text.replace(b"rus_Cyrl", b"ben_Beng") if name == "encoder.json" else text)
    small = {"learning_rate": 1e-9, "weight_decay": 0, "steps": 1}
    pretrain(corpus_of_sentences.flags(tmp_path / "run", **small, init=other, language_embedding=True))
    assert "without the rows of languages that the shards do not have: ben_Beng\n" in capsys.readouterr().out
    expected = weights(bert, 6)[LANGUAGE_TABLE][[0, 1, 0, 3]]
    torch.testing.assert_close(weights(tmp_path / "run", 1)[LANGUAGE_TABLE], expected, atol=1e-6, rtol=0)
    pretrain(corpus_of_sentences.flags(tmp_path / "none", **small, init=checkpoint))
    assert "its language embedding is folded in, as of an unknown language" in capsys.readouterr().out
    assert LANGUAGE_TABLE not in weights(tmp_path / "none", 1)
    found, _ = answer(tmp_path / "none" / "checkpoints" / "step-00000001")
    torch.testing.assert_close(found, answer(checkpoint)[0], atol=1e-4, rtol=0)


@pytest.mark.parametrize("settings", [{}, {"architecture": "bert"}, BERT])
def test_a_dry_run_knows_the_model(corpus, tmp_path: Path, settings: dict[str, Any]) -> None:
    config, _ = parse_arguments(corpus.flags(tmp_path, **settings))
    first = next(iter(estimate(config)))
    pretrain(corpus.flags(tmp_path, **settings | {"steps": 1}))
    parameters = sum(value.numel() for value in weights(tmp_path, 1).values())
    assert first.startswith(f"model: {parameters:,} parameters")
