"""Parquet files of any store, opened for reading."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.store import storage
from schemas.errors import UserError


@contextmanager
def open_parquet(path: str) -> Iterator[pq.ParquetFile]:
    """Raises what pyarrow raises for a file that is none."""
    with storage.read_file(path) as opened, pq.ParquetFile(opened) as file:
        yield file


@contextmanager
def damage_named(path: str) -> Iterator[None]:
    """What pyarrow cannot read of a user's file is a UserError that names the file; what a disk or a store says of
    itself stays as it is."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{path} is not readable as Parquet ({reason[:200]}): remove it or name another --input"
        ) from None


def read_parquet(path: str, columns: Sequence[str] | None = None) -> pa.Table:
    """A whole file, without starting threads, so that the caller may fork."""
    with open_parquet(path) as file:
        return file.read(columns, use_threads=False)


def n_rows(path: str) -> int:
    """Of a file, by its footer."""
    with open_parquet(path) as file:
        return int(file.metadata.num_rows)


def batches_of(path: str, rows: int, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Its rows, so many at a time, without starting threads."""
    with open_parquet(path) as file:
        yield from file.iter_batches(rows, columns=columns, use_threads=False)
