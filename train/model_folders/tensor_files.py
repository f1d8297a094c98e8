"""Files of tensors read and written one tensor at a time, so that models that do not fit into memory can be.

A safetensors file is the length of its header (8 bytes, little-endian), a header in JSON, which says of each tensor
its dtype, shape and place, and the tensors' bytes without gaps (https://huggingface.co/docs/safetensors). Bytes are
read into memory of our own: what is mapped counts as the process's for as long as the file is open.
"""

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from schemas.errors import UserError
from train.checkpoints.files import WholeFile

DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}
ALIGNMENT = 8  # bytes, of the first tensor's place: as the library writes it
AT_ONCE = 1 << 25  # bytes that are written before the disk is to begin with them
LONGEST_HEADER = 100_000_000  # bytes: the library's own limit


@dataclass(frozen=True)
class Described:
    """What a tensor is, without its numbers."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


class TensorReader:
    """The tensors of safetensors files, by name; a context that closes the files. Shards are given together.

    described: in the order of the files and of their bytes. metadata: of all files. UserError for a file that is no
    safetensors, that ends early, that has dtypes we do not read, or that cannot be opened.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.described: dict[str, Described] = {}
        self.metadata: dict[str, str] = {}
        self._places: dict[str, tuple[int, int, Path]] = {}  # descriptor, offset
        self._open = ExitStack()
        try:
            for path in paths:
                self._add(path)
        except BaseException:
            self._open.close()
            raise

    def _add(self, path: Path) -> None:
        try:
            file = self._open.enter_context(path.open("rb", buffering=0))
            size = os.fstat(file.fileno()).st_size
            length = int.from_bytes(file.read(8), "little")
            if not 0 < length <= min(LONGEST_HEADER, size - 8):
                raise ValueError("its header has no length that fits")
            header: dict[str, Any] = json.loads(file.read(length))
            self.metadata |= header.pop("__metadata__", {})
            for name, told in sorted(header.items(), key=lambda one: one[1]["data_offsets"]):
                one = Described(name, DTYPES[told["dtype"]], tuple(told["shape"]))
                begin, end = told["data_offsets"]
                if end - begin != one.bytes or begin < 0 or 8 + length + end > size:
                    raise ValueError(f"it ends within {name}")
                self.described[name] = one
                self._places[name] = file.fileno(), 8 + length + begin, path
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path} is no whole file of tensors ({error}): copy it again") from None

    def read(self, name: str) -> Tensor:
        """On the CPU, in memory of its own, of the file's dtype. KeyError for a name that is not there."""
        one, (descriptor, offset, path) = self.described[name], self._places[name]
        tensor = torch.empty(one.shape, dtype=one.dtype)
        if not one.bytes:
            return tensor
        room = _bytes(tensor)
        while room:
            count = os.preadv(descriptor, [room], offset)
            if count <= 0:
                raise UserError(f"{path} ends within {name}: copy it again")
            room, offset = room[count:], offset + count
        return tensor

    def close(self) -> None:
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class TensorWriter(WholeFile):
    """A safetensors file, tensor by tensor, in the order in which they are described; whole or not at all.

    UserError where the file cannot be made, and where the disk is full.
    """

    def __init__(self, target: Path, described: Iterable[Described], metadata: Mapping[str, str] | None = None) -> None:
        header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
        self._left, end = [], 0
        for one in described:
            if one.name in header:
                raise ValueError(f"{one.name} is described twice")
            header[one.name] = {
                "dtype": NAMES[one.dtype],
                "shape": list(one.shape),
                "data_offsets": [end, end + one.bytes],
            }
            self._left.append(one)
            end += one.bytes
        self._left.reverse()
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        self._begun = 0  # bytes that the disk was asked to take
        self._header = text.ljust(-(-len(text) // ALIGNMENT) * ALIGNMENT)
        super().__init__(target)

    def __enter__(self) -> Self:
        try:
            self._file = self.part.open("wb", buffering=0)
            self._write(memoryview(len(self._header).to_bytes(8, "little") + self._header))
        except OSError as error:  # no __exit__ comes after this
            self.part.unlink(missing_ok=True)
            raise self._cannot(error) from None
        return self

    def write(self, name: str, tensor: Tensor) -> None:
        """The next tensor; what is not what was described is a ValueError. It is cast to the dtype described."""
        if not self._left or (self._left[-1].name, self._left[-1].shape) != (name, tuple(tensor.shape)):
            awaited = f"{self._left[-1].name} {list(self._left[-1].shape)}" if self._left else "no more"
            raise ValueError(f"{name} {list(tensor.shape)} was given, where {awaited} was described")
        tensor = tensor.detach().to("cpu", self._left.pop().dtype).contiguous()
        if tensor.numel():
            self._write(_bytes(tensor))

    def _write(self, left: memoryview) -> None:
        while left:
            left = left[self._file.write(left[:AT_ONCE]) :]
            end = self._file.tell()
            if end - self._begun >= AT_ONCE and hasattr(os, "posix_fadvise"):
                # Linux begins to write what is advised away; else all of it would wait for the sync at the end.
                os.posix_fadvise(self._file.fileno(), self._begun, end - self._begun, os.POSIX_FADV_DONTNEED)
                self._begun = end

    def close(self, whole: bool) -> None:
        self._file.close()
        if whole and self._left:
            raise ValueError(f"{self._left[-1].name} was described and not written")


def _bytes(tensor: Tensor) -> memoryview:
    """Those of a contiguous tensor on the CPU, to read and to write."""
    numbers: Any = tensor.view(-1).view(torch.uint8).numpy()
    return memoryview(numbers)
