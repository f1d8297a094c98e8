"""A table of Parquet files as pieces for processes: which there are, their rows, and new files of rows."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.store import storage
from schemas.records import ROW_GROUP_ROWS

SPLIT_BYTES = 16 << 20  # uncompressed; smaller pieces keep all processes busy to the end
BATCH_ROWS = 1024  # at most; of large texts fewer
BATCH_BYTES = 32 << 20


class Split(NamedTuple):
    """Row groups of a file. number: over the whole table, in the order of names."""

    number: int
    path: str
    groups: tuple[int, ...]
    rows: int


class Table(NamedTuple):
    schema: pa.Schema
    splits: list[Split]
    rows: int


def table(folder: str) -> Table | None:
    """None for what only an engine can read as one table: other files in it, other schemas."""
    fs, inside = storage.filesystem(folder)
    names = list(storage.listing(folder))
    if not names or not all(name.endswith(".parquet") for name in names):
        return None
    paths = [inside] if not fs.isdir(inside) else [f"{inside}/{name}" for name in names]
    schema: pa.Schema | None = None
    pieces: list[tuple[str, tuple[int, ...], int]] = []
    for path in paths:
        try:
            with fs.open(path, "rb") as file:
                parquet = pq.ParquetFile(file)
                own, footer = parquet.schema_arrow.remove_metadata(), parquet.metadata
        except (pa.ArrowInvalid, OSError):  # the engine names the broken file
            return None
        if schema is not None and not own.equals(schema):
            return None
        schema = own
        pieces.extend((path, *one) for one in _pieces(footer))
    assert schema is not None
    if not pieces:
        pieces = [(paths[0], (), 0)]
    splits = [Split(number, *piece) for number, piece in enumerate(pieces)]
    return Table(schema, splits, sum(one.rows for one in splits))


def _pieces(footer: pq.FileMetaData) -> Iterator[tuple[tuple[int, ...], int]]:
    groups: list[int] = []
    size = rows = 0
    for number in range(footer.num_row_groups):
        group = footer.row_group(number)
        if groups and size + group.total_byte_size > SPLIT_BYTES:
            yield tuple(groups), rows
            groups, size, rows = [], 0, 0
        groups.append(number)
        size, rows = size + group.total_byte_size, rows + group.num_rows
    if groups:
        yield tuple(groups), rows


def batches(folder: str, split: Split, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Rows of the split, in order. `folder`: of its table, to know the store by."""
    fs, _ = storage.filesystem(folder)
    with fs.open(split.path, "rb") as file:
        parquet = pq.ParquetFile(file)
        for number in split.groups:
            group = parquet.metadata.row_group(number)
            rows = BATCH_BYTES * group.num_rows // max(1, group.total_byte_size)
            yield from parquet.iter_batches(min(BATCH_ROWS, max(1, rows)), row_groups=[number], columns=columns)


def write(path: str, schema: pa.Schema, rows: Iterable[pa.RecordBatch], plain: Sequence[str]) -> int:
    """A file of the rows, whole or not at all; how many. `plain`: columns whose values hardly repeat."""
    repeated = [name for name in schema.names if name not in plain]
    count = 0
    with storage.whole_file(path) as file:
        writer = pq.ParquetWriter(file, schema, compression="zstd", use_dictionary=repeated)
        waiting: list[pa.RecordBatch] = []
        with writer:
            for batch in rows:
                count += len(batch)
                waiting.append(batch)
                if sum(map(len, waiting)) >= ROW_GROUP_ROWS or sum(one.nbytes for one in waiting) >= BATCH_BYTES:
                    writer.write_table(pa.Table.from_batches(waiting, schema), row_group_size=ROW_GROUP_ROWS)
                    waiting = []
            if waiting:
                writer.write_table(pa.Table.from_batches(waiting, schema), row_group_size=ROW_GROUP_ROWS)
    return count
