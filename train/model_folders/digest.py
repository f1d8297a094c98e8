"""Which model a folder holds, wherever it lies."""

import hashlib
from pathlib import Path

from train.checkpoints.files import digest
from train.model_folders.huggingface import config_file
from train.model_folders.weight_files import files_of


def folder_digest(folder: Path) -> str:
    """SHA-256, in hex, over the digests of config, weights and tokenizer. UserError where one of the first two is not
    there."""
    tokenizer = folder / "tokenizer.json"
    files = [config_file(folder), *files_of(folder), *([tokenizer] if tokenizer.is_file() else [])]
    return hashlib.sha256("\n".join(f"{file.name} {digest(file)}" for file in files).encode()).hexdigest()
