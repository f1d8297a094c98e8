"""Rows of a stage's table by a key, from the few files that have it: of these the key's column is read, and the wanted
columns of the row groups that hold a row.

An address is found however it is written: see `pipeline.web.addresses`.
"""

import functools
import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.keys import key_index, stage_keys
from pipeline.lists.host_rows import of_addresses
from pipeline.store import verdict_files
from pipeline.store.generations import Generation
from pipeline.store.parquet_files import open_parquet
from pipeline.workers.tasks import TaskRunner

FILES_A_TASK = 8
FILE = "_file"  # key of a row: where in the stage's folder its file lies
ROW = "_row"  # its number in the file, from 0

Row = dict[str, Any]
Hits = Callable[[pa.Array], np.ndarray]  # of a key's column: which rows are meant


def rows_with(
    run_tasks: TaskRunner, now: Generation, stage: str, table: str, name: str, values: Collection[str], most: int,
    columns: Sequence[str] | None = None,
) -> list[Row]:  # fmt: skip
    """At most so many rows whose column `name` has one of the values, in the order of files and rows. Without an index
    the column is read of all files. columns: those read, as far as they are there, with `name`; None: all."""
    if not values:
        return []
    hashes = key_index.hashes_of(name, values)
    files = stage_keys.files_with(run_tasks, now, stage, table, name, hashes)
    judged: Mapping[str, str] = verdict_files.verdicts_of(now, files) if table == "documents" else {}
    asked = [(path, judged.get(own)) for own, path in sorted(files.items())]
    chunks = [asked[at : at + FILES_A_TASK] for at in range(0, len(asked), FILES_A_TASK)]
    hits = _by_address(values) if name == "url" else _by_value(values)
    task = functools.partial(_of_files, name=name, hits=hits, most=most, columns=columns)
    found = [task(chunks[0])] if len(chunks) == 1 else run_tasks(task, chunks)
    front = now.folder.rstrip("/") + "/"
    return [{**row, FILE: row[FILE].removeprefix(front)} for row in itertools.chain(*found)][:most]


def _by_value(values: Collection[str]) -> Hits:
    return functools.partial(_is_one, values=pa.array(sorted(values), pa.string()))


def _is_one(keys: pa.Array, values: pa.Array) -> np.ndarray:
    hits: np.ndarray = pc.is_in(keys, value_set=values).to_numpy(zero_copy_only=False)
    return hits


def _by_address(values: Collection[str]) -> Hits:
    return functools.partial(of_addresses, wanted=frozenset(values))


def _of_files(
    asked: Sequence[tuple[str, str | None]], name: str, hits: Hits, most: int, columns: Sequence[str] | None
) -> list[Row]:
    rows: list[Row] = []
    for path, verdicts in asked:
        rows += _of_file(path, verdicts, name, hits, most - len(rows), columns)
        if len(rows) >= most:
            break
    return rows


def _of_file(
    path: str, verdicts: str | None, name: str, hits: Hits, most: int, columns: Sequence[str] | None
) -> list[Row]:
    rows: list[Row] = []
    before = 0
    with open_parquet(path) as file:
        read = None if columns is None else [own for own in file.schema_arrow.names if own in (name, *columns)]
        for number in range(file.num_row_groups):
            keys = file.read_row_group(number, [name], use_threads=False).column(0).combine_chunks()
            places = np.flatnonzero(hits(keys))
            if len(places):
                group = file.read_row_group(number, read, use_threads=False)
                if verdicts is not None and verdict_files.COLUMN in group.column_names:
                    (judged,) = verdict_files.read_verdicts(verdicts, [number])
                    group = verdict_files.with_verdicts(group, judged)
                found = group.take(pa.array(places)).to_pylist()
                rows += [
                    {**row, FILE: path, ROW: before + place} for row, place in zip(found, places.tolist(), strict=True)
                ]
            before += len(keys)
            if len(rows) >= most:
                break
    return rows[:most]
