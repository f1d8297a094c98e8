"""Tables as OpenLineage names datasets (https://openlineage.io/docs/spec/naming): a namespace and a name by where they
are; their versions are fingerprints, so that equal versions are equal tables."""

import os
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlparse

import pyarrow as pa

from pipeline.store import generations, storage
from pipeline.store.parquet_files import open_parquet
from schemas.records import STAGES, Ledger, RunRecord
from schemas.redacted import without_secrets

OWN = "wanyu"  # namespace of what has no place of its own: earlier crawls, known by their fingerprints
LISTS = ("block_lists", "bad_words", "decontaminate", "genre_lists")


class Dataset(NamedTuple):
    """fields: names and Arrow types of its columns, as far as somebody looked."""

    namespace: str
    name: str
    version: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    rows: int | None = None
    files: int | None = None


def dataset(path: str, version: str = "") -> Dataset:
    """Of a path or URL."""
    if storage.is_local(path):
        return Dataset("file", storage.absolute(path), version)
    url = urlparse(without_secrets(path))
    scheme = {"s3a": "s3", "gcs": "gs"}.get(url.scheme, url.scheme)
    return Dataset(f"{scheme}://{url.netloc}", url.path.strip("/") or "/", version)


def inputs_of(folder: str, record: RunRecord, given: Sequence[str]) -> list[Dataset]:
    """What the stage's run reads, by its record. given: archives, index or table as the user named them, of which the
    record has fingerprints alone."""
    root = folder.rstrip("/").rpartition("/")[0]
    found = []
    for name, version in record["inputs"].items():
        kind, _, path = name.partition(" ")
        if name in STAGES:
            found.append(dataset(storage.join(root, name, "data" if name == "sample" else "documents"), version))
        elif name in ("archives", "input", "index"):
            found += [one for one in (dataset(path, version) for path in given) if one not in found]
        elif kind == "against":
            found.append(Dataset(OWN, f"crawls/{version}", version))
        elif kind in LISTS and path:
            found.append(dataset(path.partition("=")[2] or path, version))
    return found


def outputs_of(folder: str, record: RunRecord, ledger: Ledger | None) -> list[Dataset]:
    """The tables of the stage; before it has ended (no ledger), its folder. What has no table, as a vocabulary, is its
    folder too."""
    of_all = dataset(folder, record["fingerprint"])
    now = generations.current(folder) if ledger is not None else None
    if ledger is None or now is None:
        return [of_all]
    tables = [
        dataset(storage.join(folder, table), record["fingerprint"])._replace(
            rows=ledger["tables"].get(table), files=len(files), fields=_fields(list(files.values()))
        )
        for table in now.tables()
        if (files := now.files(table)) and not table.startswith("_")
    ]
    return tables or [of_all._replace(rows=ledger["rows_out"])]


def _fields(paths: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """By the footer of the first file: all files of a table of ours have the same columns."""
    try:
        with open_parquet(paths[0]) as file:
            schema: pa.Schema = file.schema_arrow
    except (OSError, pa.ArrowException):  # a file of another kind
        return ()
    return tuple((field.name, str(field.type)) for field in schema)


def parent_of(text: str | None) -> tuple[str, str, str] | None:
    """Namespace, job and run of OPENLINEAGE_PARENT_ID, `NAMESPACE/JOB/RUN`, as Airflow's macro
    lineage_parent_id writes it; None where it says none."""
    parts = (text or "").rsplit("/", 2)
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 and all(parts) else None


def namespace() -> str:
    """Of our jobs."""
    return os.environ.get("OPENLINEAGE_NAMESPACE") or OWN
