"""Whole rows of a stage's table by a key, from the few files that have it: of these the key's column is read, and all
columns of the row groups that hold a row."""

import functools
import itertools
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.keys import key_index, stage_keys
from pipeline.store import verdict_files
from pipeline.store.generations import Generation
from pipeline.store.parquet_files import open_parquet
from pipeline.workers.tasks import TaskRunner

FILES_A_TASK = 8
FILE = "_file"  # key of a row: where in the stage's folder its file lies

Row = dict[str, Any]


def rows_with(
    run_tasks: TaskRunner, now: Generation, stage: str, table: str, name: str, values: Collection[str], most: int
) -> list[Row]:
    """At most so many rows whose column `name` has one of the values, in the order of files and rows. Without an index
    the column is read of all files."""
    if not values:
        return []
    hashes = key_index.hashes_of(name, values)
    files = stage_keys.files_with(run_tasks, now, stage, table, name, hashes)
    judged: Mapping[str, str] = verdict_files.verdicts_of(now, files) if table == "documents" else {}
    asked = [(path, judged.get(own)) for own, path in sorted(files.items())]
    chunks = [asked[at : at + FILES_A_TASK] for at in range(0, len(asked), FILES_A_TASK)]
    task = functools.partial(_of_files, name=name, values=sorted(values), most=most)
    found = [task(chunks[0])] if len(chunks) == 1 else run_tasks(task, chunks)
    front = now.folder.rstrip("/") + "/"
    return [{**row, FILE: row[FILE].removeprefix(front)} for row in itertools.chain(*found)][:most]


def _of_files(asked: Sequence[tuple[str, str | None]], name: str, values: Sequence[str], most: int) -> list[Row]:
    rows: list[Row] = []
    for path, verdicts in asked:
        rows += _of_file(path, verdicts, name, pa.array(values, pa.string()), most - len(rows))
        if len(rows) >= most:
            break
    return rows


def _of_file(path: str, verdicts: str | None, name: str, values: pa.Array, most: int) -> list[Row]:
    rows: list[Row] = []
    with open_parquet(path) as file:
        for number in range(file.num_row_groups):
            keys = file.read_row_group(number, [name], use_threads=False).column(0)
            places = np.flatnonzero(pc.is_in(keys, value_set=values).to_numpy(zero_copy_only=False))
            if len(places):
                group = file.read_row_group(number, use_threads=False)
                if verdicts is not None:
                    (judged,) = verdict_files.read_verdicts(verdicts, [number])
                    group = verdict_files.with_verdicts(group, judged)
                rows += [{**row, FILE: path} for row in group.take(pa.array(places)).to_pylist()]
            if len(rows) >= most:
                break
    return rows[:most]
