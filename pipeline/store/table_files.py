"""The Parquet files of a folder as one table: which files count, what their folders say, and one schema for all.

The world's tables are written by many programs over years. Columns are matched by name; of two types of a column the
wider one holds; a file that lacks a column has nulls there, or what its folder says (`year=2024/`, Hive's layout).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.store import storage
from pipeline.store.parquet_files import damage_named
from schemas.errors import UserError

MAGIC = b"PAR1"
HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
FOOTERS_AT_ONCE = 32  # of a store, where each costs a round trip

T = TypeVar("T")
R = TypeVar("R")


class TableFile(NamedTuple):
    """path: inside its store. group_bytes: uncompressed, of each row group, as group_rows has its rows."""

    path: str
    schema: pa.Schema
    group_rows: tuple[int, ...]
    group_bytes: tuple[int, ...]


def table_files(folder: str, listed: Mapping[str, str] | None = None) -> list[TableFile]:
    """The files of a folder's table, or the file itself, in the order of their names. Hidden and empty files, and those
    that are no Parquet by name and by their first bytes, do not count. UserError without any, and for a broken one.

    listed: name -> path of the files, where they are known.
    """
    fs, inside = storage.filesystem(folder)
    if listed is not None:
        paths = [storage.filesystem(listed[name])[1] for name in sorted(listed)]
    elif fs.isdir(inside):
        paths = [f"{inside.rstrip('/')}/{name}" for name, size in storage.listing(folder).items() if size]
    else:
        paths = [inside] if fs.exists(inside) else []

    def look(path: str) -> TableFile | None:
        with damage_named(path), fs.open(path, "rb") as file:
            if path != inside and not path.lower().endswith(".parquet"):
                if file.read(len(MAGIC)) != MAGIC:
                    return None
                file.seek(0)
            parquet = pq.ParquetFile(file)
            footer = parquet.metadata
            groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
            schema = _checked(path, parquet.schema_arrow)
        return TableFile(
            path,
            schema,
            tuple(group.num_rows for group in groups),
            tuple(group.total_byte_size for group in groups),
        )

    found = [file for file in _each(look, paths, at_once=not storage.is_local(folder)) if file]
    if not found:
        raise UserError(f"{folder}: no Parquet file in it")
    return found


def _each(function: Callable[[T], R], items: Sequence[T], at_once: bool) -> Iterable[R]:
    """On a local disk without a thread, so that the caller may fork."""
    if not at_once:
        return map(function, items)
    with ThreadPoolExecutor(FOOTERS_AT_ONCE) as threads:
        return list(threads.map(function, items))


def _checked(path: str, schema: pa.Schema) -> pa.Schema:
    names = schema.names
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"{path} has two columns {twice!r}: rename one")
    return schema.remove_metadata()


def partition_of(folder: str, path: str) -> dict[str, str | None]:
    """What the folders between the table's and the file say: `lang=a%3D2/` that `lang` is `a=2`. Paths inside a
    store."""
    inside = storage.filesystem(folder)[1].rstrip("/") + "/"
    found: dict[str, str | None] = {}
    if not path.startswith(inside):  # the table is this one file
        return found
    for part in path.removeprefix(inside).split("/")[:-1]:
        name, equals, value = part.partition("=")
        if equals and name:
            found[unquote(name)] = None if value == HIVE_NULL else unquote(value)
    return found


def table_schema(folder: str, files: Sequence[TableFile]) -> pa.Schema:
    """Of all files: columns in the order in which they are first met, those that only folders name at the end.

    UserError names a column, and a file of each kind, where no type holds both.
    """
    first_of: dict[pa.Schema, str] = {}
    for file in files:
        first_of.setdefault(file.schema, file.path)
    fields: dict[str, pa.Field] = {}
    said_by: dict[str, str] = {}  # a file whose column is not of null type
    for schema, path in first_of.items():
        for field in schema:
            field = field.remove_metadata().with_type(readable(field.type))
            known = fields.get(field.name, field)
            fields[field.name] = _wider(known, field, said_by.get(field.name, path), path)
            if not pa.types.is_null(field.type):
                said_by.setdefault(field.name, path)
    for name, field in fields.items():
        if any(name not in schema.names for schema in first_of):
            fields[name] = field.with_nullable(True)
    said = folder_fields([partition_of(folder, file.path) for file in files])
    return pa.schema([*fields.values(), *(field for field in said if field.name not in fields)])


def folder_fields(partitions: Iterable[Mapping[str, str | None]]) -> Iterator[pa.Field]:
    """Of what folders say: whole numbers where all values are written as one is, else strings."""
    values: dict[str, set[str]] = {}
    for partition in partitions:
        for name, value in partition.items():
            values.setdefault(name, set()).update([] if value is None else [value])
    for name, seen in values.items():
        yield pa.field(name, pa.int64() if seen and all(map(_is_whole_number, seen)) else pa.string())


def _is_whole_number(text: str) -> bool:
    return text.removeprefix("-").isdecimal() and len(text) < 19 and str(int(text)) == text


def _wider(known: pa.Field, field: pa.Field, path: str, other_path: str) -> pa.Field:
    first, second = known.type, field.type
    if first != second and pa.types.is_dictionary(first) != pa.types.is_dictionary(second):
        first, second = (kind.value_type if pa.types.is_dictionary(kind) else kind for kind in (first, second))
    schemas = [pa.schema([known.with_type(first)]), pa.schema([field.with_type(second)])]
    try:
        return pa.unify_schemas(schemas, promote_options="permissive").field(0)
    except pa.ArrowException:
        raise UserError(
            f"column {field.name!r} is {first} in {path} and {second} in {other_path}: give it one type"
        ) from None


def readable(kind: pa.DataType) -> pa.DataType:
    """The type with the same values that Arrow's kernels can filter: views become what they show."""
    if kind == pa.string_view():
        return pa.string()
    if kind == pa.binary_view():
        return pa.binary()
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(readable(field.type)) for field in kind])
    if pa.types.is_list(kind) or pa.types.is_list_view(kind):
        return pa.list_(kind.value_field.with_type(readable(kind.value_type)))
    if pa.types.is_large_list(kind) or pa.types.is_large_list_view(kind):
        return pa.large_list(kind.value_field.with_type(readable(kind.value_type)))
    return kind
