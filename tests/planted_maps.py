"""A model whose words of one language lie elsewhere, by a known permutation, and the map that brings them back."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from known_words import WORDS, save_knowing
from safetensors.torch import load_file, save_file

from train.maps.map_folder import LanguageMap, Origin, Space, VectorMap, write_map
from train.model_folders.digest import folder_digest

WIDTH = 32
AWAY = np.random.default_rng(5).permutation(WIDTH)  # of dimensions, which layer norms do not see
TABLE = "embeddings.word_embeddings.weight"


def save_planted(folder: Path, language: str = "rus") -> Path:
    """`save_knowing`, but that the words of `language` are moved: row[AWAY] of what they were."""
    save_knowing(folder)
    tensors = load_file(folder / "model.safetensors")
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(word for words in WORDS.values() for word in words)]
    rows = [pieces.index(word) for word in WORDS[language]]
    moved = tensors[TABLE].clone()
    moved[rows] = tensors[TABLE][rows][:, torch.from_numpy(AWAY)]
    save_file(tensors | {TABLE: moved}, folder / "model.safetensors", {"format": "pt"})
    return folder


def way_back() -> np.ndarray:
    """float32 [WIDTH, WIDTH]: moved rows times it are where they were."""
    return np.eye(WIDTH, dtype=np.float32)[AWAY]


def a_map(
    model: Path,
    folder: Path,
    languages: Mapping[str, np.ndarray],
    *,
    space: Space = "sentences",
    pivot: str = "eng",
    layer: int = -1,
    origins: Mapping[str, Origin] | None = None,
) -> Path:
    """Written: of these matrices, means of zeros, and the model, but for the origins of some languages."""
    of_all = {name: Origin(str(model), folder_digest(model)) for name in languages} | dict(origins or {})
    maps = {name: LanguageMap(np.zeros(len(one), np.float32), one) for name, one in languages.items()}
    write_map(VectorMap(space, "planted", pivot, maps, of_all, layer), folder)
    return folder
