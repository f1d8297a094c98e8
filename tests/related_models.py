"""Tiny models that branch from one seed, in folders that say so."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tiny_encoders import save_encoder
from tokenizers import Tokenizer

from train.model_folders.ancestry import digest_of_folder

TABLES = {  # with a row a token
    "modernbert": ("model.embeddings.tok_embeddings.weight", "decoder.bias"),
    "bert": ("bert.embeddings.word_embeddings.weight", "cls.predictions.bias"),
    "xlm-roberta": ("roberta.embeddings.word_embeddings.weight", "lm_head.bias"),
}


def save_family(
    root: Path, kind: str = "modernbert", names: Sequence[str] = ("one", "two"), seed: int = 0
) -> list[Path]:
    """`root`/seed, and a branch of it of each name, as far from it as training takes it."""
    origin = save_encoder(kind, root / "seed", seed)
    begun = {"config": {"run": {"seed": seed}}, "parent": None, "config_digest": f"seed {seed}", "step": 5}
    write_lineage(origin, begun)
    digest = digest_of_folder(origin)
    for number, name in enumerate(names):
        folder = shutil.copytree(origin, root / name)
        move(folder, 1000 * seed + number)
        write_lineage(folder, {"parent": {"folder": str(origin), "weights": digest, "lineage": begun}, "step": 3})
    return [root / name for name in names]


def move(folder: Path, seed: int, far: float = 0.03) -> None:
    """Takes all weights a step away, by chance."""
    generator = torch.Generator().manual_seed(seed)
    moved = {key: one + far * torch.randn(one.shape, generator=generator) for key, one in tensors(folder).items()}
    save_file(moved, folder / "model.safetensors", {"format": "pt"})


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def write_lineage(folder: Path, lineage: dict[str, Any] | None) -> None:
    path = folder / "lineage.json"
    path.unlink(missing_ok=True)
    if lineage is not None:
        path.write_text(json.dumps(lineage), encoding="utf-8")


def permute(folder: Path, kind: str, seed: int = 3) -> list[int]:
    """The same model with its tokens in other rows, special ones as they were: row n becomes row found[n]."""
    path = folder / "tokenizer.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    vocabulary = told["model"]["vocab"]
    special = {one["id"] for one in told["added_tokens"]}
    free = [row for row in vocabulary.values() if row not in special]
    moved = torch.tensor(free)[torch.randperm(len(free), generator=torch.Generator().manual_seed(seed))].tolist()
    new = dict(zip(free, moved, strict=True))
    rows = tensors(folder)[TABLES[kind][0]].shape[0]
    place = [new.get(row, row) for row in range(rows)]
    told["model"]["vocab"] = {token: new.get(row, row) for token, row in vocabulary.items()}
    path.write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
    Tokenizer.from_file(str(path))
    changed = {}
    for name in TABLES[kind]:
        changed[name] = torch.empty_like(tensors(folder)[name])
        changed[name][place] = tensors(folder)[name]
    save_file(tensors(folder) | changed, folder / "model.safetensors", {"format": "pt"})
    return place
