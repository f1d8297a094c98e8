"""Which model a folder holds, wherever it lies and however often it was written."""

import hashlib
import json
from pathlib import Path

import xxhash

from train.checkpoints.files import digest
from train.model_folders.huggingface import config_file
from train.model_folders.weight_files import files_of

SUFFIX = ".safetensors"
METADATA = "__metadata__"
PIECE = 1 << 22  # bytes


def folder_digest(folder: Path) -> str:
    """SHA-256, in hex, over the digests of config, weights and tokenizer. UserError where one of the first two is not
    there."""
    tokenizer = folder / "tokenizer.json"
    files = [config_file(folder), *files_of(folder), *([tokenizer] if tokenizer.is_file() else [])]
    lines = [f"{file.name} {_tensors(file) if file.suffix == SUFFIX else digest(file)}" for file in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _tensors(path: Path) -> str:
    """XXH3-128 of names, shapes and numbers. The metadata of a safetensors file say nothing of the model, and are
    written in an order of chance: an export that is made again of the same checkpoint has other bytes."""
    found = xxhash.xxh3_128()
    with path.open("rb", buffering=0) as file:
        size = int.from_bytes(file.read(8), "little")
        try:
            header = json.loads(file.read(size if size <= path.stat().st_size else 0))
        except ValueError:
            header = None
        if not isinstance(header, dict):  # damaged: whoever opens it says so
            return digest(path)
        header.pop(METADATA, None)
        found.update(json.dumps(header, sort_keys=True).encode())
        while part := file.read(PIECE):
            found.update(part)
    return found.hexdigest()
