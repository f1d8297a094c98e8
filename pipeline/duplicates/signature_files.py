"""Written tables of signatures, read column by column."""

from collections.abc import Sequence

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
