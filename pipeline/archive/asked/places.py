"""The places of the records that are asked of archives, as files: a row group an archive, in the order of places.

A task that reads an archive reads its row group, so that places never pass through the driver.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from xxhash import xxh3_64_hexdigest

from pipeline.archive.manifest import Asked
from pipeline.store.parquet_files import open_parquet
from pipeline.store.row_groups import RowGroupWriter
from schemas.errors import UserError

PLACES = pa.schema([("file_path", pa.string()), ("offset", pa.int64()), ("length", pa.int64())])

Bytes = npt.NDArray[np.int64]


class Places(NamedTuple):
    """Of records of one archive, by offset, each once. Bytes."""

    offsets: Bytes
    lengths: Bytes


def write_places(rows: Iterable[pa.RecordBatch], path: str) -> Iterator[tuple[str, Asked]]:
    """Writes rows of PLACES that come in their own order, and says which archives they are of, one by one.

    A record that is there twice is asked once, with the greater of its lengths. UserError for what is no place.
    """
    with RowGroupWriter(path, PLACES, plain=("offset", "length")) as writer:
        for group, table in enumerate(_by_archive(rows)):
            name = table.column("file_path")[0].as_py()
            offsets, lengths = (table.column(column).to_numpy() for column in ("offset", "length"))
            if offsets[0] < 0 or lengths.min() < 1:
                raise UserError(f"--index: {name} has a record at byte {offsets[0]} of {lengths.min()} bytes")
            last = np.append(offsets[1:] != offsets[:-1], True)
            places = Places(offsets[last], lengths[last])
            writer.write_group(pa.table([pa.repeat(name, len(places.offsets)), *map(pa.array, places)], schema=PLACES))
            yield name, Asked(path, group, len(places.offsets), int(places.lengths.sum()), _digest(places))


def read_places(asked: Asked) -> Places:
    with open_parquet(asked.table) as file:
        table = file.read_row_group(asked.group, ["offset", "length"], use_threads=False)
    return Places(*(table.column(name).to_numpy() for name in ("offset", "length")))


def _by_archive(rows: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The rows of an archive together."""
    held: list[pa.RecordBatch] = []
    for batch in rows:
        if not len(batch):
            continue
        if any(column.null_count for column in batch.columns):
            raise UserError("--index: rows that match have no warc_filename, warc_record_offset or warc_record_length")
        codes = batch.column(0).dictionary_encode().indices.to_numpy()
        borders = [0, *(np.flatnonzero(codes[1:] != codes[:-1]) + 1).tolist(), len(batch)]
        for begin, end in pairwise(borders):
            piece = batch.slice(begin, end - begin)
            if held and held[0].column(0)[0] != piece.column(0)[0]:
                yield pa.Table.from_batches(held)
                held = []
            held.append(piece)
    if held:
        yield pa.Table.from_batches(held)


def _digest(places: Places) -> str:
    return xxh3_64_hexdigest(b"".join(column.astype("<i8").tobytes() for column in places))
