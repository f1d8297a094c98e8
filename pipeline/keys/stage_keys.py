"""Indexes of keys of the stages' tables (`key_index`), beside each generation that wrote them: `_keys/documents/`.

Addresses are indexed where they come in, in extract; all later tables go by ids. What a removal or a new verdict writes
has no keys that the generation lacks whose files it replaces, so its own index is empty.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.keys import key_index
from pipeline.store import generations, storage
from pipeline.store.generations import Generation
from pipeline.workers.tasks import TaskRunner
from schemas.records import STAGES

KEYS = "_keys"
ORIGIN = "_origin.json"
COLUMNS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "extract": {"documents": ("url",), "skipped": ("url",)},
    "clean": {"documents": ("id",)},
    "dedup": {
        "documents": ("id", "cluster_id"),
        "signatures": ("id",),
        "clusters": ("id", "cluster_id", "kept_id"),
        "paragraph_examples": ("id",),
        "spans": ("id", "other_id"),
    },
    "sample": {"data": ("id",)},
}


def write_keys(
    run_tasks: TaskRunner, place: str, stage: str, tables: Mapping[str, Sequence[str]], origin: str | None
) -> None:
    """Of the files that a generation wrote to its place: names by table. origin: of the stage before, or its own."""
    storage.write_json(storage.join(place, KEYS, ORIGIN), {"extract": origin})
    for table, columns in COLUMNS.get(stage, {}).items():
        files = {name: storage.join(place, table, name) for name in tables.get(table, ())}
        key_index.write(run_tasks, files, columns, _folder(place, table))


def write_no_new_keys(place: str, stage: str, origin: str | None) -> None:
    """Of a generation whose files have no other keys than those that they replace."""
    storage.write_json(storage.join(place, KEYS, ORIGIN), {"extract": origin})
    for table in COLUMNS.get(stage, {}):
        key_index.write_empty(_folder(place, table))


def origin_of(now: Generation | None) -> str | None:
    """Fingerprint of the extract by which all documents of a stage's generation came in; None where nobody knows."""
    if now is None:
        return None
    record, said = now.record(), now.read_json(f"{KEYS}/{ORIGIN}")
    if record["stage"] == STAGES[0]:
        return record["fingerprint"]
    if said:
        return str(said["extract"]) if said["extract"] else None
    before = STAGES[STAGES.index(record["stage"]) - 1]
    above = generations.current(storage.join(now.folder.rpartition("/")[0], before))
    if above is None or record["inputs"].get(before) != above.record()["fingerprint"]:
        return None
    return origin_of(above)


def ensure(run_tasks: TaskRunner, now: Generation, stage: str) -> None:
    """Indexes what is not indexed, or as addresses were compared before, of a root of an older version."""
    for table, columns in COLUMNS.get(stage, {}).items():
        missing = [part for part in now.parts() if not key_index.there(_folder(part.place, table), columns)]
        if missing:  # all files as one, for it is not known which had been replaced
            key_index.write(run_tasks, now.files(table), columns, _folder(missing[0].place, table))
        for part in missing[1:]:
            key_index.write_empty(_folder(part.place, table))


def files_with(
    run_tasks: TaskRunner, now: Generation, stage: str, table: str, name: str, hashes: np.ndarray
) -> dict[str, str]:
    """The table's files, name -> path, that may have one of the values (`key_index.hashes_of`) in the column `name`;
    all of them where no index tells."""
    found = set[str]()
    if name not in COLUMNS.get(stage, {}).get(table, ()):
        return now.files(table)
    for part in now.parts():
        names = key_index.files_with(run_tasks, _folder(part.place, table), name, hashes)
        if names is None:
            return now.files(table)
        found |= names
    return now.named(table, found)


def _folder(place: str, table: str) -> str:
    return storage.join(place, KEYS, table)
