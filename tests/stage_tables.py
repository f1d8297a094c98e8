"""Tables of a corpus' stages as readers see them, whatever generations their files lie in."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipeline.store import generations, verdict_files
from pipeline.store.generations import Generation


def current(root: Path, stage: str) -> Generation | None:
    return generations.current(str(root / stage))


def files(root: Path, name: str) -> dict[str, Path]:
    """Of `clean/documents`, or of `notes`, a folder that is no stage's: path without a generation -> where it lies."""
    stage, _, table = name.partition("/")
    if (now := current(root, stage)) is None:
        return {str(path.relative_to(root)): path for path in sorted((root / name).rglob("*.parquet"))}
    return {f"{name}/{own}": Path(path) for own, path in now.files(table).items()}


def all_files(root: Path) -> dict[str, Path]:
    """Of all tables and of folders that are no stage's."""
    found: dict[str, Path] = {}
    for folder in sorted(path.name for path in root.iterdir() if path.is_dir()):
        now = current(root, folder)
        for name in [f"{folder}/{table}" for table in now.tables()] if now else [folder]:
            found |= files(root, name)
    return found


def rows_of(root: Path, name: str) -> dict[str, list[dict[str, Any]]]:
    """By file, with the verdicts that lie beside it."""
    now, found = current(root, name.partition("/")[0]), {}
    paths = files(root, name)
    beside = verdict_files.verdicts_of(now, [path.removeprefix(f"{name}/") for path in paths]) if now else {}
    for path, where in paths.items():
        rows = pq.read_table(where).to_pylist()
        if judged := beside.get(path.removeprefix(f"{name}/")) if name.endswith("/documents") else None:
            verdicts = [reason for group in verdict_files.read_verdicts(judged) for reason in group.to_pylist()]
            rows = [{**row, verdict_files.COLUMN: reason} for row, reason in zip(rows, verdicts, strict=True)]
        found[path] = rows
    return found


def table(root: Path, name: str) -> list[dict[str, Any]]:
    return [row for rows in rows_of(root, name).values() for row in rows]


def small(root: Path, name: str) -> Any:
    """`clean/_ledger.json` of the current generation."""
    stage, _, own = name.partition("/")
    now = current(root, stage)
    return json.loads(((Path(now.place) if now else root / stage) / own).read_text())
