"""Token ids of the shards, a file a block, made when somebody needs them and then read as memory maps by all runs.

A file is a header, a row a document (hash of the id, number of tokens, weight), the ids of all documents one after
another (little-endian, uint16 where the vocabulary fits, else uint32) without special tokens, and a hash of all that.
Its name holds the digests of shard and tokenizer and the cache's format, so that neither changed input nor an older
cache is mistaken for this one. It appears by a rename; one that is damaged is made again.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash
from numpy.typing import NDArray

from schemas.errors import UserError
from train.corpus.blocks import Block
from train.corpus.hashing import U64, hash_id
from train.corpus.vocabulary import Vocabulary

FORMAT = 3
MAGIC = b"wanyutok"
HEADER = np.dtype([("magic", "S8"), ("documents", "<u4"), ("width", "<u4"), ("tokens", "<u8"), ("characters", "<u8")])
INDEX = np.dtype([("id_hash", "<u8"), ("tokens", "<u4"), ("weight", "<f4")])
DIGEST_BYTES = 8


@dataclass(frozen=True)
class TokenBlock:
    """The documents of a block, a row each.

    id_hash: uint64 [documents]. tokens: int64 [documents]. weight: float64 [documents], how much more often it is seen
    than the epochs of its language say. begins: int64 [documents], where its ids begin in `ids`. characters: of all
    texts together. sentence_ends: int64, ascending, the places in `ids` behind which another sentence of the same
    document begins; None where nobody asked for them.
    """

    id_hash: U64
    tokens: NDArray[np.int64]
    weight: NDArray[np.float64]
    begins: NDArray[np.int64]
    ids: NDArray[np.unsignedinteger]
    characters: int
    sentence_ends: NDArray[np.int64] | None = None


class TokenCache:
    """The cache under `folder` for one tokenizer. `say` gets a line for each file that is damaged."""

    def __init__(self, folder: Path, vocabulary: Vocabulary, say: Callable[[str], None] = lambda line: None) -> None:
        self.folder, self.vocabulary, self.say = folder, vocabulary, say
        self.dtype = np.dtype("<u2") if vocabulary.size <= 1 << 16 else np.dtype("<u4")

    def path(self, block: Block) -> Path:
        file = block.file
        name = f"{file.path.stem}-{file.digest}-{self.vocabulary.digest[:16]}-{FORMAT}"
        return self.folder / file.language / name / f"{block.group:06d}-{block.first:09d}.tokens"

    def read(self, block: Block) -> TokenBlock | None:
        """None where it is not there; a damaged file is taken away first."""
        path = self.path(block)
        content = self.content(path)
        if content is None:
            return None
        found = _parse(content, self.dtype)
        if found is None:
            self.say(f"{path} is damaged: its block is tokenised again")
            path.unlink(missing_ok=True)
        return found

    def make(self, block: Block) -> None:
        """Tokenises a block. UserError for a null id, and for a weight that is no finite number from 0 up.

        A row whose text is null or empty has no tokens and is never shown. Rows of a file without weights weigh 1.
        """
        rows = read_rows(block)
        ids = rows.column("id").to_pylist()
        if None in ids:
            raise UserError(f"{block.file.path} has a row without id: write the shards again")
        texts = [text or "" for text in rows.column("text").to_pylist()]
        encoded = self.vocabulary.encode(texts)
        index = np.empty(len(ids), INDEX)
        index["id_hash"] = np.fromiter(map(hash_id, ids), np.uint64, len(ids))
        index["tokens"] = [len(tokens) for tokens in encoded]
        index["weight"] = _weights(rows, block.file.path)
        self.write(block, index, np.fromiter(chain.from_iterable(encoded), self.dtype), sum(map(len, texts)))

    def write(self, block: Block, index: NDArray[np.void], tokens: NDArray[np.generic], characters: int) -> None:
        """index: INDEX [documents]. tokens: ids of all documents, of the cache's dtype. characters: of all texts."""
        header = np.zeros(1, HEADER)
        header[0] = (MAGIC, len(index), self.dtype.itemsize, len(tokens), characters)
        self.publish(self.path(block), header.tobytes() + index.tobytes() + tokens.tobytes())

    def content(self, path: Path) -> NDArray[np.uint8] | None:
        """Of a file, mapped; None where it is not there."""
        try:
            return np.memmap(path, np.uint8, "r")
        except FileNotFoundError:
            return None
        except ValueError:  # an empty file cannot be mapped
            return np.empty(0, np.uint8)

    def publish(self, path: Path, content: bytes) -> None:
        """Writes a file with a hash of its content behind it. UserError where the disk does not take it."""
        content += xxhash.xxh3_64_digest(content)
        part = path.with_name(f".{path.name}.{os.getpid()}.part")  # others may be at it: the same bytes
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(content)
            part.replace(path)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise UserError(
                f"cannot write token ids to {self.folder}: {error.strerror or error}; free space or name another "
                "--token_cache"
            ) from None


def _parse(content: NDArray[np.uint8], dtype: np.dtype[np.unsignedinteger]) -> TokenBlock | None:
    if len(content) < HEADER.itemsize + DIGEST_BYTES:
        return None
    header = content[: HEADER.itemsize].view(HEADER)[0]
    documents, tokens = int(header["documents"]), int(header["tokens"])
    first = HEADER.itemsize + documents * INDEX.itemsize
    last = first + tokens * dtype.itemsize
    if header["magic"] != MAGIC or header["width"] != dtype.itemsize or len(content) != last + DIGEST_BYTES:
        return None
    if xxhash.xxh3_64_digest(content[:last].data) != content[last:].tobytes():
        return None
    index = np.frombuffer(content[HEADER.itemsize : first].tobytes(), INDEX)
    # A copy: a file that another run replaces or removes must not pull the ground away.
    ids = np.frombuffer(content[first:last].tobytes(), dtype)
    counts = index["tokens"].astype(np.int64)
    return TokenBlock(
        index["id_hash"].astype(np.uint64),
        counts,
        index["weight"].astype(np.float64),
        np.cumsum(counts) - counts,
        ids,
        int(header["characters"]),
    )


def read_rows(block: Block) -> pa.Table:
    try:
        with pq.ParquetFile(block.file.path) as file:
            columns = [name for name in ("id", "text", "weight") if name in file.schema_arrow.names]
            return file.read_row_group(block.group, columns, use_threads=False).slice(block.first, block.rows)
    except (pa.ArrowException, OSError, IndexError) as error:
        raise UserError(
            f"{block.file.path} can no longer be read ({str(error).splitlines()[0]}): give back the shards, then the "
            "same command goes on from the last checkpoint"
        ) from None


def _weights(rows: pa.Table, path: Path) -> NDArray[np.float32]:
    if "weight" not in rows.schema.names:
        return np.ones(len(rows), np.float32)
    weights = rows.column("weight").to_numpy().astype(np.float32)
    if wrong := weights[~(np.isfinite(weights) & (weights >= 0))].tolist():
        raise UserError(f"{path} has a row of weight {wrong[0]}, which is no number from 0 up: write the shards again")
    return weights
