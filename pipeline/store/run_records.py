"""A stage's folder: built beside its place, recorded, and moved into place whole.

The run record `_run.json` is written last. A folder without one is unfinished and no other stage reads it; one whose
fingerprint equals that of the work at hand is not made again.
"""

import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pipeline.store import storage
from schemas.code_revision import code_revision
from schemas.errors import UserError
from schemas.records import EXAMPLES, LEDGER, RUN, Example, Ledger, RunRecord, unbalanced

LIBRARIES = [
    "pyspark",
    "pyarrow",
    "numpy",
    "numba",
    "fastwarc",
    "warcio",
    "resiliparse",
    "trafilatura",
    "lxml",
    "regex",
    "phonenumbers",
    "xxhash",
    "datasketch",
    "sentencepiece",
    "tokenizers",
]
PLAN = "_plan.json"


def fingerprint(value: Any) -> str:
    """16 hex digits of SHA-256 over the value as canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]


def make_record(stage: str, stage_version: int, config: Mapping[str, Any], inputs: Mapping[str, str]) -> RunRecord:
    """The record of work to be done: equal fingerprints mean equal tables. `config`: what the tables depend on."""
    core = {"stage": stage, "stage_version": stage_version, "config": dict(config), "inputs": dict(inputs)}
    versions = {name: _version(name) for name in LIBRARIES}
    return RunRecord(
        stage=stage,
        fingerprint=fingerprint(core),
        stage_version=stage_version,
        config=dict(config),
        inputs=dict(inputs),
        versions={"python": platform.python_version(), **versions},
        code_revision=code_revision(),
    )


def finished(folder: str) -> RunRecord | None:
    """The record of a finished stage folder. An interrupted publication is completed first."""
    if storage.exists(storage.join(_beside(folder, "building"), RUN)):
        _move_into_place(folder)
    storage.remove(_beside(folder, "old"))
    return storage.read_json(storage.join(folder, RUN))


@contextmanager
def building(folder: str, record: RunRecord, resume: bool = False) -> Iterator[str]:
    """A folder to build in, which `publish` moves into place. UserError where a folder of somebody else stands there.

    What a failed stage built is removed. With `resume` it is kept, for the next run with the same settings to go on.
    """
    before = storage.read_json(storage.join(folder, RUN))
    if storage.exists(folder) and (before or {}).get("stage") != record["stage"]:
        raise UserError(f"{folder} exists and was not written by {record['stage']}: name a new folder")
    place = _beside(folder, "building")
    plan = {"stage_version": record["stage_version"], "config": record["config"]} if resume else {}
    if not (resume and storage.read_json(storage.join(place, PLAN)) == plan):
        storage.remove(place)
        storage.write_json(storage.join(place, PLAN), plan)
    try:
        yield place
    except BaseException:
        recorded = storage.exists(storage.join(place, RUN))  # whole already: `finished` moves it into place
        if not recorded and not resume:
            storage.remove(place)
        raise


def abandon(folder: str) -> None:
    """Removes what was built, where there is nothing to go on from."""
    storage.remove(_beside(folder, "building"))


def publish(folder: str, record: RunRecord, ledger: Ledger, examples: list[Example]) -> None:
    """Writes ledger, examples and record, then moves the built folder into place. Fails when rows are unaccounted."""
    for name, account in (("all rows", ledger), *ledger["by_language"].items()):
        if missing := unbalanced(account):
            raise AssertionError(
                f"{record['stage']}: the ledger does not add up for {name}: {missing} rows unexplained"
            )
    place = _beside(folder, "building")
    storage.write_json(storage.join(place, LEDGER), ledger)
    storage.write_json(storage.join(place, EXAMPLES), examples)
    storage.write_json(storage.join(place, RUN), record)  # from here on the folder is whole
    storage.remove(storage.join(place, PLAN))
    _move_into_place(folder)


def require(folder: str, stage: str, upstream: str | None = None) -> RunRecord:
    """The record of the stage that another one reads. UserError when it is missing, unfinished or out of date."""
    record = finished(folder)
    if record is None:
        raise UserError(f"{folder} is missing or unfinished: run jobs/{stage}.py first")
    if record["stage"] != stage:
        raise UserError(f"{folder} was written by {record['stage']}, not by {stage}: name another --root")
    if upstream:
        above = finished(upstream)
        name = upstream.rstrip("/").rsplit("/", 1)[-1]
        if above and record["inputs"].get(name) not in (None, above["fingerprint"]):
            raise UserError(f"{folder} was made from an earlier {upstream}: run jobs/{stage}.py again")
    return record


def _move_into_place(folder: str) -> None:
    place, old = _beside(folder, "building"), _beside(folder, "old")
    if storage.exists(folder):
        storage.remove(old)
        storage.move(folder, old, RUN)
    storage.move(place, folder, RUN)
    storage.remove(old)


def _beside(folder: str, what: str) -> str:
    parent, _, name = folder.rstrip("/").rpartition("/")
    return f"{parent}/_{name}.{what}"


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "absent"
