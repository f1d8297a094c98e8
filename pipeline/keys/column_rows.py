"""Narrow columns of all rows of a stage's table that a condition on one column holds for: what no index tells. No text
is read."""

import functools
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from pipeline.keys.page_rows import FILE, FILES_A_TASK, Hits
from pipeline.store import verdict_files
from pipeline.store.generations import Generation
from pipeline.store.parquet_files import open_parquet
from pipeline.workers.tasks import TaskRunner


def columns_where(
    run_tasks: TaskRunner, now: Generation, table: str, name: str, hits: Hits, columns: Mapping[str, pa.DataType]
) -> pa.Table:
    """Of each row whose column `name` the condition hits the columns, null where a file lacks them, and FILE, where in
    the stage's folder its file lies; in the order of files and rows."""
    files = now.files(table)
    judged: Mapping[str, str] = verdict_files.verdicts_of(now, files) if table == "documents" else {}
    asked = [(path, judged.get(own)) for own, path in files.items()]
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
            for number in range(file.num_row_groups):
                keys = file.read_row_group(number, [name], use_threads=False).column(0).combine_chunks()
                places = pa.array(np.flatnonzero(hits(keys)))
                if len(places):
                    group = file.read_row_group(number, there, use_threads=False)
                    if verdicts is not None and verdict_files.COLUMN in there:
                        (judged,) = verdict_files.read_verdicts(verdicts, [number])
                        group = verdict_files.with_verdicts(group, judged)
                    parts.append(_as(schema, group.take(places), path.removeprefix(front)))
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
