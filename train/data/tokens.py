"""Token ids of the shards, computed once and then read as memory maps.

One shard file gives two files under the cache: `<name>.tokens`, the ids of all its documents one after another, without
special tokens and little-endian (uint16 where the vocabulary fits, else uint32), and `<name>.index.npy`, a row a
document with the hash of its id, its number of tokens and its weight. The names hold the digests of shard and tokenizer
and the cache's format, so that neither changed input nor an older cache is mistaken for this one. The index appears
last, by a rename: where it is, both are whole.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from schemas.errors import UserError
from train.data.hashing import U64, hash_id
from train.data.shards import ShardFile, Split
from train.data.vocabulary import Vocabulary

INDEX = np.dtype([("id_hash", "<u8"), ("tokens", "<u4"), ("weight", "<f4")])
FORMAT = 2  # of the cache
ROWS = 1024  # documents tokenised at a time; the shards' row groups are no larger


def token_dtype(vocabulary: Vocabulary) -> np.dtype[np.unsignedinteger]:
    return np.dtype("<u2") if vocabulary.size <= 1 << 16 else np.dtype("<u4")


def cache_paths(cache: Path, file: ShardFile, vocabulary: Vocabulary) -> tuple[Path, Path]:
    """(tokens, index) of one shard file."""
    name = f"{file.path.stem}-{file.digest}-{vocabulary.digest[:16]}-{FORMAT}"
    return cache / file.language / f"{name}.tokens", cache / file.language / f"{name}.index.npy"


def tokenize(cache: Path, files: Sequence[ShardFile], vocabulary: Vocabulary) -> Iterator[tuple[ShardFile, int]]:
    """Fills the cache for the `files` that it lacks; yields each such file and its number of tokens when it is done.

    A row whose text is null or empty has no tokens and is never shown. Rows of a file without weights weigh 1.
    UserError for a null id, and for a weight that is no finite number from 0 up.
    """
    for file in files:
        tokens_path, index_path = cache_paths(cache, file, vocabulary)
        if index_path.exists():
            continue
        tokens_path.parent.mkdir(parents=True, exist_ok=True)
        # Two processes may share a cache; each writes under its own name, and either's rename gives the same bytes.
        part = f".{os.getpid()}.part"
        parts = tokens_path.with_name(tokens_path.name + part), index_path.with_name(index_path.name + part)
        index = _write_tokens(file, vocabulary, parts[0])
        with parts[1].open("wb") as out:
            np.save(out, index)
            _sync(out.fileno())
        parts[0].replace(tokens_path)
        parts[1].replace(index_path)
        yield file, int(index["tokens"].sum(dtype=np.int64))


def _write_tokens(file: ShardFile, vocabulary: Vocabulary, path: Path) -> NDArray[np.void]:
    rows = []
    dtype = token_dtype(vocabulary)
    with path.open("wb") as out, pq.ParquetFile(file.path) as table:
        columns = [name for name in ("id", "text", "weight") if name in table.schema_arrow.names]
        for batch in table.iter_batches(ROWS, columns=columns):
            ids = batch.column("id").to_pylist()  # by name: the file's own order rules
            if None in ids:
                raise UserError(f"{file.path} has a row without id: write the shards again")
            encoded = vocabulary.encode([text or "" for text in batch.column("text").to_pylist()])
            index = np.empty(len(ids), INDEX)
            index["id_hash"] = np.fromiter(map(hash_id, ids), np.uint64, len(ids))
            index["tokens"] = [len(tokens) for tokens in encoded]
            index["weight"] = _weights(batch, file.path)
            rows.append(index)
            out.write(np.fromiter(chain.from_iterable(encoded), dtype).tobytes())
        out.flush()
        _sync(out.fileno())
    return np.concatenate(rows) if rows else np.empty(0, INDEX)


def _weights(batch: pa.RecordBatch, path: Path) -> NDArray[np.float32]:
    if "weight" not in batch.schema.names:
        return np.ones(len(batch), np.float32)
    weights = batch.column("weight").to_numpy(zero_copy_only=False).astype(np.float32)
    if wrong := weights[~(np.isfinite(weights) & (weights >= 0))].tolist():
        raise UserError(f"{path} has a row of weight {wrong[0]}, which is no number from 0 up: write the shards again")
    return weights


def _sync(descriptor: int) -> None:
    os.fsync(descriptor)


@dataclass(frozen=True)
class TokenTable:
    """All documents of one split, a row each; rows stand in the order of files, which nothing but lookup depends on.

    id_hash: uint64 [documents]. tokens: int64 [documents]. weight: float32 [documents], how much more often it is seen
    than the epochs of its language say. language: int16 [documents], an index into `languages`.
    """

    languages: tuple[str, ...]
    id_hash: U64
    tokens: NDArray[np.int64]
    weight: NDArray[np.float32]
    language: NDArray[np.int16]
    _first_row: NDArray[np.int64]
    _offset: NDArray[np.int64]
    _maps: tuple[NDArray[np.unsignedinteger], ...]

    def read(self, row: int, start: int, stop: int) -> NDArray[np.unsignedinteger]:
        """Ids start..stop of the document in `row`; a view of the file."""
        file = int(np.searchsorted(self._first_row, row, side="right")) - 1
        offset = int(self._offset[row])
        return self._maps[file][offset + start : offset + stop]

    def totals(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(documents, tokens) of each language; int64 [languages]."""
        documents = np.bincount(self.language, minlength=len(self.languages))
        tokens = np.zeros(len(self.languages), np.int64)
        np.add.at(tokens, self.language, self.tokens)
        return documents, tokens


def open_tokens(
    cache: Path, files: Sequence[ShardFile], split: Split, languages: tuple[str, ...], vocabulary: Vocabulary
) -> TokenTable:
    """The documents of `split`, whose files are all in the cache."""
    indexes: list[NDArray[np.void]] = []
    offsets: list[NDArray[np.int64]] = []
    maps: list[NDArray[np.unsignedinteger]] = []
    numbers: list[NDArray[np.int16]] = []
    for file in files:
        if file.split != split:
            continue
        tokens_path, index_path = cache_paths(cache, file, vocabulary)
        index = np.load(index_path)
        ends = np.cumsum(index["tokens"], dtype=np.int64)
        indexes.append(index)
        offsets.append(ends - index["tokens"])
        numbers.append(np.full(len(index), languages.index(file.language), np.int16))
        dtype = token_dtype(vocabulary)
        # An empty file cannot be mapped.
        maps.append(np.memmap(tokens_path, dtype, "r") if len(ends) and ends[-1] else np.empty(0, dtype))
    index = np.concatenate(indexes) if indexes else np.empty(0, INDEX)
    return TokenTable(
        languages,
        index["id_hash"].astype(np.uint64),
        index["tokens"].astype(np.int64),
        index["weight"].astype(np.float32),
        np.concatenate(numbers) if numbers else np.empty(0, np.int16),
        np.concatenate(([0], np.cumsum([len(part) for part in indexes])[:-1])).astype(np.int64),
        np.concatenate(offsets) if offsets else np.empty(0, np.int64),
        tuple(maps),
    )
