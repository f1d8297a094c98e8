"""Signatures as rows of schemas.dedup.SIGNATURES, a batch of texts at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.duplicates.minhash import MinHasher
from pipeline.duplicates.minhash import signatures as signatures_of
from pipeline.workers.expendable import enter
from pipeline.workers.guard import Failure, Guard
from schemas.dedup import SIGNATURES

BATCH_BYTES = 1 << 28  # of text at once: Arrow's binary column of shingles ends at 2 GB


@dataclass(frozen=True)
class Signer:
    """`signature_rows` with its settings."""

    hasher: MinHasher
    min_shingles: int

    def __call__(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        enter("signing")
        return signature_rows(batch, self.hasher, self.min_shingles)


def guarded_signature_rows(guard: Guard, signer: Signer, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """`signature_rows` by a guard over the signer; a text on which that fails has a row without a text_hash."""
    for given, made in guard(batch):
        if isinstance(made, Failure):
            yield _unsigned(given, signer.hasher)
        else:
            yield from made


def _unsigned(row: pa.RecordBatch, hasher: MinHasher) -> pa.RecordBatch:
    unknown: dict[str, Any] = {"text_hash": None, "n_shingles": 0, "bands": [], "shingles": b"", "n_chars": 0}
    known = {name: row.column(name) for name in ("id", "quality", "date", "language", "language_script")}
    columns = {**{name: [value] for name, value in unknown.items()}, "signature_version": [hasher.version], **known}
    return pa.RecordBatch.from_pydict(columns, schema=SIGNATURES)


def signature_rows(batch: pa.RecordBatch, hasher: MinHasher, min_shingles: int) -> Iterator[pa.RecordBatch]:
    """Of a batch with the columns id, text, quality, date, language, language_script."""
    texts = batch.column("text")
    if len(batch) > 1 and texts.nbytes > BATCH_BYTES:
        half = len(batch) // 2
        yield from signature_rows(batch.slice(0, half), hasher, min_shingles)
        yield from signature_rows(batch.slice(half), hasher, min_shingles)
        return
    signed = signatures_of(texts, hasher, min_shingles)
    count = len(batch)
    columns = {
        "id": batch.column("id"),
        "text_hash": _binary(signed.text_hashes, np.arange(count + 1) * 16),
        "n_shingles": pa.array(signed.n_shingles),
        "bands": pa.ListArray.from_arrays(pa.array(signed.band_places.astype(np.int32)), pa.array(signed.bands)),
        "shingles": _binary(signed.shingles, signed.shingle_places * 4),
        "signature_version": pa.array([hasher.version]).take(pa.array(np.zeros(count, np.int32))),
        "quality": batch.column("quality"),
        "n_chars": pc.fill_null(pc.utf8_length(texts), 0).cast(pa.int64()),
        **{name: batch.column(name) for name in ("date", "language", "language_script")},
    }
    yield pa.RecordBatch.from_arrays([columns[name] for name in SIGNATURES.names], schema=SIGNATURES)


def _binary(values: np.ndarray, places: np.ndarray) -> pa.Array:
    """Binary cells of the little-endian bytes of `values`; `places`: bytes."""
    data = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    return pa.Array.from_buffers(
        pa.binary(), len(places) - 1, [None, pa.py_buffer(places.astype(np.int32)), pa.py_buffer(data)]
    )
