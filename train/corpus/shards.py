"""The shards of a mixture: which files there are.

The folder is a Hugging Face dataset: `data/<language>_<Script>/{train,validation}-00000-of-000NN.parquet`, and beside
`data` mixture.json, which `train/corpus/mixture.py` reads. One that jobs/sample.py wrote may have generations
(`schemas.generations`): then these are the files of the current one.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import UserError
from schemas.generations import CURRENT, inside, pointer, table_files
from train.corpus.mixture import Mixture, read_mixture

Split = Literal["train", "validation"]

COLUMNS = ("id", "text")
FILE_NAME = re.compile(r"(train|validation)(?:-\d+-of-\d+)?\.parquet")
DIGEST_TAIL = 1 << 16
ORDER_VERSION = 3  # of order and masks: what they make of the same files; a run does not go on under another


@dataclass(frozen=True)
class ShardFile:
    """One parquet file. digest: 16 hexadecimal digits over its name, size and last 64 KiB, where the footer is.

    groups: rows of each row group.
    """

    language: str
    split: Split
    path: Path
    digest: str
    groups: tuple[int, ...]

    @property
    def name(self) -> str:
        return f"{self.language}/{self.path.name}"


@dataclass(frozen=True)
class Shards:
    """files are sorted by language, split and name; languages are those with training files, sorted."""

    files: tuple[ShardFile, ...]
    languages: tuple[str, ...]
    mixture: Mixture

    def identity(self) -> str:
        """SHA-256 over what the order of the data hangs on: the files' names and numbers of row groups, and what the
        mixture wants. Pages that are taken down leave it as it is; where sample has written no mixture, the files'
        own digests stand in."""
        ours = self.mixture.fingerprint is not None
        lines = [f"order {ORDER_VERSION}", *self.mixture.identity()]
        lines += [f"{file.name} {len(file.groups)} {'' if ours else file.digest}" for file in self.files]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def open_shards(root: Path) -> Shards:
    """Lists and checks the shards under `root`; UserError names the first thing that does not fit.

    A language with validation files alone is left out.
    """
    if not root.is_dir():
        raise UserError(f"there is no folder {root}: point --shards to a folder that jobs/sample.py wrote")
    place, paths = _current(root)
    files = []
    for path in paths:
        match = FILE_NAME.fullmatch(path.name)
        if match is None:
            raise UserError(f"{path} is neither train-*.parquet nor validation-*.parquet: move or rename it")
        split: Split = "train" if match[1] == "train" else "validation"
        groups = _row_groups(path)
        files.append(ShardFile(path.parent.name, split, path, _digest(path), groups))
    languages = tuple(sorted({file.language for file in files if file.split == "train"}))
    if not languages:
        raise UserError(f"{root} holds no data/<language>_<Script>/train-*.parquet: run jobs/sample.py first")
    mixture = read_mixture(place / "mixture.json", languages)
    files = [file for file in files if file.language in languages]
    return Shards(tuple(files), languages, mixture)


def holds_shards(root: Path) -> bool:
    """Whether the folder is one of shards, at any generation."""
    return (root / "data").is_dir() or (root / CURRENT).is_file()


def _current(root: Path) -> tuple[Path, list[Path]]:
    """Where mixture.json lies, and the shards."""

    def read(name: str) -> Any:
        try:
            return json.loads((root / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError:
            raise UserError(f"{root / name} is damaged: run jobs/sample.py again") from None

    said = pointer(read)
    place = root / inside(said["generation"]) if said else root
    listed = table_files(read, said["generation"], "data") if said else None
    if listed is not None:
        return place, [root / path for path in listed.values()]
    return place, sorted((root / "data").glob("*/*.parquet"))


def _row_groups(path: Path) -> tuple[int, ...]:
    try:
        footer = pq.read_metadata(path)
        schema = footer.schema.to_arrow_schema()
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
    return tuple(footer.row_group(number).num_rows for number in range(footer.num_row_groups))


def _digest(path: Path) -> str:
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - DIGEST_TAIL))
        tail = file.read()
    return hashlib.sha256(f"{path.parent.name}/{path.name} {size} ".encode() + tail).hexdigest()[:16]
