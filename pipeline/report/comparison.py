"""Training runs beside each other: their last figures, their settings, their languages. Values in, text out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from pipeline.report.pictures.run_pictures import largest
from pipeline.report.runs import Run, finite
from pipeline.report.tables import Cell
from pipeline.report.words import count, nats, number, ratio, setting, tag
from pipeline.report.words import share as percent

EQUAL = "equal"
NOT_SET = "not set"
MINUS = "\u2212"


class Row(NamedTuple):
    """A figure of each run, what the later ones differ from the first by, the name of the best (empty: none is)."""

    title: str
    values: list[str]
    differences: list[str]
    better: str


Write = Callable[[float | None], str]


def figures(runs: Sequence[Run]) -> list[Row]:
    """The last figures of the logs; those that no run has are left out."""
    names = [run.name for run in runs]

    def row(title: str, values: Sequence[float | None], write: Write, sign: int) -> Row:
        return _row(names, title, values, write, sign)

    shared = shared_validation(runs)
    first, others = objectives(runs)
    of_first = f" of {first}" if others else ""
    rows = [
        row("steps", [run.steps[-1]["step"] for run in runs], count, 0),
        row("tokens", [run.last("tokens") for run in runs], count, 0),
        row(f"training loss{of_first}", [_recent_loss(run) for run in runs], nats, -1),
        row(
            f"validation loss{of_first}", [run.validation[-1][1] if run.validation else None for run in runs], nats, -1
        ),
        row(f"validation accuracy{of_first}", [run.validation_accuracy for run in runs], percent, 1),
        row("tokens a second", [_typical(run, "tokens_per_second") for run in runs], count, 1),
        row("MFU", [_typical(run, "mfu") for run in runs], percent, 1),
        row("waiting for data", [_typical(run, "data_wait") for run in runs], percent, -1),
        row("seconds of training", [run.last("seconds") for run in runs], count, 0),
        row("skipped steps", [run.last("skipped_steps") for run in runs], count, -1),
    ]
    if shared is not None and len({run.validation[-1][0] for run in runs if run.validation}) > 1:
        losses = [next((loss for step, loss in run.validation if step == shared), None) for run in runs]
        rows.insert(4, row(f"validation loss{of_first} at step {count(shared)}", losses, nats, -1))
    at = next(number for number, one in enumerate(rows) if one.title == "tokens a second")
    for name in reversed(others):
        logs = [run.objectives.get(name) for run in runs]
        ends = [log.validation[-1][1] if log and log.validation else None for log in logs]
        rows[at:at] = [
            row(f"training loss of {name}", [log.loss if log else None for log in logs], nats, -1),
            row(f"validation loss of {name}", ends, nats, -1),
            row(
                f"validation accuracy of {name}", [log.validation_accuracy if log else None for log in logs], percent, 1
            ),
        ]
    return [one for one in rows if any(one.values)]


def objectives(runs: Sequence[Run]) -> tuple[str, list[str]]:
    """(the objective that `loss` is of, the others of any run). Of runs with one objective alone: ("", [])."""
    names = list(dict.fromkeys(name for run in runs for name in run.objectives))
    return (names[0], names[1:]) if names else ("", [])


def shared_validation(runs: Sequence[Run]) -> float | None:
    """The last step at which all runs that have validated did; None where there is none."""
    steps = [{step for step, _ in run.validation} for run in runs if run.validation]
    return max(set.intersection(*steps), default=None) if steps else None


def _row(names: Sequence[str], title: str, values: Sequence[float | None], write: Write, sign: int) -> Row:
    """sign: 1 where more is better, -1 where less is, 0 where neither."""
    written = [write(value) for value in values]
    return Row(
        title, written, [_less(value, values[0], write) for value in values[1:]], _better(names, written, values, sign)
    )


def _less(value: float | None, first: float | None, write: Write) -> str:
    if value is None or first is None:
        return ""
    text = write(abs(value - first))
    mark = "+" if value > first else MINUS
    return mark + text if text.strip("0.,\u00a0%") else "0"


def _better(names: Sequence[str], written: Sequence[str], values: Sequence[float | None], sign: int) -> str:
    """The name of the best; what is written alike is equal."""
    there = [(sign * value, at) for at, value in enumerate(values) if value is not None]
    if not sign or len(there) < 2:
        return ""
    best = max(there)[1]
    alike = sum(text == written[best] for text in written) > 1
    return EQUAL if alike else names[best]


def _recent_loss(run: Run, lines: int = 20) -> float | None:
    losses = run.series("loss")[-lines:]
    return sum(loss for _, loss in losses) / len(losses) if losses else None


def _typical(run: Run, key: str) -> float | None:
    """The median, since the first lines and those beside a checkpoint are no measure."""
    values = sorted(value for _, value in run.series(key))
    return values[len(values) // 2] if values else None


def settings(runs: Sequence[Run]) -> list[tuple[str, list[str]]]:
    """(name, its value in each run) of all that is not the same in the records' configs, versions and machines."""
    flat = [_flat(run) for run in runs]
    keys = dict.fromkeys(key for one in flat for key in one)
    rows = [(key, [one.get(key, NOT_SET) for one in flat]) for key in keys]
    return [(key, values) for key, values in rows if len(set(values)) > 1]


