"""Parquet files of any store, opened for reading."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.store import storage


@contextmanager
def open_parquet(path: str) -> Iterator[pq.ParquetFile]:
    """Raises what pyarrow raises for a file that is none."""
    fs, inside = storage.filesystem(path)
    with fs.open(inside, "rb") as opened, pq.ParquetFile(opened) as file:
        yield file


def read_parquet(path: str, columns: Sequence[str] | None = None) -> pa.Table:
    """A whole file, without starting threads, so that the caller may fork."""
    with open_parquet(path) as file:
        return file.read(columns, use_threads=False)


def batches_of(path: str, rows: int, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Its rows, so many at a time, without starting threads."""
    with open_parquet(path) as file:
        yield from file.iter_batches(rows, columns=columns, use_threads=False)
