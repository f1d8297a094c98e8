"""A table of Parquet files (`table_files`) as pieces for tasks, and their rows."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.costs.counters import CountedFile
from pipeline.store import storage, verdict_files
from pipeline.store.parquet_files import damage_named
from pipeline.store.table_files import TableFile, partition_of, table_files, table_schema
from schemas.errors import UserError

SPLIT_BYTES = 16 << 20  # uncompressed; smaller pieces keep all workers busy to the end
BATCH_ROWS = 1024  # at most; of large texts fewer
BATCH_BYTES = 32 << 20


class Split(NamedTuple):
    """Row groups of a file. number: over the whole table, in the order of names. verdicts: path of the file that stands
    for the last column."""

    number: int
    path: str
    groups: tuple[int, ...]
    rows: int
    verdicts: str = ""


class SplitTable(NamedTuple):
    """folder: as given, to know the store by."""

    folder: str
    schema: pa.Schema
    splits: list[Split]
    rows: int


def split_table(
    folder: str, listed: Mapping[str, str] | None = None, verdicts: Mapping[str, str] | None = None
) -> SplitTable:
    """The table of a folder, or of a file. UserError for what is none, and for files that do not make one table.

    listed: its files, name -> path, where they are known; verdicts: of some of these names what lies beside them.
    """
    files = table_files(folder, listed)
    schema = table_schema(folder, files)
    pieces = [(file.path, *piece) for file in files for piece in _pieces(file)]
    if not pieces:
        pieces = [(files[0].path, (), 0)]
    rows = sum(sum(file.group_rows) for file in files)
    judged = {storage.filesystem((listed or {})[name])[1]: path for name, path in (verdicts or {}).items()}
    splits = [Split(number, *piece, judged.get(piece[0], "")) for number, piece in enumerate(pieces)]
    return SplitTable(folder, schema, splits, rows)


def _pieces(file: TableFile) -> Iterator[tuple[tuple[int, ...], int]]:
    groups: list[int] = []
    size = rows = 0
    for number, (group_rows, group_bytes) in enumerate(zip(file.group_rows, file.group_bytes, strict=True)):
        if groups and size + group_bytes > SPLIT_BYTES:
            yield tuple(groups), rows
            groups, size, rows = [], 0, 0
        groups.append(number)
        size, rows = size + group_bytes, rows + group_rows
    if groups:
        yield tuple(groups), rows


def split_batches(table: SplitTable, split: Split, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Rows of a split, in order: these columns of the table's schema. UserError names a file that is damaged."""
    schema = pa.schema([table.schema.field(name) for name in columns])
    said = partition_of(table.folder, split.path)
    for batch in _file_batches(table.folder, split, columns):
        cells = [_cells(batch, field, said, split.path) for field in schema]
        yield pa.RecordBatch.from_arrays(cells, schema=schema)


def _file_batches(folder: str, split: Split, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The file's own columns of these names, among others maybe: `text` brings `text.raw`."""
    fs, _ = storage.filesystem(folder)
    rows = 0
    with damage_named(split.path), fs.open(split.path, "rb") as file:
        parquet = pq.ParquetFile(CountedFile(file), page_checksum_verification=True)
        there = [name for name in columns if name in parquet.schema_arrow.names]
        beside = split.verdicts if verdict_files.COLUMN in there else ""
        for number in split.groups:
            group, begin = parquet.metadata.row_group(number), rows
            judged = verdict_files.read_verdicts(beside, [number])[0] if beside else None
            most = BATCH_BYTES * group.num_rows // max(1, group.total_byte_size)
            for batch in parquet.iter_batches(min(BATCH_ROWS, max(1, most)), row_groups=[number], columns=there):
                if judged is not None:
                    batch = verdict_files.with_verdicts(batch, judged.slice(rows - begin, len(batch)))
                rows += len(batch)
                yield batch
    if rows != split.rows:
        raise UserError(f"{split.path} has other rows than it says: remove it or name another --input")


def _cells(batch: pa.RecordBatch, field: pa.Field, said: dict[str, str | None], path: str) -> pa.Array:
    place = batch.schema.get_field_index(field.name)
    if place >= 0:
        cells = batch.column(place)
    elif said.get(field.name) is not None:
        cells = pa.repeat(pa.scalar(said[field.name]), len(batch))
    else:
        return pa.nulls(len(batch), field.type)
    if cells.type == field.type:
        return cells
    try:
        return cells.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UserError(
            f"{path}: column {field.name!r} is {cells.type}, in other files {field.type}, and not every value is both "
            f"({str(error).splitlines()[0]}): give it one type"
        ) from None


def part_file(folder: str, split: Split) -> str:
    """Where what is made of a split goes."""
    return storage.join(folder, f"part-{split.number:05d}.parquet")
