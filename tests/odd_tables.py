"""Columns of types and names that the world writes and engines refuse; and jobs that read them, in this process."""

import datetime
import decimal
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs import clean, dedup
from pipeline.workers.tasks import TaskRunner


def of(kind: pa.DataType, *values: Any) -> pa.Array:
    """Six of these values in turn, the last one null."""
    return pa.array([*(values[n % len(values)] for n in range(5)), None], kind)


def dictionary(kind: pa.DataType, *values: Any) -> pa.Array:
    return of(kind, *values).dictionary_encode()


ODD_TYPES: dict[str, pa.Array] = {
    "nanoseconds": of(pa.timestamp("ns"), 1, 10**18 + 1),
    "nanoseconds in UTC": of(pa.timestamp("ns", "UTC"), 1),
    "uint64": of(pa.uint64(), 2**64 - 1),
    "uint8": of(pa.uint8(), 255),
    "half": of(pa.float16(), 1.5),
    "dictionary": dictionary(pa.string(), "ja", "nein"),
    "dictionary of numbers": dictionary(pa.int64(), 3, 4),
    "large string": of(pa.large_string(), "文"),
    "large bytes": of(pa.large_binary(), b"\xff"),
    "bytes as strings": pa.array([b"\xff"] * 6).view(pa.string()),
    "vector": of(pa.list_(pa.float32(), 2), [1.0, 2.0]),
    "duration": of(pa.duration("us"), 7),
    "time": of(pa.time64("ns"), 7),
    "date": of(pa.date32(), datetime.date(1, 1, 1)),
    "decimal": of(pa.decimal128(38, 10), decimal.Decimal("1.5")),
    "nothing": pa.nulls(6),
    "map": of(pa.map_(pa.string(), pa.int64()), [("k", 1)]),
    "struct": of(pa.struct([("a.b", pa.int8()), ("c", pa.list_(pa.null()))]), {"a.b": 1, "c": [None]}),
    "lists": of(pa.list_(pa.list_(pa.uint16())), [[1], None]),
    "dots.and spaces`,;{}()=\t": of(pa.int64(), 1),
    "": of(pa.int64(), 1),
    "Url": of(pa.int64(), 1),
    "URL": of(pa.int64(), 2),
    "_metadata": of(pa.int64(), 3),
    "größe 大小": of(pa.int64(), 4),
}


def read(files: Iterable[Path]) -> pa.Table:
    """Not as a data set, which takes folders and names with letters of its own for something else."""
    return pa.concat_tables([pq.ParquetFile(file).read() for file in files])


def run_tasks_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tasks of clean and dedup one after the other, so that no process has to load the kernels."""

    def runner(_: object) -> TaskRunner:
        return lambda function, items, step=None: list(map(function, items))

    for job in (clean, dedup):
        monkeypatch.setattr(job, "cheapest_runner", runner)
