"""Signatures of texts as rows of schemas.dedup.SIGNATURES: of a batch, and of a table, a file a split."""

import functools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config import DedupConfig
from pipeline.duplicates.minhash import MinHasher
from pipeline.duplicates.minhash import signatures as signatures_of
from pipeline.duplicates.survivors import quality_of
from pipeline.repeats.small_lines import step
from pipeline.store import storage
from pipeline.store.document_table import DocumentTable, column_or, labels_of, rows_of
from pipeline.store.parquet_files import read_parquet
from pipeline.store.row_groups import RowGroupWriter
from pipeline.store.table_splits import BATCH_BYTES, Split, part_file
from pipeline.workers.expendable import enter
from pipeline.workers.guard import Failure, Guard
from pipeline.workers.tasks import TaskRunner
from schemas.dedup import SIGNATURES
from schemas.records import UNLABELLED

TEXT_BYTES = 1 << 28  # of text at once: Arrow's binary column of shingles ends at 2 GB
PLAIN = ("id", "text_hash", "bands", "shingles", "n_chars")


@dataclass(frozen=True)
class Signer:
    """`signature_rows` with its settings."""

    hasher: MinHasher
    min_shingles: int

    def __call__(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        enter("signing")
        return signature_rows(batch, self.hasher, self.min_shingles)


def sign(table: DocumentTable, config: DedupConfig, folder: str, run_tasks: TaskRunner) -> list[int]:
    """Writes rows of SIGNATURES to the folder, a file a split, one a row that counts, in their order; how many in
    each."""
    signer, splits = Signer(config.hasher(), config.min_shingles), table.files.splits
    signing = functools.partial(_sign_split, table=table, signer=signer, config=config, folder=folder)
    return run_tasks(signing, splits, step("signatures", splits))


def _sign_split(split: Split, table: DocumentTable, signer: Signer, config: DedupConfig, folder: str) -> int:
    names, quality_column = set(table.files.schema.names), config.quality_column
    guard = _guard(signer, config.text_seconds)
    optional = [name for name in (quality_column, "date", *UNLABELLED) if name in names]
    columns = list(dict.fromkeys([table.id_column, table.text_column, *optional]))
    with RowGroupWriter(part_file(folder, split), SIGNATURES, plain=PLAIN, most_bytes=BATCH_BYTES) as out:
        for batch in rows_of(table, split, columns):
            for signed in guarded_signature_rows(guard, signer, _to_sign(batch, table, quality_column)):
                out.write(signed)
    return out.rows


@functools.lru_cache(maxsize=1)
def _guard(signer: Signer, text_seconds: float) -> Guard:
    """Once a worker."""
    return Guard("dedup", signer, text_seconds)


def _to_sign(batch: pa.RecordBatch, table: DocumentTable, quality_column: str) -> pa.RecordBatch:
    columns = {
        "id": batch.column(table.id_column),
        "text": pc.fill_null(batch.column(table.text_column), ""),
        "quality": quality_of(batch, quality_column),
        "date": pc.fill_null(column_or(batch, "date", ""), ""),
        **{name: column_or(batch, name, missing) for name, missing in UNLABELLED.items()},
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


def leave_out(item: tuple[str, int, str]) -> Counter[str]:
    """Takes rows out of a file of signatures; how many by label. item: the file, its rows, and a table of those that
    go, `row`, ascending. What a file lacks already an earlier attempt took, which has said so beside the table."""
    path, n, gone = item
    table, said = read_parquet(path), f"{gone}.json"
    if len(table) == n:
        goes = np.zeros(n, np.bool_)
        goes[read_parquet(gone, ["row"])["row"].to_numpy()] = True
        storage.write_json(said, Counter(labels_of(table.filter(pa.array(goes)))))
        with RowGroupWriter(path, SIGNATURES, plain=PLAIN, most_bytes=BATCH_BYTES) as out:
            out.write(table.filter(pa.array(~goes)))
    return Counter(storage.read_json(said))


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
    if len(batch) > 1 and texts.nbytes > TEXT_BYTES:
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
