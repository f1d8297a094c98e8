"""Pictures of training runs: each figure of the log, one line a run, all over the same axis."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.report.pictures.charts import Curve, Point, curve, thin
from pipeline.report.runs import MOST_RUNS, Run
from pipeline.report.words import tag

KINDS = ("kept", "r1", "r4", "r6", "r3", "r0", "r5", "r2")  # colours, those of neighbours far apart
assert len(KINDS) == MOST_RUNS
MOST_PICTURES = 20  # of languages
DIFFERENCE_POINTS = 60  # the noise of single batches would hide what is looked for
ALIKE = 0.05  # runs whose steps differ by less in tokens are drawn over steps
FIGURES = (
    ("lr", "Learning rate", ""),
    ("grad_norm", "Norm of the gradient", ""),
    ("tokens_per_second", "Speed", "tokens a second"),
    ("mfu", "Model FLOPs utilisation", "share of the peak"),
    ("data_wait", "Waiting for data", "share of the time"),
)


class Picture(NamedTuple):
    """kinds: name of a line or of dots -> its colour, in the order of the key, which one line needs not. tag: of the
    language that the title is, if it is one."""

    title: str
    unit: str
    curve: Curve
    kinds: dict[str, str]
    tag: str = ""


class Pictures(NamedTuple):
    """axis: what lies across, in words. large: over the whole width. languages: one each, those with most tokens."""

    axis: str
    large: list[Picture]
    small: list[Picture]
    languages: list[Picture]


def pictures(runs: Sequence[Run]) -> Pictures:
    """Of runs that have logged steps. Over tokens where a step is not of the same tokens in all runs, else steps."""
    axis, factor = _axis(runs)
    kinds = {run.name: kind for run, kind in zip(runs, KINDS, strict=False)}

    def draw(title: str, unit: str, lines: Mapping[str, Sequence[Point]], dots: bool = False) -> Picture | None:
        marked = {name: points for name, points in lines.items() if dots or len(points) == 1}
        drawn = curve(lines, marked)
        return Picture(title, unit, drawn, kinds) if drawn else None

    def across(run: Run, points: Sequence[Point]) -> list[Point]:
        return _over_tokens(run, points, factor) if factor else list(points)

    def all_runs(*path: str) -> dict[str, list[Point]]:
        return {run.name: across(run, run.series(*path)) for run in runs}

    validation = {run.name: across(run, run.validation) for run in runs}
    if len(runs) == 1:
        both = _one_run("Loss", all_runs("loss")[runs[0].name], validation[runs[0].name])
        large = [both] if both else []
    else:
        found = [
            draw("Training loss", "nats", all_runs("loss")),
            draw("Validation loss", "nats", validation, dots=True),
            draw(f"Training loss less that of {runs[0].name}", "nats", differences(all_runs("loss"))),
        ]
        large = [picture for picture in found if picture]
    small: list[Picture | None] = []
    for name in dict.fromkeys(name for run in runs for name in run.objectives):
        trained, path = all_runs("objectives", name, "loss"), ("objectives", name)
        held = {run.name: across(run, run.objectives[name].validation) for run in runs if name in run.objectives}
        if len(runs) == 1:
            small.append(_one_run(f"Loss of {name}", trained[runs[0].name], held[runs[0].name]))
            continue
        small.append(draw(f"Training loss of {name}", "nats", trained))
        small.append(draw(f"Validation loss of {name}", "nats", held, dots=True))
        if len({weight for run in runs for _, weight in run.series(*path, "weight")}) > 1:
            small.append(draw(f"Weight of {name}", "lambda", all_runs(*path, "weight")))
    if len(runs) == 1:
        small += _weights(runs[0])
    small += [draw(title, unit, all_runs(key)) for key, title, unit in FIGURES]
    languages = []
    for label in largest(runs)[:MOST_PICTURES] if len(runs) > 1 else ():
        lines = {run.name: across(run, run.held_out.get(label, [])) for run in runs}
        if drawn := curve(lines, lines, 2):
            languages.append(Picture(label, "nats", drawn, kinds, tag(label)))
    return Pictures(axis, large, [picture for picture in small if picture], languages)


def _one_run(title: str, training: Sequence[Point], validation: Sequence[Point]) -> Picture | None:
    """Of a single run: its training as a line, its validation as dots."""
    drawn = curve({"training": training}, {"validation": validation})
    if drawn is None:
        return None
    kinds = {"training": "kept", "validation": "r1"}
    return Picture(title, "nats", drawn, {name: kinds[name] for name in (*drawn.lines, *drawn.dots)})


def _weights(run: Run) -> list[Picture | None]:
    """Lambda over a run, of its objectives, and of the languages that did not always weigh 1: as many as colours."""
    objectives = {name: run.series("objectives", name, "weight") for name in run.objectives}
    labels = [label for label in largest([run]) if label in run.language_weights]
    languages = {label: run.language_weights[label] for label in labels[: len(KINDS)]}
    few = f" ({len(languages)} of {len(labels)})" if len(labels) > len(languages) else ""
    found: list[Picture | None] = []
    for title, lines in (("Weights of objectives", objectives), (f"Weights of languages{few}", languages)):
        marked = {name: points for name, points in lines.items() if len(points) == 1}
        drawn = curve(lines, marked)
        colours = {name: KINDS[number % len(KINDS)] for number, name in enumerate(lines)}
        found.append(Picture(title, "lambda", drawn, colours) if drawn else None)
    return found


def largest(runs: Sequence[Run]) -> list[str]:
    """Languages of all runs, that with most tokens in any of them first."""
    most: dict[str, float] = {}
    for run in runs:
        for label in run.validation_languages:
            most.setdefault(label, 0)
        for label, row in run.languages.items():
            most[label] = max(most.get(label, 0), row["tokens"] or 0)
    return sorted(most, key=lambda label: (-most[label], label))


def differences(lines: Mapping[str, Sequence[Point]]) -> dict[str, list[Point]]:
    """Each line less the first, where both are; means of neighbours, else it is noise that is seen."""
    thinned = {name: np.array(thin(points, DIFFERENCE_POINTS)) for name, points in lines.items() if points}
    first, *others = thinned
    result: dict[str, list[Point]] = {first: [(float(x), 0.0) for x in thinned[first][[0, -1], 0]]}
    xs, ys = thinned[first].T
    for name in others:
        inside = thinned[name][(thinned[name][:, 0] >= xs[0]) & (thinned[name][:, 0] <= xs[-1])]
        result[name] = [(float(x), float(y - np.interp(x, xs, ys))) for x, y in inside]
    return result


def _axis(runs: Sequence[Run]) -> tuple[str, float]:
    """(words, tokens to a unit of the axis; 0: steps)."""
    a_step = [
        tokens / run.steps[-1]["step"] for run in runs if (tokens := run.last("tokens")) and run.steps[-1]["step"]
    ]
    if len(a_step) < len(runs) or max(a_step) <= min(a_step) * (1 + ALIKE):
        return "step", 0
    most = max(run.last("tokens") or 0 for run in runs)
    return ("thousand million tokens", 1e9) if most >= 1e10 else ("million tokens", 1e6)


def _over_tokens(run: Run, points: Sequence[Point], factor: float) -> list[Point]:
    known = np.array([(0.0, 0.0), *run.series("tokens")])
    return [(float(np.interp(step, known[:, 0], known[:, 1])) / factor, value) for step, value in points]
