"""The tensors of a folder one at a time, under our names and in our shapes, so that no model need fit into memory."""

import pickle
from functools import cached_property
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from schemas.errors import UserError
from train.model.heads import PAIR_OBJECTIVES, MaskedLanguageModel, PairHead
from train.model_folders.config_json import read_config
from train.model_folders.huggingface import CHECKPOINT_CONFIG, POSITIONS, config_file
from train.model_folders.tensor_files import TensorReader
from train.model_folders.weight_files import NAMES, PAIRS, files_of, to_ours


class StoredWeights:
    """Of a checkpoint, an export or a folder of transformers; a context that closes its files.

    config: the shape. embeddings: our name of the table of tokens. shapes: by our name, of what is there of the encoder
    and its head for masked words, and of the pair head, whose names begin with `pairs.`; tokens without the rows that
    pad them, positions without those that XLM-RoBERTa keeps for padding. missing: what the config calls for and the
    files lack. UserError where they cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = config_file(folder)
        self.config, self._offset = read_config(path)
        self.embeddings = f"model.{NAMES[self.config.layout].embeddings}"
        files = files_of(folder)
        self._pickled = [file for file in files if file.suffix != ".safetensors"]
        self._reader = TensorReader([file for file in files if file.suffix == ".safetensors"])
        there = [*self._reader.described, *self._in_memory]
        if path.name == CHECKPOINT_CONFIG:
            self._offset = 0
            self._keys = {_without_objective(name): name for name in sorted(there, reverse=True)}
        else:
            self._keys = to_ours({name: name for name in there}, self.config.layout, folder)
        with torch.device("meta"):
            model, pairs = MaskedLanguageModel(self.config), PairHead(self.config)
        shapes = {name: list(value.shape) for name, value in model.state_dict().items()}
        shapes |= {PAIRS + name: list(value.shape) for name, value in pairs.state_dict().items()}
        shapes[self.embeddings][0] = self.config.vocab_size
        self.shapes = {name: tuple(shape) for name, shape in shapes.items() if name in self._keys}
        self.missing = [name for name in shapes if name not in self._keys and not name.startswith(PAIRS)]

    @property
    def has_head(self) -> bool:
        return not any(name.startswith(("head.", "decoder.")) for name in self.missing)

    @property
    def bytes(self) -> int:
        """Of all tensors as float32."""
        return sum(4 * torch.Size(shape).numel() for shape in self.shapes.values())

    def tensor(self, name: str) -> Tensor:
        """float32, in memory of its own. UserError where it is not of the shape that the config says."""
        key = self._keys[name]
        value = (self._reader.read(key) if key in self._reader.described else self._in_memory[key].clone()).float()
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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.__exit__()

    @cached_property
    def _in_memory(self) -> dict[str, Tensor]:
        """Of files of another kind, which are not made to be read in parts."""
        found: dict[str, Tensor] = {}
        for file in self._pickled:
            try:
                found |= torch.load(file, map_location="cpu", weights_only=True, mmap=True)
            except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
                why = str(error).splitlines()[0] if str(error) else "it ends early"
                raise UserError(f"{file} is broken, or more than weights: {why}; copy it again") from None
        return found


def _without_objective(name: str) -> str:
    """A checkpoint has its pair head under the objective that it was learnt by; of two the first one holds."""
    for objective in PAIR_OBJECTIVES:
        if name.startswith(f"modules_of.{objective}."):
            return PAIRS + name.removeprefix(f"modules_of.{objective}.")
    return name
