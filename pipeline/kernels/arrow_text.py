"""Texts as Arrow holds them: one buffer of UTF-8 and offsets into it, which kernels read without making a str."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pyarrow as pa


class Utf8(NamedTuple):
    """`data` uint8, `offsets` int64 of shape (n + 1,): text i is data[offsets[i] : offsets[i + 1]]; null is empty."""

    data: np.ndarray
    offsets: np.ndarray


def utf8(texts: pa.Array) -> Utf8:
    """The buffers of a string or large_string array, not copied. Its nulls must have no bytes, as Arrow's own have."""
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    width = np.int64 if pa.types.is_large_string(texts.type) or pa.types.is_large_binary(texts.type) else np.int32
    _, offsets, data = texts.buffers()
    if offsets is None or not len(texts):
        return Utf8(np.empty(0, np.uint8), np.zeros(len(texts) + 1, np.int64))
    places = np.frombuffer(offsets, width)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    return Utf8(np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8), places)


def from_strings(texts: Iterable[str]) -> pa.Array:
    """A large_string array of any strs; lone surrogates keep the three bytes that `surrogatepass` gives them."""
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    offsets = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.large_string(), len(encoded), buffers)


def to_strings(texts: pa.Array) -> list[str | None]:
    """A string or large_string array as strs; what is no UTF-8 in it becomes U+FFFD."""
    try:
        return list(texts.to_pylist())
    except UnicodeDecodeError:
        cells = texts.cast(pa.large_binary()).to_pylist()
        return [None if cell is None else cell.decode("utf-8", "replace") for cell in cells]
