"""Merged checkpoints with a language embedding: whose row a language has, and what every reader makes of the result."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from related_models import tensors
from safetensors.torch import save_file
from tiny_encoders import save_tokenizer
from tokenizers import Tokenizer

from train.encoders.folders import languages_of, model_folder
from train.encoders.opened import open_model
from train.fuse import main
from train.model.bert import BertConfig
from train.model.encoder import EncoderConfig
from train.model.heads import MaskedLanguageModel
from train.model.languages import LANGUAGE_TABLE, folded_into
from train.model_folders.ancestry import digest_of, digest_of_folder
from train.model_folders.huggingface import load_encoder, write_checkpoint_config

LANGUAGES = ("eng_Latn", "tha_Thai", "heb_Hebr", "amh_Ethi", "kat_Geor")
SPECIAL = {"pad": 1, "bos": 0, "eos": 2, "mask": 4}
SIZES: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
SIZES |= {"intermediate_size": 24, "max_position_embeddings": 32}


@pytest.fixture(params=["modernbert", "bert"])
def checkpoints(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Path]:
    """seed, and branches one and two, which know other languages: amh_Ethi is the first's alone. kat_Geor was trained
    by none of them, but has shrunk by weight decay; heb_Hebr by the second alone."""
    tokens = save_tokenizer("modernbert", tmp_path / "vocab")
    shape = EncoderConfig if request.param == "modernbert" else BertConfig
    config = shape(vocab_size=tokens, **SIZES, languages=LANGUAGES)
    torch.manual_seed(0)
    model = MaskedLanguageModel(config)
    start = {name: value + 0.1 * torch.randn(value.shape) for name, value in model.state_dict().items()}
    found: dict[str, Path] = {}
    for name in ("seed", "one", "two"):
        state, languages = {key: value.clone() for key, value in start.items()}, LANGUAGES
        if name != "seed":
            state = {key: value + 0.03 * torch.randn(value.shape) for key, value in state.items()}
            table = state[LANGUAGE_TABLE]
            table[5] = start[LANGUAGE_TABLE][5] * 0.98
            if name == "one":
                table[3] = start[LANGUAGE_TABLE][3] * 0.97
            else:
                languages = tuple(one for one in LANGUAGES if one != "amh_Ethi")
                state[LANGUAGE_TABLE] = table[[0, 1, 2, 3, 5]]
        lineage: dict[str, Any] = {"config": {"data": {}, "run": {"seed": 0}}, "step": 3, "parent": None}
        if name != "seed":
            weights = digest_of_folder(found["seed"])
            lineage["parent"] = {"folder": str(found["seed"]), "weights": weights, "lineage": None}
            lineage["config"]["data"]["language_shares"] = {"tha_Thai": 0.9} if name == "two" else {"eng_Latn": 0.4}
        found[name] = tmp_path / name
        found[name].mkdir()
        write_checkpoint_config(found[name], shape(vocab_size=tokens, **SIZES, languages=languages), SPECIAL, lineage)
        told = {"config": {"data": {"tokenizer": str(tmp_path / "vocab")}}}
        (found[name] / "state.json").write_text(json.dumps(told), encoding="utf-8")
        save_file(state, found[name] / "model.safetensors")
    return found


def merge(output: Path, *arguments: object) -> dict[str, Any]:
    assert main(["merge", *map(str, arguments), "--output", str(output)]) == 0
    return json.loads((output / "lineage.json").read_text(encoding="utf-8"))


def parents(checkpoints: dict[str, Path]) -> list[str]:
    return ["--parent", str(checkpoints["one"]), "--parent", str(checkpoints["two"])]


def test_a_row_is_of_those_that_trained_it(
    checkpoints: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = merge(tmp_path / "merged", *parents(checkpoints))
    assert told["merge"]["language_rows"] == {
        "eng_Latn": ["one", "two"], "tha_Thai": ["two"], "heb_Hebr": ["two"], "amh_Ethi": ["one"], "kat_Geor": [],
    }  # fmt: skip
    one, two = (tensors(checkpoints[name])[LANGUAGE_TABLE] for name in ("one", "two"))
    mean = [(one[row] + two[row]) / 2 for row in (0, 1)]
    expected = torch.stack([mean[0], mean[1], two[2], two[3], one[4], one[5]])
    found = load_encoder(tmp_path / "merged")
    assert found.config.languages == LANGUAGES
    weights = found.language_model.state_dict()
    # Row 0 lies in another table, and the others are beside it: their sum is what it was.
    name = folded_into(found.config)
    plain = (tensors(checkpoints["one"])[name] + tensors(checkpoints["two"])[name]) / 2
    for row in range(len(expected)):
        together = weights[name][:2] + weights[LANGUAGE_TABLE][row]
        first = plain[:2] if "token_type" in name else plain[:2].clone()
        if "token_type" not in name:
            first[1] = tensors(checkpoints["one"])[name][1]  # padding
        torch.testing.assert_close(together, first + expected[row], atol=1e-6, rtol=0)
    assert told["weights"] == digest_of(found) == digest_of_folder(tmp_path / "merged")
    shown = capsys.readouterr().out
    assert "row of tha_Thai: of two" in shown and "row of kat_Geor: untrained" in shown


def test_the_user_says_whose_a_language_is(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    own = ["--own", "tha_Thai=one", "eng_Latn=two"]
    told = merge(tmp_path / "merged", *parents(checkpoints), *own, "--rule", "ties")
    rows = told["merge"]["language_rows"]
    assert rows["tha_Thai"] == ["one"] and rows["eng_Latn"] == ["two"]
    one, two = (tensors(checkpoints[name])[LANGUAGE_TABLE] for name in ("one", "two"))
    found = load_encoder(tmp_path / "merged").language_model.state_dict()[LANGUAGE_TABLE]
    torch.testing.assert_close(found[2] - found[1], one[2] - two[1], atol=1e-6, rtol=0)


def test_all_readers_open_it(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    """transformers as for a language that is not told; ours for each."""
    merge(tmp_path / "merged", *parents(checkpoints))
    assert languages_of(tmp_path / "merged") == LANGUAGES
    tokenizer = Tokenizer.from_file(str(tmp_path / "merged" / "tokenizer.json"))
    assert tokenizer.get_vocab_size() == load_encoder(tmp_path / "merged").config.vocab_size
    plain = open_model(tmp_path / "merged", device="cpu")
    folded = model_folder(tmp_path / "merged", "tha_Thai")
    name = tensors(folded.path).keys() & {
        "model.embeddings.tok_embeddings.weight",
        "bert.embeddings.token_type_embeddings.weight",
    }
    (table,) = [one for one in name if "token_type" in one] or list(name)
    row = load_encoder(tmp_path / "merged").language_model.state_dict()[LANGUAGE_TABLE][2]
    torch.testing.assert_close(
        tensors(folded.path)[table] - tensors(tmp_path / "merged")[table],
        row.expand_as(tensors(folded.path)[table]), atol=1e-6, rtol=0,
    )  # fmt: skip
    untold, told = (
        one.model("AutoModelForMaskedLM")(torch.tensor([[0, 30, 40, 4, 2]])).logits.detach()
        for one in (plain, open_model(tmp_path / "merged", language="tha_Thai", device="cpu"))
    )
    assert torch.isfinite(told).all() and (told - untold).abs().max() > 1e-4


def test_where_a_parent_has_no_rows_they_are_folded_in(
    checkpoints: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = model_folder(checkpoints["two"])
    flags = ["--parent", checkpoints["one"], "--parent", f"two={export.path}"]
    told = merge(tmp_path / "merged", *flags)
    assert told["merge"]["language_rows"] is None and "folded in" in capsys.readouterr().out
    assert told["parents"][1]["weights"] == digest_of_folder(checkpoints["two"])
    assert load_encoder(tmp_path / "merged").config.languages == ()
    folders = [model_folder(checkpoints["one"]), export]
    both = [tensors(one.path) for one in folders]
    found = tensors(tmp_path / "merged")
    for name in found.keys() - {"model.embeddings.tok_embeddings.weight", "bert.embeddings.word_embeddings.weight"}:
        if not name.endswith(("decoder.bias", "predictions.bias")):
            torch.testing.assert_close(found[name], (both[0][name] + both[1][name]) / 2, atol=1e-6, rtol=0)
