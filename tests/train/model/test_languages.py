"""The language embedding: what it adds, how it starts, how exports do without it, how its rows go by name."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from train.model.attention import build_layout
from train.model.bert import BertConfig
from train.model.encoder import EncoderConfig
from train.model.heads import MaskedLanguageModel
from train.model.languages import LANGUAGE_TABLE, with_languages
from train.model_folders.huggingface import from_pretrained, load_encoder, save_pretrained, write_checkpoint_config

SPECIAL = {"pad": 0, "bos": 2, "eos": 3, "mask": 4}
VOCAB, LOCAL, LENGTHS = 203, 10, (40, 11, 1)
NAMES = ("deu_Latn", "rus_Cyrl", "zho_Hans")
SIZES: dict[str, Any] = {"vocab_size": VOCAB, "hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4}
SIZES |= {"intermediate_size": 40, "max_position_embeddings": 64, "languages": NAMES}
SHAPES: dict[str, EncoderConfig | BertConfig] = {
    "modernbert": EncoderConfig(**SIZES, local_attention=LOCAL),
    "bert": BertConfig(**SIZES),
    "xlm-roberta": BertConfig(**SIZES, type_vocab_size=1, kind="xlm-roberta"),
}
LAYOUTS = pytest.mark.parametrize("layout", SHAPES)
ANSWERS = pytest.mark.parametrize("language", [None, "rus_Cyrl"])


def made(layout: str) -> MaskedLanguageModel:
    """Rows of languages, and biases and norms, away from where they start."""
    torch.manual_seed(3)
    model = MaskedLanguageModel(SHAPES[layout]).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def ids() -> torch.Tensor:
    return torch.randint(5, VOCAB, (sum(LENGTHS),), generator=torch.Generator().manual_seed(11))


def pairs() -> torch.Tensor:
    return torch.cat([(torch.arange(length) > length // 2).long() for length in LENGTHS])


def answers(
    model: MaskedLanguageModel, languages: torch.Tensor | None = None, segments: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """(hidden states, logits of the vocabulary) at all places."""
    layout = build_layout(np.array(LENGTHS), LOCAL, torch.device("cpu"), torch.float32)
    positions = torch.cat([torch.arange(length) for length in LENGTHS])
    hidden = model.model(ids(), positions, layout, segments=segments, languages=languages)
    rows = model.model.token_embeddings[:VOCAB]
    return hidden, torch.nn.functional.linear(model.head(hidden), rows, model.decoder.bias)


def told(language: str | None) -> torch.Tensor:
    return torch.full((sum(LENGTHS),), 0 if language is None else 1 + NAMES.index(language))


@LAYOUTS
def test_a_new_model_is_the_one_without(layout: str) -> None:
    torch.manual_seed(3)
    model = MaskedLanguageModel(SHAPES[layout])
    torch.manual_seed(3)
    without = MaskedLanguageModel(replace(SHAPES[layout], languages=()))
    table = model.state_dict()[LANGUAGE_TABLE]
    assert table.shape == (4, 48) and not table.any()
    assert model.state_dict().keys() - without.state_dict().keys() == {LANGUAGE_TABLE}
    assert all(torch.equal(model.state_dict()[name], value) for name, value in without.state_dict().items())
    assert torch.equal(answers(model, told("zho_Hans"))[1], answers(without)[1])


@LAYOUTS
def test_no_languages_are_languages_that_are_not_told(layout: str) -> None:
    model = made(layout)
    assert torch.equal(answers(model)[0], answers(model, told(None))[0])
    assert not torch.allclose(answers(model)[0], answers(model, told("rus_Cyrl"))[0], atol=1e-2)


@LAYOUTS
def test_a_sequence_hangs_on_its_own_language(layout: str) -> None:
    model, rows = made(layout), told(None)
    other = rows.clone()
    other[LENGTHS[0] :] = 2
    before, after = answers(model, rows)[0], answers(model, other)[0]
    assert torch.equal(before[: LENGTHS[0]], after[: LENGTHS[0]])
    assert (before - after)[LENGTHS[0] :].abs().amax(1).gt(1e-3).all()


@LAYOUTS
def test_gradients_reach_the_rows_of_the_languages_there_are(layout: str) -> None:
    model, rows = made(layout), told("zho_Hans")
    rows[: LENGTHS[0]] = 1
    table = dict(model.named_parameters())[LANGUAGE_TABLE]
    torch.nn.functional.cross_entropy(answers(model, rows)[1], ids()).backward()
    assert table.grad is not None
    assert table.grad.any(1).tolist() == [False, True, False, True]
    # A row's gradient is the sum of those of the vectors that it was added to, by finite differences in float64.
    exact = made(layout).double()
    exact.model.compute_dtype = torch.float64
    at = dict(exact.named_parameters())[LANGUAGE_TABLE]
    losses = []
    with torch.no_grad():
        for step in (1e-5, -2e-5):
            at[1, 7] += step
            layout_of = build_layout(np.array(LENGTHS), LOCAL, torch.device("cpu"), torch.float64)
            positions = torch.cat([torch.arange(length) for length in LENGTHS])
            hidden = exact.model(ids(), positions, layout_of, languages=rows)
            logits = torch.nn.functional.linear(
                exact.head(hidden), exact.model.token_embeddings[:VOCAB], exact.decoder.bias
            )
            losses.append(float(torch.nn.functional.cross_entropy(logits, ids())))
    assert (losses[0] - losses[1]) / 2e-5 == pytest.approx(float(table.grad[1, 7]), rel=2e-3, abs=1e-6)


@ANSWERS
@pytest.mark.parametrize("layout", ["bert", "xlm-roberta"])
@torch.no_grad()
def test_bert_folds_a_language_into_its_segments(layout: str, language: str | None, tmp_path: Path) -> None:
    model = made(layout)
    save_pretrained(model, SPECIAL, tmp_path, tmp_path / "export", language=language)
    folded = from_pretrained(tmp_path / "export")
    for segments in (None, pairs()):
        expected = answers(model, told(language), segments)
        for found, right in zip(answers(folded, None, segments), expected, strict=True):
            torch.testing.assert_close(found, right, atol=1e-5, rtol=0)


@ANSWERS
@torch.no_grad()
def test_modernbert_folds_a_language_into_its_tokens(language: str | None, tmp_path: Path) -> None:
    """Hidden states and probabilities are the same; the logits of a place are shifted, all by the same amount."""
    model = made("modernbert")
    save_pretrained(model, SPECIAL, tmp_path, tmp_path / "export", language=language)
    folded = from_pretrained(tmp_path / "export")
    (hidden, logits), (right, expected) = answers(folded), answers(model, told(language))
    torch.testing.assert_close(hidden, right, atol=1e-5, rtol=0)
    torch.testing.assert_close(logits.log_softmax(1), expected.log_softmax(1), atol=1e-4, rtol=0)
    shift = logits - expected
    row = model.state_dict()[LANGUAGE_TABLE][0 if language is None else 2]
    torch.testing.assert_close(shift, (model.head(right) @ row)[:, None].expand_as(shift), atol=1e-4, rtol=0)
    assert shift.abs().max() > 0.1


@ANSWERS
@LAYOUTS
@torch.no_grad()
def test_transformers_says_the_same_of_an_export(layout: str, language: str | None, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="no transformers: pip install -e .[train]")
    model = made(layout)
    save_pretrained(model, SPECIAL, tmp_path, tmp_path / "export", language=language)
    theirs, report = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path / "export", output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"] and not report["mismatched_keys"]
    segments = pairs() if layout == "bert" else None
    expected = answers(model, told(language), segments)[1].log_softmax(1)
    start = 0
    for length in LENGTHS:
        part = slice(start, start + length)
        types = {} if segments is None else {"token_type_ids": segments[part][None]}
        found = theirs.eval()(input_ids=ids()[part][None], **types).logits[0].log_softmax(1)
        torch.testing.assert_close(found, expected[part], atol=1e-4, rtol=0)
        start += length


def test_folding_leaves_the_model_as_it_is(tmp_path: Path) -> None:
    for layout in SHAPES:
        model = made(layout)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        save_pretrained(model, SPECIAL, tmp_path, tmp_path / layout, language="deu_Latn")
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
        assert not [name for name in load_file(tmp_path / layout / "model.safetensors") if "language" in name]
        assert "language_embeddings" not in json.loads((tmp_path / layout / "config.json").read_text())


@LAYOUTS
def test_a_checkpoint_opens_with_its_languages(layout: str, tmp_path: Path) -> None:
    model = made(layout)
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    write_checkpoint_config(tmp_path, model.config, SPECIAL)
    again = load_encoder(tmp_path).language_model
    assert again.config == model.config and again.config.languages == NAMES
    assert torch.equal(answers(again, told("rus_Cyrl"))[1], answers(model, told("rus_Cyrl"))[1])


@LAYOUTS
def test_rows_go_by_name(layout: str) -> None:
    model = made(layout)
    other, left_out = with_languages(model, ("zho_Hans", "eng_Latn", "deu_Latn"))
    assert left_out == ("rus_Cyrl",) and other.config.languages == ("zho_Hans", "eng_Latn", "deu_Latn")
    old, new = model.state_dict()[LANGUAGE_TABLE], other.state_dict()[LANGUAGE_TABLE]
    assert torch.equal(new, old[[0, 3, 0, 1]]) and old[0].any()
    assert torch.equal(answers(other, told("zho_Hans") // 3)[1], answers(model, told("zho_Hans"))[1])
    # A language that the model did not have is to it what it was before: one that is not told.
    assert torch.equal(answers(other, told("rus_Cyrl"))[1], answers(model)[1])
    assert all(parameter.requires_grad for parameter in other.parameters())


@LAYOUTS
def test_a_model_without_rows_gets_zeros_and_one_with_rows_may_lose_them(layout: str) -> None:
    model = made(layout)
    without, left_out = with_languages(model, ())
    assert left_out == NAMES and without.config == replace(model.config, languages=())
    torch.testing.assert_close(answers(without)[0], answers(model)[0], atol=1e-5, rtol=0)
    back, none = with_languages(without, NAMES)
    assert none == () and back.config == model.config and not back.state_dict()[LANGUAGE_TABLE].any()
    assert torch.equal(answers(back, told("deu_Latn"))[1], answers(without)[1])
    assert with_languages(without, ()) == (without, ())
