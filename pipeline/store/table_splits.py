"""A table of Parquet files as pieces for tasks, and their rows."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.store import storage

SPLIT_BYTES = 16 << 20  # uncompressed; smaller pieces keep all workers busy to the end
BATCH_ROWS = 1024  # at most; of large texts fewer
BATCH_BYTES = 32 << 20


class Split(NamedTuple):
    """Row groups of a file. number: over the whole table, in the order of names."""

    number: int
    path: str
    groups: tuple[int, ...]
    rows: int


class SplitTable(NamedTuple):
    """folder: as given, to know the store by."""

    folder: str
    schema: pa.Schema
    splits: list[Split]
    rows: int


def split_table(folder: str, most_rows: int | None = None) -> SplitTable | None:
    """The table of a folder, or of a file. None for what only an engine can read as one table: other files in it, other
    schemas; and for one of more than `most_rows` rows, of which no more footers are read than tell that."""
    fs, inside = storage.filesystem(folder)
    names = list(storage.listing(folder))
    if not names or not all(name.endswith(".parquet") for name in names):
        return None
    paths = [inside] if not fs.isdir(inside) else [f"{inside}/{name}" for name in names]
    schema: pa.Schema | None = None
    pieces: list[tuple[str, tuple[int, ...], int]] = []
    rows = 0
    for path in paths:
        try:
            with fs.open(path, "rb") as file:
                parquet = pq.ParquetFile(file)
                own, footer = parquet.schema_arrow.remove_metadata(), parquet.metadata
        except (pa.ArrowInvalid, OSError):  # the engine names the broken file
            return None
        rows += footer.num_rows
        if (schema is not None and not own.equals(schema)) or (most_rows is not None and rows > most_rows):
            return None
        schema = own
        pieces.extend((path, *piece) for piece in _pieces(footer))
    assert schema is not None
    if not pieces:
        pieces = [(paths[0], (), 0)]
    return SplitTable(folder, schema, [Split(number, *piece) for number, piece in enumerate(pieces)], rows)


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


def split_batches(table: SplitTable, split: Split, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Rows of a split of the table, in order."""
    fs, _ = storage.filesystem(table.folder)
    with fs.open(split.path, "rb") as file:
        parquet = pq.ParquetFile(file)
        for number in split.groups:
            group = parquet.metadata.row_group(number)
            rows = BATCH_BYTES * group.num_rows // max(1, group.total_byte_size)
            yield from parquet.iter_batches(min(BATCH_ROWS, max(1, rows)), row_groups=[number], columns=columns)
