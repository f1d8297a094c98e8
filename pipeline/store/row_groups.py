"""Parquet files written row group by row group: the one writer of all our own files."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.store import storage
from schemas.records import ROW_GROUP_ROWS


class RowGroupWriter:
    """A context manager for a Parquet file in row groups of exactly `rows_a_group` rows, whatever pieces it was given;
    it appears at `path` (of any store) whole when the block ends well, and not at all when it fails.

    compression: a codec of Parquet. plain: columns whose values hardly repeat, which get no dictionary. most_bytes: in
    memory; what reaches it is written as a row group with fewer rows. page_index: readers may skip pages by it.
    """

    def __init__(
        self,
        path: str,
        schema: pa.Schema,
        rows_a_group: int = ROW_GROUP_ROWS,
        *,
        compression: str = "zstd",
        plain: Sequence[str] = (),
        most_bytes: int | None = None,
        page_index: bool = False,
    ) -> None:
        self.rows = 0  # given so far
        self.bytes = 0  # of the file, when it is whole
        self._whole_file = storage.whole_file(path)
        self._schema, self._rows_a_group, self._most_bytes = schema, rows_a_group, most_bytes
        repeated = [name for name in schema.names if name not in plain]
        self._options = {"compression": compression, "use_dictionary": repeated if plain else True}
        self._options |= {"write_page_index": True} if page_index else {}
        self._tables: list[pa.Table] = []  # not written yet
        self._dicts: list[dict[str, Any]] = []  # behind these

    def __enter__(self) -> "RowGroupWriter":
        self._file = self._whole_file.__enter__()
        self._writer = pq.ParquetWriter(self._file, self._schema, **self._options)
        return self

    def __exit__(self, *error: Any) -> None:
        if error[0] is None:
            self._take_dicts()
            self._write_groups(1)
            self._writer.close()
            self.bytes = self._file.tell()
        else:
            with suppress(Exception):  # left open it would write to the file when it is forgotten, and say so
                self._writer.close()
        self._whole_file.__exit__(*error)

    def write(self, piece: pa.Table | pa.RecordBatch) -> None:
        """Appends rows with the columns of the schema, in its order."""
        self._take_dicts()
        if isinstance(piece, pa.RecordBatch):
            piece = pa.Table.from_batches([piece])
        self.rows += len(piece)
        self._tables.append(piece if piece.schema.equals(self._schema) else piece.cast(self._schema))
        waiting = sum(map(len, self._tables))
        if self._most_bytes and sum(table.nbytes for table in self._tables) >= self._most_bytes:
            self._write_groups(1)
        elif waiting >= self._rows_a_group:
            self._write_groups(self._rows_a_group)

    def write_group(self, piece: pa.Table) -> None:
        """Writes rows as a row group of their own, even where there are none; what is waiting goes before."""
        self._take_dicts()
        self._write_groups(1)
        self.rows += len(piece)
        self._writer.write_table(piece.cast(self._schema), row_group_size=max(1, len(piece)))

    def add(self, row: dict[str, Any]) -> None:
        """Appends a row."""
        self._dicts.append(row)
        if len(self._dicts) >= self._rows_a_group:
            self._take_dicts()

    def _take_dicts(self) -> None:
        if self._dicts:
            taken, self._dicts = self._dicts, []
            self.write(pa.Table.from_pylist(taken, schema=self._schema))

    def _write_groups(self, least: int) -> None:
        """Writes what is waiting, but for a rest of fewer than `least` rows."""
        rest = pa.concat_tables(self._tables) if self._tables else self._schema.empty_table()
        while len(rest) and len(rest) >= least:
            group = rest.slice(0, self._rows_a_group).combine_chunks()
            self._writer.write_table(group, row_group_size=self._rows_a_group)
            rest = rest.slice(self._rows_a_group)
        self._tables = [rest] if len(rest) else []
