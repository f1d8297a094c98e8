"""Verdicts beside a table: a small file stands for the last column of a larger one, so that a changed threshold writes
verdicts and no texts.

A file of the table `verdicts` has the name of the file that it is of, the same row groups and one column.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import TypeVar

import pyarrow as pa

from pipeline.store import storage
from pipeline.store.generations import Generation
from pipeline.store.parquet_files import open_parquet
from pipeline.store.row_groups import RowGroupWriter
from schemas.clean import VERDICT

Rows = TypeVar("Rows", pa.Table, pa.RecordBatch)

TABLE = "verdicts"
COLUMN = VERDICT[0]
_SCHEMA = pa.schema([pa.field(*VERDICT)])


def write_verdicts(path: str, groups: Iterable[pa.Array]) -> None:
    """An array of strings a row group of the file that they are of."""
    with RowGroupWriter(path, _SCHEMA) as out:
        for group in groups:
            out.write_group(pa.table([group], _SCHEMA))


def read_verdicts(path: str, groups: Sequence[int] | None = None) -> list[pa.Array]:
    """Those of the row groups of these numbers, or of all."""
    with open_parquet(path) as file:
        numbers = range(file.num_row_groups) if groups is None else groups
        return [file.read_row_group(number, use_threads=False).column(0).combine_chunks() for number in numbers]


def with_verdicts(rows: Rows, verdicts: pa.Array) -> Rows:
    """The rows with these in the place of their own."""
    place = rows.schema.get_field_index(COLUMN)
    return rows.set_column(place, rows.schema.field(place), verdicts)


def verdicts_of(now: Generation, names: Collection[str]) -> dict[str, str]:
    """Of the documents files of these names those that have verdicts beside them: name -> path of these. A whole
    generation has none."""
    found: dict[str, str] = {}
    for part, tables in now.parts().items():
        for name in tables.get(TABLE, ()) if tables else ():
            if name in names:
                found[name] = storage.join(part.place, TABLE, name)
    return found
