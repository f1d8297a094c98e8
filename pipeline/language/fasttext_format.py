"""The parts of a file that the fastText library wrote: numbers, words and matrices, dense or product-quantised.

Nothing in the file is believed: a read past its end, or a part that cannot be, is a ValueError.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

BLOCK = 1 << 20  # bytes read at once; no word is longer
CENTROIDS = 256
_ENTRY = struct.Struct("<qb")


@dataclass(frozen=True, slots=True)
class Quantised:
    """Rows as codes: row i is norms[i] times its parts' centroids, of `width` values each (the last may be shorter).

    `codes` uint8 of shape (rows, parts), `norms` float32 (rows,), `centroids` float32 (parts, 256, width), zero-padded.
    """

    codes: np.ndarray
    norms: np.ndarray
    centroids: np.ndarray

    def dense(self, dim: int) -> np.ndarray:
        """float32 of shape (rows, dim)."""
        parts = [self.centroids[part].take(self.codes[:, part], axis=0) for part in range(self.codes.shape[1])]
        return np.ascontiguousarray((np.concatenate(parts, axis=1)[:, :dim] * self.norms[:, None]).astype(np.float32))


class Reader:
    """Reads what fastText wrote; every read is checked against the file's length."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file, self._path = file, path
        self._size = os.fstat(file.fileno()).st_size

    def _take(self, size: int) -> bytes:
        if size < 0 or size > self._size - self._file.tell():
            raise ValueError("it ends too early")
        return self._file.read(size)

    def numbers(self, form: str) -> tuple:
        return struct.unpack(form, self._take(struct.calcsize(form)))

    def flag(self) -> bool:
        return self._take(1) != b"\0"

    def array(self, kind: str, count: int) -> np.ndarray:
        return np.frombuffer(self._take(np.dtype(kind).itemsize * count), kind)

    def entries(self, number: int) -> Iterator[tuple[bytes, int, bool]]:
        """Words with their counts and whether each is a label, read by blocks; then the place is after the last."""
        block, at = b"", 0
        for _ in range(number):
            end = block.find(b"\0", at)
            if end < 0 or end + 1 + _ENTRY.size > len(block):
                block, at = block[at:] + self._file.read(BLOCK), 0
                end = block.find(b"\0")
                if end < 0 or end + 1 + _ENTRY.size > len(block):
                    raise ValueError("it ends too early" if len(block) < BLOCK else "a word of it has no end")
            count, kind = _ENTRY.unpack_from(block, end + 1)
            yield block[at:end], count, kind == 1
            at = end + 1 + _ENTRY.size
        self._file.seek(at - len(block), os.SEEK_CUR)

    def dense(self, mapped: bool) -> np.ndarray:
        rows, dim = self.numbers("<2q")
        start, size = self._file.tell(), rows * dim * 4
        if rows < 0 or dim < 1 or size > self._size - start:
            raise ValueError("it ends too early")
        if mapped and rows:
            self._file.seek(size, os.SEEK_CUR)
            return np.memmap(self._path, "<f4", "r", start, (rows, dim)).view(np.ndarray)
        return self.array("<f4", rows * dim).reshape(rows, dim)

    def quantised(self) -> Quantised:
        has_norms = self.flag()
        rows, _ = self.numbers("<2q")
        (size,) = self.numbers("<i")
        if rows < 1 or size % rows:
            raise ValueError("its matrices do not fit")
        codes = self.array("u1", size).reshape(rows, size // rows)
        centroids = self._read_centroids()
        if len(centroids) != codes.shape[1]:
            raise ValueError("its matrices do not fit")
        norms = np.ones(rows, np.float32)
        if has_norms:
            norm_codes = self.array("u1", rows)
            norms = self._read_centroids()[0, :, 0].take(norm_codes)
        return Quantised(codes, norms, centroids)

    def _read_centroids(self) -> np.ndarray:
        dim, parts, width, last = self.numbers("<4i")
        if not (parts > 0 and 0 < last <= width and dim == (parts - 1) * width + last):
            raise ValueError("its matrices do not fit")
        values = self.array("<f4", dim * CENTROIDS)
        centroids = np.zeros((parts, CENTROIDS, width), np.float32)
        whole = (parts - 1) * CENTROIDS * width
        centroids[:-1] = values[:whole].reshape(parts - 1, CENTROIDS, width)
        centroids[-1, :, :last] = values[whole:].reshape(CENTROIDS, last)
        return centroids


def shape(matrix: Quantised | np.ndarray) -> tuple[int, int]:
    """Rows and values a row; of a quantised matrix with the last part's padding."""
    if isinstance(matrix, Quantised):
        return len(matrix.codes), matrix.centroids.shape[0] * matrix.centroids.shape[2]
    return matrix.shape[0], matrix.shape[1]
