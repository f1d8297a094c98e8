"""A run is evaluated while it goes on: each new whole checkpoint becomes a line of RUN/evaluation.jsonl.

    {"step": 500, "digest": "...", "asked": "...", "seconds": 70.6,
     "tables": {"bits_a_byte": {"title": "...", "unit": "...", "better": "lower", "mean": 2.96,
                                "languages": {"eng_Latn": 3.53}}}}

mean: over languages, or the one figure; null where there is none. asked: a digest of the settings, since under other
ones all checkpoints are asked anew. RUN/tensorboard/evaluation has the same figures, for TensorBoard a run of its own.
"""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from schemas.errors import UserError
from schemas.evaluation import ALL, Evaluation, Figure, Table
from train.evaluation.chosen import chosen
from train.evaluation.results import number, rows_of
from train.evaluation.settings import Settings
from train.evaluation.suite import Tell, evaluate
from train.telemetry.metrics_file import MetricsFile, read
from train.telemetry.tensorboard import EventFile
from train.watching.pending import Key, Pending, has_ended, is_there, pending

LINES = "evaluation.jsonl"
SECONDS = 10.0  # between two looks at a run
ANY_STEP = 1 << 62


def watch(
    run: Path,
    settings: Settings,
    say: Tell,
    tell: Tell,
    *,
    seconds: float = SECONDS,
    sleep: Callable[[float], None] = time.sleep,
    **place: str,
) -> None:
    """Until the run has ended and all its checkpoints are asked, the earliest first. say: is given a line a checkpoint;
    tell: what was left out, and how long each measure took. A checkpoint that the run drops meanwhile is passed over.

    UserError where the folder is no run, files cannot be read, or the figures cannot be written.
    """
    has_ended(run)
    chosen(settings)  # what is wrong with the files is told before the first wait
    journal = _Journal(run, settings)
    while True:
        ended = has_ended(run)  # asked first, so that the last checkpoint is not missed
        left = pending(run, journal.done)
        for one in left:
            if not is_there(one.folder):
                say(f"step {one.step}: passed over, the run has dropped its checkpoint")
                continue
            began = time.monotonic()
            found = _evaluated(one, settings, tell, place)
            if found is None:
                say(f"step {one.step}: passed over, the run has dropped its checkpoint")
                continue
            took = time.monotonic() - began
            journal.write(one, found, took)
            say(f"step {one.step}: {'  '.join(shortly(found, one.folder.name))}  ({took:.1f} s)")
        if not left:
            if ended:
                return
            sleep(seconds)


def shortly(found: Evaluation, name: str) -> list[str]:
    """`bits_a_byte 2.961`, of each table that has a mean or one figure."""
    means = {table["name"]: (_mean(table, name), table) for table in found["tables"]}
    return [f"{title} {number(figure['value'], table)}" for title, (figure, table) in means.items() if figure]


def _mean(table: Table, name: str) -> Figure | None:
    return table["means"].get(name) or rows_of(table, name).get(ALL)


def _evaluated(one: Pending, settings: Settings, tell: Tell, place: dict[str, Any]) -> Evaluation | None:
    """None where the checkpoint went away while it was read."""
    try:
        return evaluate([f"{one.folder.name}={one.folder}"], settings, tell, **place)
    except Exception:  # whatever readers make of files that go away under them
        if is_there(one.folder):
            raise
        return None


class _Journal:
    """What is written, and what has been."""

    def __init__(self, run: Path, settings: Settings) -> None:
        self.run = run
        self.asked = hashlib.sha256(repr(settings).encode()).hexdigest()[:16]
        lines = [line for line in read(run / LINES) if line.get("asked") == self.asked]
        self.done: set[Key] = {(line["step"], str(line.get("digest"))) for line in lines}
        self._lines: MetricsFile | None = None
        self._events: EventFile | None = None

    def write(self, one: Pending, found: Evaluation, seconds: float) -> None:
        tables = {table["name"]: self._figures(table, one.folder.name) for table in found["tables"]}
        line = {
            "step": one.step, "digest": one.key[1], "asked": self.asked, "seconds": round(seconds, 3), "tables": tables,
        }  # fmt: skip
        try:
            self._lines = self._lines or MetricsFile(self.run / LINES, ANY_STEP)  # takes out half a line, no whole one
            self._lines.write(line)
            events = self._events or EventFile(self.run / "tensorboard" / "evaluation", one.step - 1)
            self._events = events
            events.write({"step": one.step, "split": "evaluation"} | _scalars(tables))
        except OSError as error:
            raise UserError(f"--watch {self.run}: cannot write {LINES} ({error}): free space, or mend that") from None
        self.done.add(one.key)

    @staticmethod
    def _figures(table: Table, name: str) -> dict[str, Any]:
        mean = _mean(table, name)
        return {
            "title": table["title"],
            "unit": table["unit"],
            "better": table["better"],
            "mean": mean["value"] if mean else None,
            "languages": {language: figure["value"] for language, figure in rows_of(table, name).items()},
        }


def _scalars(tables: dict[str, dict[str, Any]]) -> dict[str, float]:
    """`bits_a_byte` and `bits_a_byte/eng_Latn`."""
    found = {name: table["mean"] for name, table in tables.items() if table["mean"] is not None}
    for name, table in tables.items():
        found |= {f"{name}/{language}": value for language, value in table["languages"].items()}
    return found
