"""Written tables of signatures, read column by column."""

from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np
import pyarrow as pa

from pipeline.duplicates import clustering
from pipeline.kernels.arrow_text import utf8
from pipeline.store.parquet_files import open_parquet, read_parquet


class SignatureFiles:
    """Tables of signatures, those of earlier crawls first, the oldest before the others. Rows are numbered over all
    their files, tables as given, files as given."""

    def __init__(self, tables: Sequence[Sequence[str]]) -> None:
        self._tables = tables

    def narrow(self) -> pa.Table:
        """clustering.COLUMNS: everything but the shingles, and `age`, the place of the row's table."""
        parts = []
        for age, files in enumerate(self._tables):
            for path in files:
                part = read_parquet(path, clustering.STORED)
                parts.append(part.append_column("age", pa.array(np.full(len(part), age, np.int32))))
        return pa.concat_tables(parts)

    def shingles(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """uint32 of all the rows, ascending numbers, one after the other, and their places, one more than rows."""
        values, lengths, first = [np.empty(0, "<u4")], [np.empty(0, np.int64)], 0
        for path in (file for files in self._tables for file in files):
            with open_parquet(path) as parquet:
                for group in range(parquet.num_row_groups):
                    behind = first + parquet.metadata.row_group(group).num_rows
                    wanted = rows[np.searchsorted(rows, first) : np.searchsorted(rows, behind)] - first
                    first = behind
                    if not len(wanted):
                        continue
                    column = parquet.read_row_group(group, ["shingles"]).column(0).combine_chunks()
                    data, places = utf8(column.take(pa.array(wanted)))
                    values.append(data[places[0] : places[-1]].view("<u4"))
                    lengths.append(np.diff(places) // 4)
        return np.concatenate(values), np.concatenate([[0], np.cumsum(np.concatenate(lengths))])


class ShingleFile:
    """Shingles of rows of one file, which are asked for in their order: a row group is read once."""

    def __init__(self, path: str) -> None:
        with open_parquet(path) as parquet:
            groups = [parquet.metadata.row_group(i).num_rows for i in range(parquet.num_row_groups)]
        self._path, self._firsts = path, np.concatenate([[0], np.cumsum(groups)]).astype(np.int64)
        self._group, self._column = -1, pa.array([], pa.large_binary())

    def cells(self, rows: np.ndarray) -> pa.Array:
        """large_binary of the rows, ascending."""
        groups = np.searchsorted(self._firsts, rows, "right") - 1
        parts = [pa.array([], pa.large_binary())]
        missing = [group for group in np.unique(groups).tolist() if group != self._group]
        with ExitStack() as stack:
            parquet = stack.enter_context(open_parquet(self._path)) if missing else None
            for group in np.unique(groups).tolist():
                if parquet and group != self._group:
                    column = parquet.read_row_group(group, ["shingles"], use_threads=False).column(0)
                    self._column, self._group = column.cast(pa.large_binary()).combine_chunks(), group
                parts.append(self._column.take(pa.array(rows[groups == group] - self._firsts[group])))
        return pa.concat_arrays(parts)
