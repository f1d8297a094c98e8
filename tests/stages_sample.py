"""Tables in files and the stage sample over them, without an engine, for tests of several stages."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.config import SampleConfig
from pipeline.mixture.card import card
from pipeline.mixture.manifest import manifest
from pipeline.mixture.sources import sources
from pipeline.stages import sample
from pipeline.store.document_table import document_table
from pipeline.workers.tasks import Step
from schemas.records import Counts

T, R = TypeVar("T"), TypeVar("R")


def serially(function: Callable[[T], R], items: Sequence[T], /, step: Step | None = None) -> list[R]:
    return [function(item) for item in items]


def table(folder: Path, rows: list[dict[str, Any]], files: int, schema: pa.Schema) -> str:
    """The rows in an order of their own, in so many files of small row groups."""
    order = np.random.default_rng(files).permutation(len(rows))
    place = folder / f"table-{files}"
    place.mkdir(parents=True, exist_ok=True)
    for number in range(files):
        part = pa.Table.from_pylist([rows[i] for i in order[number::files]], schema=schema)
        pq.write_table(part, place / f"part-{number}.parquet", row_group_size=7 + 60 * (number % 2))
    return str(place)


def run(source: str, config: SampleConfig, folder: Path) -> tuple[dict[str, Any], Counts]:
    """The stage as its job runs it: shards, mixture.json and README.md in `folder`."""
    given, scratch = document_table(source, "id", "text"), str(folder / "_scratch")
    planned = sample.plan(given, config, scratch, serially)
    outcome = sample.write(given, planned, config, scratch, str(folder), serially)
    mixed = manifest(planned.plan, outcome.written, config)
    mixed["corpus"] = sources(None, [shard.dumps for shard in outcome.written])
    (folder / "mixture.json").write_text(json.dumps(mixed))
    (folder / "README.md").write_text(card(mixed))
    return mixed, sample.counts_of(planned)


def shards_of(source: str, folder: Path, **settings: Any) -> Path:
    run(source, SampleConfig(**settings), folder)
    return folder
