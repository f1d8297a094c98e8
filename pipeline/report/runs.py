"""What training runs say of themselves: `_run.json` and metrics.jsonl, line by line, of any store."""

import json
import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.store import storage
from schemas.errors import UserError
from schemas.records import RUN

METRICS = "metrics.jsonl"
RECENT_LINES = 20  # of metrics.jsonl, over which a language's training loss is averaged
MOST_RUNS = 8  # as many as colours

Point = tuple[float, float]


@dataclass
class Run:
    """A run's log. steps: the train lines without their languages. validation: (step, loss).

    languages: `eng_Latn` -> tokens, share of all tokens, documents, epochs since the start, and loss, the mean in nats
    over the guesses of the last lines. validation_languages: `eng_Latn` -> loss of the last validation; held_out:
    `eng_Latn` -> (step, loss) of each. damaged: files of which a part could not be read.
    """

    name: str
    folder: str
    record: dict[str, Any]
    steps: list[dict[str, Any]] = field(default_factory=list)
    validation: list[Point] = field(default_factory=list)
    validation_accuracy: float | None = None
    languages: dict[str, dict[str, Any]] = field(default_factory=dict)
    validation_languages: dict[str, float] = field(default_factory=dict)
    held_out: dict[str, list[Point]] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)

    def series(self, *path: str) -> list[Point]:
        """(step, value) of the train lines that have a finite number under that key, or keys one within another."""
        return [(line["step"], value) for line in self.steps if (value := finite(line, *path)) is not None]

    def held_out_at(self, label: str, step: float | None) -> float | None:
        """Loss of a language in the validation at that step; in the last one, if None is given."""
        if step is None:
            return self.validation_languages.get(label)
        return next((loss for at, loss in reversed(self.held_out.get(label, [])) if at == step), None)

    def last(self, *path: str) -> float | None:
        return finite(self.steps[-1], *path) if self.steps else None


def read_runs(folders: Sequence[str]) -> list[Run]:
    """Each folder once, in the order given. UserError where one is no folder, or there are too many to tell apart."""
    paths = list(dict.fromkeys(storage.absolute(folder).rstrip("/") for folder in folders))
    if len(paths) > MOST_RUNS:
        raise UserError(f"--run is given {len(paths)} times, and a picture holds {MOST_RUNS} runs: leave some out")
    for folder in paths:
        fs, inside = storage.filesystem(folder)
        if not fs.isdir(inside):
            raise UserError(f"--run {folder}: no such folder")
    return [read_run(folder, name) for folder, name in zip(paths, names(paths), strict=True)]


def names(folders: Sequence[str]) -> list[str]:
    """The ends of the paths, as short as they can be and differ."""
    parts = [folder.split("/") for folder in folders]
    length = 1
    while len({tuple(one[-length:]) for one in parts}) < len(parts):
        length += 1
    return ["/".join(one[-length:]) for one in parts]


def read_run(folder: str, name: str = "") -> Run:
    """A run that has logged nothing yet has no steps; what is half written is left out."""
    result = Run(name or names([folder])[0], folder, {})
    try:
        record = storage.read_json(storage.join(folder, RUN))
        result.record = record if isinstance(record, dict) else {}
    except UserError:
        result.damaged.append(RUN)
    recent: deque[dict[str, Any]] = deque(maxlen=RECENT_LINES)
    for line in _lines(storage.join(folder, METRICS), result.damaged):
        languages = line.pop("languages", {})
        if line.get("split") == "validation":
            _validation(result, line, languages)
        else:
            result.steps.append(line)
            recent.append(languages)
    for label, last in sorted(recent[-1].items()) if recent else ():
        losses = [(loss, one[label]["masked"]) for one in recent if (loss := finite(one, label, "loss")) is not None]
        guesses = sum(masked for _, masked in losses)
        loss = sum(loss * masked for loss, masked in losses) / guesses if guesses else None
        figures = {key: finite(last, key) for key in ("tokens", "documents", "epochs")}
        result.languages[label] = figures | {"loss": loss}
    total = sum(one["tokens"] or 0 for one in result.languages.values())
    for one in result.languages.values():
        one["share"] = one["tokens"] / total if total and one["tokens"] is not None else None
    return result


def _validation(run: Run, line: dict[str, Any], languages: dict[str, Any]) -> None:
    step, loss = line["step"], finite(line, "loss")
    if loss is not None:
        run.validation.append((step, loss))
        run.validation_accuracy = finite(line, "accuracy")
    losses = {label: loss for label in languages if (loss := finite(languages, label, "loss")) is not None}
    run.validation_languages = losses
    for label, value in losses.items():
        run.held_out.setdefault(label, []).append((step, value))


def finite(values: Any, *path: str) -> float | None:
    """The number under that path; None where there is none, or one that is not finite."""
    for key in path:
        values = values.get(key) if isinstance(values, dict) else None
    return values if isinstance(values, int | float) and math.isfinite(values) else None


def _lines(path: str, damaged: list[str]) -> Iterator[dict[str, Any]]:
    """Whole lines of JSON with a step; a last one that is being written is left out."""
    if not storage.exists(path):
        return
    fs, inside = storage.filesystem(path)
    with fs.open(inside, "rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            try:
                values = json.loads(line)
            except ValueError:
                values = None
            if isinstance(values, dict) and isinstance(values.get("step"), int):
                yield values
            elif METRICS not in damaged:
                damaged.append(METRICS)
