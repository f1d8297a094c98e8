"""A stage's folder: a run builds a generation of it (`pipeline.store.generations`), records it, and makes it current.

The run record `_run.json` is written last. A generation without one is unfinished and nobody reads it; a current one
whose fingerprint equals that of the work at hand is not made again.
"""

import hashlib
import importlib.metadata
import json
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pipeline.observed import events
from pipeline.store import generations, lease, storage
from pipeline.store.generations import BUILDING, Generation
from schemas.code_revision import code_revision
from schemas.errors import UserError
from schemas.generations import FRONT
from schemas.records import EXAMPLES, LEDGER, RUN, Example, Ledger, RunRecord, unbalanced
from schemas.redacted import without_secrets

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


ADDRESS = re.compile(r"((?:[\w.-]+[ =])?(?:[\w.-]+=)?)([a-z][a-z0-9+.-]*://.*)", re.I | re.S)


def fingerprint(value: Any) -> str:
    """16 hex digits of SHA-256 over the value as canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]


def make_record(stage: str, stage_version: int, config: Mapping[str, Any], inputs: Mapping[str, str]) -> RunRecord:
    """The record of work to be done: equal fingerprints mean equal tables. `config`: what the tables depend on.

    Addresses in it are `without_secrets`, in the fingerprint too, so that one signed anew asks for no other tables.
    """
    config = {name: _told(value) for name, value in config.items()}
    inputs = {_told(name): value for name, value in inputs.items()}
    core = {"stage": stage, "stage_version": stage_version, "config": dict(config), "inputs": dict(inputs)}
    versions = {name: _version(name) for name in LIBRARIES}
    return RunRecord(
        stage=stage,
        fingerprint=fingerprint(core),
        stage_version=stage_version,
        config=dict(config),
        inputs=inputs,
        versions={"python": platform.python_version(), **versions},
        code_revision=code_revision(),
    )


def finished(folder: str) -> RunRecord | None:
    """The record of a stage folder's current generation. Changes nothing."""
    now = generations.current(folder)
    return now.record() if now else None


@contextmanager
def building(folder: str, record: RunRecord, resume: bool = False) -> Iterator[str]:
    """The place of the generation to be built, which `publish` makes current. UserError where a folder of somebody else
    stands there.

    What a failed stage built is removed. With `resume` it is kept, for the next run with the same settings to go on.
    """
    now, made = generations.current(folder), generations.following(folder)
    plan = {"stage_version": record["stage_version"], "config": record["config"]} if resume else {}
    begun = storage.read_json(storage.join(made.place, BUILDING))
    if now is None and begun is None and storage.listing(folder, hidden=True).keys() - {lease.NAME}:
        raise UserError(f"{folder} exists and was not written by {record['stage']}: name a new folder")
    if now is not None and now.record()["stage"] != record["stage"]:
        raise UserError(f"{folder} exists and was not written by {record['stage']}: name a new folder")
    generations.settle(folder)
    if begun is None or not resume or begun != plan:
        _clear(made)
        storage.write_json(storage.join(made.place, BUILDING), plan)
    else:
        storage.remove_begun(made.place)
    events.began(folder, record)
    try:
        yield made.place
    except BaseException as error:
        events.failed(folder, record, error)
        if not resume and generations.current(folder) != made:
            _clear(made)
        raise


def abandon(folder: str) -> None:
    """Removes what was built, where there is nothing to go on from."""
    _clear(generations.following(folder))


def unfinished(folder: str) -> bool:
    """Whether a run that resumes has left something to go on from."""
    made = generations.following(folder)
    return bool(storage.read_json(storage.join(made.place, BUILDING)))


def publish(
    folder: str,
    record: RunRecord,
    ledger: Ledger,
    examples: list[Example],
    tables: Mapping[str, Sequence[str]],
    base: Generation | None = None,
    gone: Mapping[str, Sequence[str]] | None = None,
    front: Mapping[str, str] | None = None,
) -> None:
    """Writes ledger, examples, the list of files and the record, and makes the built generation current. Fails when
    rows are unaccounted.

    tables: names of the files written, inside each table's folder; with a `base` the others are those of that
    generation but for the `gone` ones. front: of small files, already written to the
    generation's place, name at the top of the stage's folder -> name in that place.
    """
    for name, account in (("all rows", ledger), *ledger["by_language"].items()):
        if missing := unbalanced(account):
            raise AssertionError(
                f"{record['stage']}: the ledger does not add up for {name}: {missing} rows unexplained"
            )
    made = generations.following(folder)
    if front:
        storage.write_json(storage.join(made.place, FRONT), dict(front))
    storage.write_json(storage.join(made.place, LEDGER), ledger)
    storage.write_json(storage.join(made.place, EXAMPLES), examples)
    generations.write_manifest(made, tables, base, gone)
    storage.write_json(storage.join(made.place, RUN), record)  # from here on it is whole; the first one is current
    generations.make_current(made)
    storage.remove(storage.join(made.place, BUILDING))
    events.finished(folder, record, lambda: ledger)


def carry(now: Generation, place: str, names: Sequence[str]) -> None:
    """Small files of a generation that hold for one made of it too, at `place`, as far as it has them."""
    for name in names:
        if (data := storage.read_bytes(storage.join(now.place, name))) is not None:
            storage.write_bytes(storage.join(place, name), data)


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


def _clear(made: Generation) -> None:
    """Removes what was built of it."""
    if made.number == 1:
        there = {name.partition("/")[0] for name in storage.listing(made.folder, hidden=True)}
        for name in {*there, *storage.folders(made.folder)} - {lease.NAME}:  # empty folders of a disk, too
            storage.remove(storage.join(made.folder, name))
        storage.remove_empty(made.folder)
    else:
        storage.remove(storage.join(made.place, RUN))  # first: what has one counts as whole
        storage.remove(made.place)


def _told(value: Any) -> Any:
    """As a record has it: of a value that is an address, `NAME=` one, or a word and one, what holds no secret."""
    if isinstance(value, str):
        found = ADDRESS.match(value)
        return found[1] + without_secrets(found[2]) if found else value
    if isinstance(value, list | tuple):
        return [_told(one) for one in value]
    return {_told(name): _told(one) for name, one in value.items()} if isinstance(value, Mapping) else value


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "absent"
