"""The tensors of a folder one at a time, under our names and in our shapes, so that no model need fit into memory."""

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from schemas.errors import UserError
from train.model.heads import PAIR_OBJECTIVES, MaskedLanguageModel, PairHead
from train.model_folders.config_json import read_config
from train.model_folders.huggingface import CHECKPOINT_CONFIG, POSITIONS, config_file
from train.model_folders.weight_files import NAMES, PAIRS, files_of, to_ours


class StoredWeights:
    """Of a checkpoint, an export or a folder of transformers.

    config: its shape. embeddings: our name of the table of tokens. shapes: by our name, of the encoder, its head for
    masked words, and the pair head, whose names begin with `pairs.`: those of the weights that the config calls for,
    tokens without the rows that pad them, positions without those that XLM-RoBERTa keeps for padding. missing: names
    that the config calls for and the files lack. UserError where the files cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = config_file(folder)
        self.config, self._offset = read_config(path)
        self.embeddings = f"model.{NAMES[self.config.layout].embeddings}"
        self._files = {name: file for file in files_of(folder) for name in self._names(file)}
        if path.name == CHECKPOINT_CONFIG:
            self._offset = 0
            self._keys = {_without_objective(name): name for name in reversed(list(self._files))}
        else:
            self._keys = to_ours({name: name for name in self._files}, self.config.layout, folder)
        with torch.device("meta"):
            model, pairs = MaskedLanguageModel(self.config), PairHead(self.config)
        shapes = {name: list(value.shape) for name, value in model.state_dict().items()}
        shapes |= {PAIRS + name: list(value.shape) for name, value in pairs.state_dict().items()}
        shapes[self.embeddings][0] = self.config.vocab_size
        self.shapes = {name: tuple(shape) for name, shape in shapes.items() if name in self._keys}
        self.missing = [name for name in shapes if name not in self._keys and not name.startswith(PAIRS)]
        self._in_memory: dict[str, Tensor] | None = None  # of a file that cannot be read in parts

    @property
    def has_head(self) -> bool:
        return not any(name.startswith(("head.", "decoder.")) for name in self.missing)

    def tensor(self, name: str) -> Tensor:
        """float32, on the CPU. UserError where it is of another shape than the config says, or cannot be read."""
        value = self._read(self._keys[name]).float()
        if name == self.embeddings and len(value) >= self.config.vocab_size:
            value = value[: self.config.vocab_size]
        if name == POSITIONS:
            value = value[self._offset :]
        if tuple(value.shape) != self.shapes[name]:
            raise UserError(
                f"{self.folder}: {name} has the shape {list(value.shape)}, but its config means "
                f"{list(self.shapes[name])}: take the config that belongs to these weights"
            )
        return value

    def _names(self, file: Path) -> list[str]:
        if file.suffix != ".safetensors":
            return list(self._whole(file))
        with _opened(file) as found:
            return list(found.keys())

    def _read(self, key: str) -> Tensor:
        file = self._files[key]
        if file.suffix != ".safetensors":
            return self._whole(file)[key]
        with _opened(file) as found:  # anew each time: what is mapped counts as memory for as long as it is open
            value: Tensor = found.get_tensor(key)
            return value

    def _whole(self, file: Path) -> dict[str, Tensor]:
        try:
            return dict(torch.load(file, map_location="cpu", weights_only=True, mmap=True))
        except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
            why = str(error).splitlines()[0] if str(error) else "it ends early"
            raise UserError(f"{file} is broken, or more than weights: {why}; copy it again") from None


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    try:
        with safe_open(file, "pt") as found:
            yield found
    except (SafetensorError, OSError) as error:
        raise UserError(f"{file} is broken ({' '.join(str(error).split())}): copy it again") from None


def _without_objective(name: str) -> str:
    """A checkpoint has its pair head under the objective that it was learnt by."""
    for objective in PAIR_OBJECTIVES:
        name = name.replace(f"modules_of.{objective}.", PAIRS) if name.startswith("modules_of.") else name
    return name
