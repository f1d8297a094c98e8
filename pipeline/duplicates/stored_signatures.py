"""A written table of signatures, read column by column."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.duplicates import clustering
from pipeline.kernels.arrow_text import utf8
from pipeline.store import storage


class StoredSignatures:
    """A table of signatures on its store; rows are numbered over its files in the order of their names."""

    def __init__(self, folder: str) -> None:
        self._fs, inside = storage.filesystem(folder)
        self._paths = [f"{inside}/{name}" for name in storage.listing(folder)]

    def narrow(self) -> pa.Table:
        """Everything but the shingles."""
        parts = []
        for path in self._paths:
            with self._fs.open(path, "rb") as file:
                parts.append(pq.ParquetFile(file).read(clustering.COLUMNS))
        return pa.concat_tables(parts)

    def shingles(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """uint32 of all the rows, ascending numbers, one after the other, and their places, one more than rows."""
        values, lengths, first = [np.empty(0, "<u4")], [np.empty(0, np.int64)], 0
        for path in self._paths:
            with self._fs.open(path, "rb") as file:
                parquet = pq.ParquetFile(file)
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
