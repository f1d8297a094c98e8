"""A Parquet file with other values in its last column, made without decoding, or even reading, the others.

The bytes of the old file are copied as they are, the new column chunks go behind them, and a new footer points at both.
Parquet allows it: a footer says where each chunk lies, and chunks may lie anywhere. On a local disk the kernel does the
copying. What an earlier splice added is left behind, so that a file spliced a hundred times does not grow.

The footer is Thrift (`thrift`) around the structures of github.com/apache/parquet-format, parquet.thrift, whose field
numbers are named below. Fields that are not named pass through unread.
"""

import io
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.store import storage
from pipeline.store.thrift import I32, I64, LIST, STRUCT, Struct, Value, decode, encode
from schemas.errors import UserError

MAGIC = b"PAR1"
TAIL = 8  # footer's length, four bytes, and MAGIC
PIECE = 8 << 20  # bytes copied at a time

# FileMetaData
_SCHEMA, _NUM_ROWS, _ROW_GROUPS = 2, 3, 4
# SchemaElement
_TYPE, _REPETITION, _NAME, _NUM_CHILDREN = 1, 3, 4, 5
_BYTE_ARRAY, _OPTIONAL = 6, 1
# RowGroup
_COLUMNS, _TOTAL_BYTE_SIZE, _GROUP_ROWS, _TOTAL_COMPRESSED = 1, 2, 3, 6
# ColumnChunk
_FILE_OFFSET, _META_DATA, _OFFSET_INDEX, _OFFSET_INDEX_LENGTH, _COLUMN_INDEX, _COLUMN_INDEX_LENGTH = 2, 3, 4, 5, 6, 7
# ColumnMetaData
_PATH, _UNCOMPRESSED, _COMPRESSED, _DATA_PAGE, _INDEX_PAGE, _DICTIONARY_PAGE, _BLOOM, _BLOOM_LENGTH = (
    3, 6, 7, 9, 10, 11, 14, 15,
)  # fmt: skip


class _Footer(NamedTuple):
    fields: Struct
    start: int  # of the footer in the file

    @property
    def row_groups(self) -> list[Struct]:
        groups: list[Struct] = self.fields[_ROW_GROUPS].value[1]
        return groups


def _footer(file: IO[bytes], name: str) -> _Footer:
    size = file.seek(0, os.SEEK_END)
    if size < TAIL + len(MAGIC):
        raise UserError(f"{name} is no Parquet file")
    file.seek(size - TAIL)
    tail = file.read(TAIL)
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != MAGIC or length > size - TAIL - len(MAGIC):
        raise UserError(f"{name} is no Parquet file, or an encrypted one")
    file.seek(size - TAIL - length)
    return _Footer(decode(file.read(length)), size - TAIL - length)


def row_group_sizes(path: str) -> list[int]:
    """Rows of each row group, read from the footer."""
    fs, inside = storage.filesystem(path)
    with fs.open(inside, "rb") as file:
        return [group[_GROUP_ROWS].value for group in _footer(file, path).row_groups]


def replace_last_column(source: str, target: str, name: str, values: Sequence[pa.Array]) -> None:
    """Writes `target`: the file `source` with other values in its last column, `name`, an optional string.

    values: string, an array a row group, as long as it. Paths are of any store. ValueError where the last column is
    another one, or the lengths differ; the other columns are never looked at.
    """
    fs, inside = storage.filesystem(source)
    with fs.open(inside, "rb") as file:
        footer = _footer(file, source)
        _check(footer, source, name, values)
        kept = _kept(footer)
        fresh, chunks = _chunks(name, values)
        end = encode(_relinked(footer, chunks, kept).fields)
        with storage.whole_file(target) as out:
            _copy(file, out, kept)
            out.write(fresh)
            out.write(end + len(end).to_bytes(4, "little") + MAGIC)


def _check(footer: _Footer, source: str, name: str, values: Sequence[pa.Array]) -> None:
    schema: list[Struct] = footer.fields[_SCHEMA].value[1]
    last = schema[-1]
    last_name = last[_NAME].value.decode("utf-8", "replace")
    at_top = len(schema) > 2 and _last_child(schema) == len(schema) - 1
    optional_text = (last.get(_TYPE), last.get(_REPETITION)) == (Value(I32, _BYTE_ARRAY), Value(I32, _OPTIONAL))
    if not at_top or last_name != name or not optional_text:
        raise ValueError(f"{source}: its last column is {last_name!r}, not an optional string {name!r} beside others")
    sizes = [group[_GROUP_ROWS].value for group in footer.row_groups]
    if sizes != [len(array) for array in values]:
        raise ValueError(f"{source}: {sum(sizes)} rows in {len(sizes)} row groups got values for other ones")


