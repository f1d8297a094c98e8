"""A table of documents, ours or a stranger's: its files, which columns are id and text, and its rows with these two as
strings. All other columns keep their names and types.

Of a column that has a name of ours, such as `language` or `date`, whatever can be written as a string is read so,
numbers and times too; a list or a struct says nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.store.table_splits import Split, SplitTable, split_batches, split_table
from schemas.errors import UserError
from schemas.records import UNLABELLED

READING = 1  # raised when foreign tables are read otherwise than before


class DocumentTable(NamedTuple):
    """kept_only: it has a drop_reason, rows with one do not count, and the column goes."""

    files: SplitTable
    id_column: str
    text_column: str
    kept_only: bool


def document_table(
    path: str,
    id_column: str,
    text_column: str,
    kept_only: bool = False,
    listed: Mapping[str, str] | None = None,
    verdicts: Mapping[str, str] | None = None,
) -> DocumentTable:
    """UserError where a column is not there, or cannot be what it is to be. listed: the table's files, name -> path;
    None: those that lie in its folder. verdicts: what lies beside some of these."""
    files = split_table(path, listed, verdicts)
    for flag, name in (("--id-column", id_column), ("--text-column", text_column)):
        if name not in files.schema.names:
            raise UserError(f"{path} has no column {name!r}; it has {', '.join(files.schema.names)}")
        kind = files.schema.field(name).type
        if not _is_written_as_string(kind):
            raise UserError(f"{path}: column {name!r} is {kind}: name a column of strings with {flag}")
    return DocumentTable(files, id_column, text_column, kept_only and "drop_reason" in files.schema.names)


def schema_of(table: DocumentTable) -> pa.Schema:
    """Of its rows with all their columns: id and text as strings, without a drop_reason that no row has."""
    strings = (table.id_column, table.text_column)
    fields = [field.with_type(pa.string()) if field.name in strings else field for field in table.files.schema]
    return pa.schema([field for field in fields if not (table.kept_only and field.name == "drop_reason")])


def rows_of(table: DocumentTable, split: Split, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The rows of a split that count, id and text as strings, columns under the table's own names.

    UserError for a row without an id, for ids that are no UTF-8, and for a damaged file.
    """
    names = [*columns, "drop_reason"] if table.kept_only else columns
    for batch in split_batches(table.files, split, names):
        if table.kept_only:
            batch = batch.filter(pc.is_null(batch.column("drop_reason"))).drop_columns(["drop_reason"])
        if not len(batch):
            continue
        for name in (table.id_column, table.text_column):
            if name in batch.schema.names:
                field = batch.schema.field(name).with_type(pa.string())
                cells = batch.column(name)
                strings = _ids(cells, table, split) if name == table.id_column else as_strings(cells)
                batch = batch.set_column(batch.schema.get_field_index(name), field, strings)
        yield batch


def _ids(cells: pa.Array, table: DocumentTable, split: Split) -> pa.Array:
    if cells.null_count or pa.types.is_null(cells.type):
        raise UserError(f"{split.path} has rows without {table.id_column!r}: fill them or name another --id-column")
    try:
        return _written_as_string(cells)
    except pa.ArrowInvalid:
        raise UserError(
            f"{split.path}: column {table.id_column!r} has ids that are not UTF-8: name another --id-column"
        ) from None


def as_strings(cells: pa.Array) -> pa.Array:
    """As strings what can be written as one, bytes that are no UTF-8 as U+FFFD; null else."""
    try:
        return _written_as_string(cells)
    except pa.ArrowNotImplementedError:
        return pa.nulls(len(cells), pa.string())
    except pa.ArrowInvalid:
        raw = plain(cells).cast(pa.large_binary()).to_pylist()
        return pa.array([None if cell is None else cell.decode("utf-8", "replace") for cell in raw], pa.string())


def _written_as_string(cells: pa.Array) -> pa.Array:
    """ArrowInvalid for bytes that are no UTF-8, ArrowNotImplementedError for what is no string's like."""
    cells = plain(cells)
    if pa.types.is_nested(cells.type):
        raise pa.ArrowNotImplementedError(f"{cells.type} is no string")
    if _is_bytes(cells.type):
        return cells.cast(pa.binary()).cast(pa.string())  # a cast from string to string would not look at the bytes
    strings = cells.cast(pa.string())
    if pa.types.is_timestamp(cells.type):
        return pc.replace_substring(strings, " ", "T")  # as ISO 8601 has it
    return strings


def plain(cells: pa.Array) -> pa.Array:
    """Without a dictionary or a name of its own for the type."""
    while pa.types.is_dictionary(cells.type) or isinstance(cells, pa.ExtensionArray):
        cells = cells.storage if isinstance(cells, pa.ExtensionArray) else cells.dictionary_decode()
    return cells


def _is_bytes(kind: pa.DataType) -> bool:
    kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return any(is_kind(kind) for is_kind in (*kinds, pa.types.is_fixed_size_binary))


def _is_written_as_string(kind: pa.DataType) -> bool:
    try:
        _written_as_string(pa.array([], kind))
    except pa.ArrowNotImplementedError:
        return False
    return True


def column_or(batch: pa.RecordBatch | pa.Table, name: str, missing: str | None) -> pa.Array:
    """A column as strings; all `missing` where the table has none."""
    if name not in batch.schema.names:
        return pa.array([missing] * len(batch), pa.string())
    cells = batch.column(name)
    return as_strings(cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells)


def numbers_of(batch: pa.RecordBatch, name: str, path: str) -> pa.Array:
    """A column as doubles, null where it has none. UserError where it holds no numbers; `path`: of the file."""
    cells = plain(batch.column(name))
    try:
        if pa.types.is_temporal(cells.type) or pa.types.is_boolean(cells.type):
            raise pa.ArrowNotImplementedError
        return cells.cast(pa.float64(), safe=pa.types.is_string(cells.type))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise UserError(f"{path}: column {name!r} is {cells.type}, not numbers: rename it") from None


def check_numbers(flag: str, name: str, table: DocumentTable) -> None:
    """UserError where the table has no column of numbers of this name; the empty name stands for none. flag: that
    named it."""
    kinds = {field.name: field.type for field in schema_of(table)}
    if name and name not in kinds:
        raise UserError(f"{flag} {name}: {table.files.folder} has no such column; it has {', '.join(kinds)}")
    kind = kinds.get(name, pa.null())
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_null)
    if not any(is_kind(kind) for is_kind in tests):
        raise UserError(f"{flag} {name}: it is {kind}; name a column of numbers")


def labels_of(batch: pa.RecordBatch | pa.Table) -> list[str]:
    """`eng_Latn` by row."""
    columns = (pc.fill_null(column_or(batch, name, missing), missing) for name, missing in UNLABELLED.items())
    labels: list[str] = pc.binary_join_element_wise(*columns, "_").to_pylist()
    return labels
