"""The shards of a mixture: which files there are, and how often each language is to be seen.

The folder is a Hugging Face dataset: `data/<language>_<Script>/{train,validation}-00000-of-000NN.parquet` and
`mixture.json`, whose `languages.<language>_<Script>.epochs` says how often one pass over the mixture shows each
training document of that language (a fraction shows a part of them). Without mixture.json each is shown once.
"""

import hashlib
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import UserError

Split = Literal["train", "validation"]

COLUMNS = ("id", "text")
FILE_NAME = re.compile(r"(train|validation)(?:-\d+-of-\d+)?\.parquet")
DIGEST_TAIL = 1 << 16


@dataclass(frozen=True)
class ShardFile:
    """One parquet file. digest: 16 hexadecimal digits over its name, size and last 64 KiB, where the footer is."""

    language: str
    split: Split
    path: Path
    digest: str


@dataclass(frozen=True)
class Shards:
    """files are sorted by language, split and name; languages are those with training files, sorted."""

    files: tuple[ShardFile, ...]
    languages: tuple[str, ...]
    epochs: dict[str, float]

    @property
    def digest(self) -> str:
        """SHA-256 over the list of files and the epochs: the identity of the data order, with the seed."""
        lines = [f"{file.language}/{file.path.name} {file.digest}" for file in self.files]
        lines += [f"{language} {self.epochs[language]!r}" for language in self.languages]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def open_shards(root: Path) -> Shards:
    """Lists and checks the shards under `root`; UserError names the first thing that does not fit.

    A language with validation files alone is left out.
    """
    if not root.is_dir():
        raise UserError(f"there is no folder {root}: point --shards to a folder that jobs/sample.py wrote")
    paths = sorted((root / "data").glob("*/*.parquet"))
    files = []
    for path in paths:
        match = FILE_NAME.fullmatch(path.name)
        if match is None:
            raise UserError(f"{path} is neither train-*.parquet nor validation-*.parquet: move or rename it")
        split: Split = "train" if match[1] == "train" else "validation"
        _check_columns(path)
        files.append(ShardFile(path.parent.name, split, path, _digest(path)))
    languages = tuple(sorted({file.language for file in files if file.split == "train"}))
    if not languages:
        raise UserError(f"{root} holds no data/<language>_<Script>/train-*.parquet: run jobs/sample.py first")
    epochs = read_epochs(root / "mixture.json", languages)
    files = [file for file in files if file.language in languages]
    return Shards(tuple(files), languages, epochs)


def read_epochs(path: Path, languages: tuple[str, ...]) -> dict[str, float]:
    """Epochs a pass of each of `languages`; 1 where there is no file. UserError where file and folders disagree."""
    if not path.is_file():
        return dict.fromkeys(languages, 1.0)
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))["languages"]
        epochs = {language: float(entry["epochs"]) for language, entry in listed.items()}
        documents = {language: int(entry.get("documents", 0)) for language, entry in listed.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is no mixture (languages.<language>.epochs): {error!r}; write it again") from None
    for language, value in epochs.items():
        if not (math.isfinite(value) and value >= 0):
            raise UserError(f"{path} gives {language} epochs = {value}: give a number from 0 up")
        if value and documents[language] and language not in languages:
            raise UserError(f"{path} names {language}, which has no training file: run jobs/sample.py again")
    for language in languages:
        if language not in epochs:
            raise UserError(f"{path} does not name {language}, which has training files: run jobs/sample.py again")
    if not any(epochs[language] for language in languages):
        raise UserError(f"{path} gives every language epochs = 0: give one of them more")
    return {language: epochs[language] for language in languages}


def _check_columns(path: Path) -> None:
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path} is no parquet file: {str(error).splitlines()[0]}; write it again") from None
    for column in COLUMNS:
        if column not in schema.names:
            raise UserError(f"{path} has no column {column}, only {', '.join(schema.names)}: write the shards again")
        kind = schema.field(column).type
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
            raise UserError(f"{path} has {kind} in column {column} where text belongs: write the shards again")
    if "weight" in schema.names:
        kind = schema.field("weight").type
        if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
            raise UserError(f"{path} has {kind} in column weight where numbers belong: write the shards again")


def _digest(path: Path) -> str:
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - DIGEST_TAIL))
        tail = file.read()
    return hashlib.sha256(f"{path.parent.name}/{path.name} {size} ".encode() + tail).hexdigest()[:16]