def _last_child(schema: list[Struct]) -> int:
    """Where in the schema, which lists each element before its children, the last column begins."""
    place = 1
    for _ in range(schema[0][_NUM_CHILDREN].value - 1):
        left = 1
        while left:
            left += (schema[place][_NUM_CHILDREN].value if _NUM_CHILDREN in schema[place] else 0) - 1
            place += 1
    return place


def _kept(footer: _Footer) -> int:
    """Where the last byte that stays ends: a page, or an index of pages, of any column but the last."""
    end = len(MAGIC)
    for group in footer.row_groups:
        for chunk in group[_COLUMNS].value[1][:-1]:
            meta: Struct = chunk[_META_DATA].value
            end = max(end, _start(meta) + meta[_COMPRESSED].value)
            for place, length in ((_OFFSET_INDEX, _OFFSET_INDEX_LENGTH), (_COLUMN_INDEX, _COLUMN_INDEX_LENGTH)):
                if place in chunk:
                    end = max(end, chunk[place].value + chunk[length].value)
            if _BLOOM in meta:
                if _BLOOM_LENGTH not in meta:  # of unknown length: keep everything
                    return footer.start
                end = max(end, meta[_BLOOM].value + meta[_BLOOM_LENGTH].value)
    return end


def _start(meta: Struct) -> int:
    places = [meta[field].value for field in (_DATA_PAGE, _INDEX_PAGE, _DICTIONARY_PAGE) if field in meta]
    return min(place for place in places if place > 0)  # some writers say 0 for none


def _chunks(name: str, values: Sequence[pa.Array]) -> tuple[bytes, list[Struct]]:
    """Pages of the new column, and its ColumnChunks with places counted from the first page."""
    schema = pa.schema([(name, pa.string())])
    file = io.BytesIO()
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for array in values:
            writer.write_table(pa.table([array.cast(pa.string())], schema), row_group_size=max(1, len(array)))
    footer = _footer(file, name)
    chunks: list[Struct] = []
    for group in footer.row_groups:
        (chunk,) = group[_COLUMNS].value[1]
        meta = {
            field: value for field, value in chunk[_META_DATA].value.items() if field not in (_BLOOM, _BLOOM_LENGTH)
        }
        for field in (_DATA_PAGE, _INDEX_PAGE, _DICTIONARY_PAGE):
            if field in meta:
                meta[field] = Value(I64, meta[field].value - len(MAGIC))
        chunks.append({_FILE_OFFSET: Value(I64, 0), _META_DATA: Value(STRUCT, meta)})
    file.seek(len(MAGIC))
    return file.read(footer.start - len(MAGIC)), chunks


def _relinked(footer: _Footer, chunks: list[Struct], shift: int) -> _Footer:
    """The footer with the new chunks, which begin at `shift`, in place of the old ones."""
    groups = []
    for group, chunk in zip(footer.row_groups, chunks, strict=True):
        kind, columns = group[_COLUMNS].value
        old, new = columns[-1][_META_DATA].value, dict(chunk[_META_DATA].value)
        for field in (_DATA_PAGE, _INDEX_PAGE, _DICTIONARY_PAGE):
            if field in new:
                new[field] = Value(I64, new[field].value + shift)
        new[_PATH] = old[_PATH]
        columns = [*columns[:-1], {**chunk, _META_DATA: Value(STRUCT, new)}]
        changed = {**group, _COLUMNS: Value(LIST, (kind, columns))}
        for total, part in ((_TOTAL_BYTE_SIZE, _UNCOMPRESSED), (_TOTAL_COMPRESSED, _COMPRESSED)):
            if total in group:
                changed[total] = Value(I64, group[total].value - old[part].value + new[part].value)
        groups.append(changed)
    kind = footer.fields[_ROW_GROUPS].value[0]
    return _Footer({**footer.fields, _ROW_GROUPS: Value(LIST, (kind, groups))}, footer.start)


def _copy(source: IO[bytes], target: IO[bytes], size: int) -> None:
    """The first `size` bytes; between local files inside the kernel, which may even share the blocks."""
    done = 0
    target.flush()
    with suppress(OSError, AttributeError, io.UnsupportedOperation):
        reading, writing = source.fileno(), target.fileno()
        while done < size:
            moved = os.copy_file_range(reading, writing, min(size - done, 1 << 30), done, done)
            if not moved:
                break
            done += moved
    source.seek(done)
    target.seek(done)
    while done < size:
        piece = source.read(min(PIECE, size - done))
        if not piece:
            raise OSError("the file ended while it was copied")
        target.write(piece)
        done += len(piece)
