"""The digest of a model's folder: of what the model is, and of nothing else."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_encoders import save_encoder

from train.encoders.folders import model_folder
from train.model_folders.digest import folder_digest


def test_a_checkpoint_s_export_has_the_same_digest_each_time(finished: Path) -> None:
    checkpoint = max((finished / "checkpoints").iterdir())
    made = [model_folder(checkpoint) for _ in range(8)]  # metadata are written in an order of chance
    assert len({one.path for one in made}) == 8
    assert len({folder_digest(one.path) for one in made}) == 1


def test_weights_config_and_tokenizer_count_and_metadata_do_not(tmp_path: Path) -> None:
    folder = save_encoder("bert", tmp_path / "model")
    first, path = folder_digest(folder), folder / "model.safetensors"
    tensors = load_file(path)
    save_file(tensors, path, {"format": "pt", "lineage": "{}", "more": "x"})
    assert folder_digest(folder) == first
    (folder / "lineage.json").write_text("{}")
    assert folder_digest(folder) == first
    name = next(iter(tensors))
    save_file(tensors | {name: torch.nextafter(tensors[name], torch.tensor(9.0))}, path, {"format": "pt"})
    assert folder_digest(folder) != first
    save_file(tensors, path, {"format": "pt"})
    assert folder_digest(folder) == first
    for file in ("config.json", "tokenizer.json"):
        text = (folder / file).read_text(encoding="utf-8")
        (folder / file).write_text(text + " ", encoding="utf-8")
        assert folder_digest(folder) != first
        (folder / file).write_text(text, encoding="utf-8")


@pytest.mark.parametrize("damage", [b"", b"\x00", b"\xff" * 8 + b"{", b"\x02\x00\x00\x00\x00\x00\x00\x00[]rest"])
def test_damaged_weights_have_a_digest_too(tmp_path: Path, damage: bytes) -> None:
    folder = save_encoder("bert", tmp_path / "model")
    whole = folder_digest(folder)
    (folder / "model.safetensors").write_bytes(damage)
    assert folder_digest(folder) not in ("", whole)