def _flat(run: Run) -> dict[str, str]:
    config = _leaves(run.record.get("config"))
    rest = {key: run.record.get(key) for key in ("versions", "processes", "device", "code_revision")}
    others = _leaves({key: value for key, value in rest.items() if value is not None})
    # The folder is what the runs are named by.
    return {key: setting(value) for key, value in (config | others).items() if key.split(".")[-1] != "output"}


def _leaves(values: Any, above: str = "") -> dict[str, Any]:
    """Tables within tables by dotted names."""
    if not isinstance(values, Mapping):
        return {}
    result: dict[str, Any] = {}
    for key, value in values.items():
        inner = _leaves(value, f"{above}{key}.")
        result |= inner or {f"{above}{key}": value}
    return result


class LanguageRow(NamedTuple):
    label: str
    tag: str
    cells: list[Cell]


class Languages(NamedTuple):
    """groups: (title, columns under it). step: of the validations that are compared; None: each run's last."""

    groups: list[tuple[str, list[str]]]
    rows: list[LanguageRow]
    step: float | None


def languages(runs: Sequence[Run]) -> Languages:
    """A row a language, that with most tokens first: losses, epochs, share of tokens and tokens of each run.

    Validation: at the last step that all runs have one of, else each run's last.
    """
    shared = shared_validation(runs)
    names = [run.name for run in runs]
    groups = [("Validation loss", [*names, *(f"{name} {MINUS} {names[0]}" for name in names[1:]), "better"])]
    kinds: tuple[tuple[str, str, Write], ...] = (
        ("Training loss", "loss", nats),
        ("Epochs", "epochs", ratio),
        ("Share of tokens", "share", percent),
        ("Tokens", "tokens", count),
    )
    groups += [(title, names) for title, _, _ in kinds]
    _, others = objectives(runs)
    groups += [(f"{split} loss of {name}", names) for name in others for split in ("Training", "Validation")]
    rows = []
    for label in largest(runs):
        losses = [run.held_out_at(label, shared) for run in runs]
        row = _row(names, "", losses, nats, -1)
        cells = [Cell(value, text) for value, text in zip(losses, row.values, strict=True)]
        for loss, text in zip(losses[1:], row.differences, strict=True):
            cells.append(Cell(loss - losses[0] if loss is not None and losses[0] is not None else None, text))
        cells.append(Cell(None, row.better))
        for _, key, write in kinds:
            values = [finite(run.languages.get(label), key) for run in runs]
            cells += [Cell(value, write(value)) for value in values]
        for logs in ([run.objectives.get(name) for run in runs] for name in others):
            trained = [log.languages.get(label) if log else None for log in logs]
            held = [log.held_out_at(label, shared) if log else None for log in logs]
            cells += [Cell(value, nats(value)) for value in (*trained, *held)]
        rows.append(LanguageRow(label, tag(label), cells))
    return Languages(groups, rows, shared)


def balance(table: Languages, runs: Sequence[Run]) -> str:
    """In how many languages which run is better, as a sentence."""
    at = 2 * len(runs) - 1
    marks = [row.cells[at].text for row in table.rows if row.cells[at].text]
    counts = {run.name: marks.count(run.name) for run in runs}
    parts = [f"{name} in {number(wins)}" for name, wins in counts.items()]
    same = marks.count(EQUAL)
    return f"Better of {len(marks)} languages: {', '.join(parts)}" + (f"; {same} equal." if same else ".")
