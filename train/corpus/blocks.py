"""Blocks: the unit in which documents are tokenised, cached and put in order. A block is a row group of a shard, or a
part of a large one; its name and its key hang on the shard's name and its place in it, not on what it holds, so that a
page that is taken down moves no other document.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from train.corpus.hashing import U64, combine, hash_id
from train.corpus.shards import ShardFile, Split

ROWS = 1024  # documents of a block at most; row groups of our shards are no larger


class Block(NamedTuple):
    """`rows` rows of a file's row group, from `first` on."""

    file: ShardFile
    group: int
    first: int
    rows: int


@dataclass(frozen=True)
class Blocks:
    """The blocks of one language's split. All arrays are [blocks]; 28 bytes a block. key: a hash of each one's name."""

    files: tuple[ShardFile, ...]
    file: NDArray[np.int32]
    group: NDArray[np.int32]
    first: NDArray[np.int64]
    rows: NDArray[np.int32]
    key: U64

    def __len__(self) -> int:
        return len(self.key)

    def block(self, number: int) -> Block:
        file = self.files[int(self.file[number])]
        return Block(file, int(self.group[number]), int(self.first[number]), int(self.rows[number]))


def blocks_of(files: Sequence[ShardFile], language: str, split: Split) -> Blocks:
    """Those of the files of `language` and `split`, in the files' order."""
    chosen = tuple(file for file in files if (file.language, file.split) == (language, split))
    columns: list[list[NDArray[np.int64]]] = [[np.empty(0, np.int64)] for _ in range(4)]
    keys: list[U64] = [np.empty(0, np.uint64)]
    for number, file in enumerate(chosen):
        groups = np.array(file.groups, np.int64)
        parts = np.maximum(1, -(-groups // ROWS))  # an empty group keeps its place
        group = np.repeat(np.arange(len(groups)), parts)
        first = (np.arange(len(group)) - np.repeat(np.cumsum(parts) - parts, parts)) * ROWS
        rows = np.minimum(groups[group] - first, ROWS)
        for column, values in zip(columns, (np.full(len(group), number), group, first, rows), strict=True):
            column.append(values)
        keys.append(combine(hash_id(file.name), group, first) if len(group) else np.empty(0, np.uint64))
    file_number, group, first, rows = (np.concatenate(column) for column in columns)
    return Blocks(
        chosen,
        file_number.astype(np.int32),
        group.astype(np.int32),
        first,
        rows.astype(np.int32),
        np.concatenate(keys),
    )
