"""Bits a byte and masked accuracy by the program: models of other vocabularies are asked the very same bytes."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from tiny_encoders import SENTENCES, save_encoder

from train.encoders.opened import open_model
from train.evaluate import main
from train.likelihood.held_out_texts import held_out_texts
from train.likelihood.pseudo_likelihood import pseudo_likelihood


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("models")
    return [save_encoder(kind, root / kind) for kind in ("bert", "modernbert")]


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shards")
    for language, text in SENTENCES.items():
        folder = root / "data" / language
        folder.mkdir(parents=True)
        texts = [f"{text} 🦆 {text[: 5 + number]}" for number in range(4)]
        table = pa.table({"id": [f"{language}{number}" for number in range(4)], "text": texts})
        pq.write_table(table, folder / "validation-00000-of-00001.parquet")
        pq.write_table(table, folder / "train-00000-of-00001.parquet")
    return root


def evaluated(output: Path, models: list[Path], *arguments: object) -> dict[str, Any]:
    flags = [flag for model in models for flag in ("--model", str(model))]
    assert main([*flags, *map(str, arguments), "--output", str(output), "--device", "cpu"]) == 0
    found = json.loads((output / "evaluation.json").read_text(encoding="utf-8"))
    return {table["name"]: table for table in found["tables"]}


def test_vocabularies_are_asked_the_same_bytes(models: list[Path], shards: Path, tmp_path: Path) -> None:
    asked = ("--shards", shards, "--bits-bytes", 150, "--masked-bytes", 300)
    found = evaluated(tmp_path / "out", models, *asked)
    bits = found["bits_a_byte"]["figures"]
    texts = held_out_texts([shards], language_bytes=150).texts
    for folder in models:
        each = bits[folder.name]
        assert set(each) == set(SENTENCES)
        assert {name: figure["count"] for name, figure in each.items()} == {
            name: sum(one.bytes for one in of) for name, of in texts.items()
        }
        for language in ("eng_Latn", "khm_Khmr", "heb_Hebr"):
            alone = pseudo_likelihood(open_model(folder, device="cpu"), [one.text for one in texts[language]])
            assert each[language]["value"] == pytest.approx(alone.bits.sum() / alone.bytes.sum(), rel=1e-5)
            assert each[language]["low"] <= each[language]["value"] <= each[language]["high"]
    lost = found["lost_characters"]["figures"]
    assert all(figure["value"] == 0 for figure in lost["modernbert"].values())
    assert lost["bert"]["kat_Geor"]["value"] > 0  # the duck
    assert found["masked_accuracy"]["settings"]["share"] == 0.15
    for language, figure in found["masked_loss"]["figures"]["bert"].items():
        assert figure["count"] == found["masked_accuracy"]["figures"]["bert"][language]["count"] > 0


def test_kinds_and_languages_that_are_asked_for(models: list[Path], shards: Path, tmp_path: Path) -> None:
    """Of files of texts too; a language is told with its script or without."""
    (tmp_path / "tel_Telu.txt").write_text("నది ఎత్తుగా ఉంది.\n", encoding="utf-8")
    flags = ("--shards", shards, "--texts", tmp_path / "tel_Telu.txt", "--languages", "tel", "eng_Latn")
    found = evaluated(
        tmp_path / "out", models[1:], *flags, "--bits", "original", "within_word_l2r", "--bits-bytes", 200
    )
    assert set(found) >= {"bits_a_byte", "bits_a_byte_original"}
    for name in ("bits_a_byte", "bits_a_byte_original", "masked_accuracy"):
        assert set(found[name]["figures"]["modernbert"]) == {"eng_Latn", "tel_Telu"}
    assert found["bits_a_byte_original"]["settings"]["kind"] == "original"
    assert found["bits_a_byte_original"]["figures"] != found["bits_a_byte"]["figures"]
    assert found["bits_a_byte"]["figures"]["modernbert"]["tel_Telu"]["low"] is None  # one text has no interval


def test_weights_that_are_no_numbers_are_one_line(
    tmp_path: Path, shards: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = save_encoder("bert", tmp_path / "broken")
    path = folder / "model.safetensors"
    from safetensors.torch import load_file, save_file

    weights = {name: torch.full_like(value, torch.nan) for name, value in load_file(path).items()}
    save_file(weights, path, metadata={"format": "pt"})
    flags = ["--model", folder, "--shards", shards, "--languages", "eng", "--output", tmp_path / "out"]
    assert main([*map(str, flags)]) == 2
    assert "answers with numbers that are not finite" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out").exists()
