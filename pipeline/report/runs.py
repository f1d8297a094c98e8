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
class ObjectiveLog:
    """One of several objectives of a run. weight: in its last line. loss, accuracy, and losses by language: means over
    the units of the last lines, of which there were `units`. validation: (step, loss) of each, by language too."""

    weight: float | None = None
    loss: float | None = None
    accuracy: float | None = None
    units: int = 0
    languages: dict[str, float] = field(default_factory=dict)
    validation: list[Point] = field(default_factory=list)
    validation_accuracy: float | None = None
    held_out: dict[str, list[Point]] = field(default_factory=dict)

    def held_out_at(self, label: str, step: float | None) -> float | None:
        """Loss of a language in the validation at that step; in the last one, if None is given."""
        points = self.held_out.get(label, [])
        return next((loss for at, loss in reversed(points) if step is None or at == step), None)


@dataclass
class Run:
    """A run's log. steps: the train lines without their languages. validation: (step, loss).

    languages: `eng_Latn` -> tokens, share of all tokens, documents, epochs since the start, and loss, the mean in nats
    over the guesses of the last lines. validation_languages: `eng_Latn` -> loss of the last validation; held_out:
    `eng_Latn` -> (step, loss) of each. objectives: by name, in the log's order; none where there is only one.
    language_weights: `eng_Latn` -> (step, lambda) of languages that did not weigh 1 in every line. damaged: files of
    which a part could not be read.
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
    objectives: dict[str, ObjectiveLog] = field(default_factory=dict)
    language_weights: dict[str, list[Point]] = field(default_factory=dict)
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
            _language_weights(result, languages)
    for label, last in sorted(recent[-1].items()) if recent else ():
        loss = _mean([one.get(label) for one in recent], "loss", "masked")
        figures = {key: finite(last, key) for key in ("tokens", "documents", "epochs")}
        result.languages[label] = figures | {"loss": loss}
    _objectives(result, recent)
    total = sum(one["tokens"] or 0 for one in result.languages.values())
    for one in result.languages.values():
        one["share"] = one["tokens"] / total if total and one["tokens"] is not None else None
    return result


def _mean(figures: Sequence[Any], key: str, units: str) -> float | None:
    """Of the figures that are finite, each times its units."""
    found = [(value, one.get(units) or 0) for one in figures if (value := finite(one, key)) is not None]
    total = sum(count for _, count in found)
    return sum(value * count for value, count in found) / total if total else None


def _objectives(run: Run, recent: Sequence[dict[str, Any]]) -> None:
    """What the last lines say of each objective; `recent`: their languages."""
    lines = [_table(line.get("objectives")) for line in run.steps[-len(recent) :]] if recent else []
    by_language = [{label: _table(_table(one).get("objectives")) for label, one in there.items()} for there in recent]
    for name in dict.fromkeys([*(name for one in lines for name in one), *run.objectives]):
        log = run.objectives.setdefault(name, ObjectiveLog())
        figures = [one.get(name) for one in lines]
        log.weight = finite(lines[-1], name, "weight") if lines else None
        log.loss, log.accuracy = (_mean(figures, key, "units") for key in ("loss", "accuracy"))
        log.units = sum(_table(one).get("units") or 0 for one in figures)
        for label in sorted({label for one in by_language for label in one}):
            loss = _mean([one.get(label, {}).get(name) for one in by_language], "loss", "units")
            if loss is not None:
                log.languages[label] = loss
    order = [name for one in lines for name in one]
    run.objectives = {name: run.objectives[name] for name in dict.fromkeys([*order, *run.objectives])}


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _language_weights(run: Run, languages: dict[str, Any]) -> None:
    """Of the last line read. A language is listed from the first line on in which it does not weigh 1."""
    step = run.steps[-1]["step"]
    for label in languages:
        weight = finite(languages, label, "weight")
        if weight is None or (weight == 1 and label not in run.language_weights):
            continue
        before = [(line["step"], 1.0) for line in (run.steps[:1] + run.steps[-2:-1]) if line["step"] < step]
        run.language_weights.setdefault(label, list(dict.fromkeys(before))).append((step, weight))


def _validation(run: Run, line: dict[str, Any], languages: dict[str, Any]) -> None:
    step, loss = line["step"], finite(line, "loss")
    if loss is not None:
        run.validation.append((step, loss))
        run.validation_accuracy = finite(line, "accuracy")
    losses = {label: loss for label in languages if (loss := finite(languages, label, "loss")) is not None}
    run.validation_languages = losses
    for label, value in losses.items():
        run.held_out.setdefault(label, []).append((step, value))
    for name, figures in _table(line.get("objectives")).items():
        log = run.objectives.setdefault(name, ObjectiveLog())
        if (loss := finite(figures, "loss")) is not None:
            log.validation.append((step, loss))
            log.validation_accuracy = finite(figures, "accuracy")
    for label in languages:
        for name, figures in _table(_table(languages[label]).get("objectives")).items():
            if (loss := finite(figures, "loss")) is not None:
                log = run.objectives.setdefault(name, ObjectiveLog())
                log.held_out.setdefault(label, []).append((step, loss))


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
