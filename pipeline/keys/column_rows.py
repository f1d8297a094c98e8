"""Narrow columns of all rows of a stage's table that a condition on one column holds for: what no index tells. No text
is read."""

import functools
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pyarrow as pa

from pipeline.keys import key_index, stage_keys
from pipeline.keys.page_rows import FILE, FILES_A_TASK, Hits
from pipeline.store import verdict_files
from pipeline.store.generations import Generation
from pipeline.store.parquet_files import open_parquet
from pipeline.workers.tasks import TaskRunner


def columns_where(
    run_tasks: TaskRunner, now: Generation, stage: str, table: str, name: str, hits: Hits,
    columns: Mapping[str, pa.DataType], keys: Collection[str] = (),
) -> pa.Table:  # fmt: skip
    """Of each row whose column `name` the condition hits the columns, null where a file lacks them, and FILE, where in
    the stage's folder its file lies; in the order of files and rows. keys: values of which a hit has one, so that an
    index may tell which files need not be read; none: it may be any."""
    hashes = key_index.hashes_of(name, keys)
    files = stage_keys.files_with(run_tasks, now, stage, table, name, hashes) if keys else now.files(table)
    judged: Mapping[str, str] = verdict_files.verdicts_of(now, files) if table == "documents" else {}
    asked = [(path, judged.get(own)) for own, path in sorted(files.items())]
    chunks = [asked[at : at + FILES_A_TASK] for at in range(0, len(asked), FILES_A_TASK)]
    schema = pa.schema([*columns.items(), (FILE, pa.dictionary(pa.int32(), pa.string()))])
    front = now.folder.rstrip("/") + "/"
    task = functools.partial(_of_files, name=name, hits=hits, schema=schema, front=front)
    found = [task(chunks[0])] if len(chunks) == 1 else run_tasks(task, chunks)
    return pa.concat_tables([schema.empty_table(), *found]).unify_dictionaries()


def _of_files(
    asked: Sequence[tuple[str, str | None]], name: str, hits: Hits, schema: pa.Schema, front: str
) -> pa.Table:
    parts = [schema.empty_table()]
    for path, verdicts in asked:
        with open_parquet(path) as file:
            there = [own for own in schema.names if own in file.schema_arrow.names]
            places = np.flatnonzero(hits(file.read([name], use_threads=False).column(0).combine_chunks()))
            if len(places):
                sizes = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
                ends = np.cumsum([0, *sizes])
                owner = np.searchsorted(ends, places, "right") - 1
                groups, own = np.unique(owner, return_inverse=True)
                rows = file.read_row_groups(groups.tolist(), there, use_threads=False)
                if verdicts is not None and verdict_files.COLUMN in there:
                    read = verdict_files.read_verdicts(verdicts, groups.tolist())
                    rows = verdict_files.with_verdicts(rows, pa.chunked_array(read))
                starts = np.cumsum([0, *(sizes[group] for group in groups.tolist())])
                inside = starts[own] + places - ends[owner]
                parts.append(_as(schema, rows.take(pa.array(inside)), path.removeprefix(front)))
    return pa.concat_tables(parts).unify_dictionaries()


def _as(schema: pa.Schema, rows: pa.Table, file: str) -> pa.Table:
    n = len(rows)
    cells = [
        rows.column(field.name).cast(field.type) if field.name in rows.column_names else pa.nulls(n, field.type)
        for field in schema
        if field.name != FILE
    ]
    names = pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array([file], pa.string()))
    return pa.table([*cells, names], schema=schema)
