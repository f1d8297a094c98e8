"""Indexes of keys of the stages' tables (`key_index`), beside each generation that wrote them: `_keys/documents/`.

Addresses are indexed where they come in, in extract; all later tables go by ids. What a removal or a new verdict writes
has no keys that the generation lacks whose files it replaces, so its own index is empty.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.keys import key_index
from pipeline.store import storage
from pipeline.store.generations import Generation
from pipeline.workers.tasks import TaskRunner

COLUMNS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "extract": {"documents": ("url",), "skipped": ("url",)},
    "clean": {"documents": ("id",)},
    "dedup": {"documents": ("id",), "signatures": ("id",), "clusters": ("id", "cluster_id")},
    "sample": {"data": ("id",)},
}


def write_keys(run_tasks: TaskRunner, place: str, stage: str, tables: Mapping[str, Sequence[str]]) -> None:
    """Of the files that a generation wrote to its place: names by table."""
    for table, columns in COLUMNS.get(stage, {}).items():
        files = {name: storage.join(place, table, name) for name in tables.get(table, ())}
        key_index.write(run_tasks, files, columns, _folder(place, table))


def write_no_new_keys(place: str, stage: str) -> None:
    """Of a generation whose files have no other keys than those that they replace."""
    for table in COLUMNS.get(stage, {}):
        key_index.write_empty(_folder(place, table))


def ensure(run_tasks: TaskRunner, now: Generation, stage: str) -> None:
    """Indexes what is not indexed, of a root of an older version."""
    for table, columns in COLUMNS.get(stage, {}).items():
        missing = [part for part in now.parts() if not key_index.there(_folder(part.place, table))]
        for part in missing:
            key_index.write_empty(_folder(part.place, table))
        if missing:  # all files as one, for it is not known which had been replaced
            key_index.write(run_tasks, now.files(table), columns, _folder(missing[0].place, table))


def files_with(
    run_tasks: TaskRunner, now: Generation, stage: str, table: str, name: str, hashes: np.ndarray
) -> dict[str, str]:
    """The table's files, name -> path, that may have one of the values (`key_index.hashes_of`) in the column `name`;
    all of them where no index tells."""
    found = set[str]()
    if name not in COLUMNS.get(stage, {}).get(table, ()):
        return now.files(table)
    for part in now.parts():
        names = key_index.files_with(run_tasks, _folder(part.place, table), hashes)
        if names is None:
            return now.files(table)
        found |= names
    return now.named(table, found)


def _folder(place: str, table: str) -> str:
    return storage.join(place, "_keys", table)
