"""The one seam of an evaluation: a measure reads its files when it is made, and turns a model into tables.

A room's own measures are listed in `train.evaluation.chosen`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from schemas.evaluation import ALL, Better, Rows, Table
from train.encoders.opened import OpenedModel
from train.evaluation.settings import Settings
from train.metrics.figures import mean_of

SEEN = "seen"  # in a table's settings: languages that the answer was learnt in; a mean leaves them out
LEFT_OUT = "left_out"  # in a table's settings: by model, what it could not be asked
MEASURE = "measure"  # in a table's settings: of which measure it is


@dataclass(frozen=True)
class Measure:
    """name: for messages and for a table's settings. run: tables with figures of that model alone, the most telling
    first; UserError where this model cannot be asked. languages: that its files have, whether asked for or not.
    baselines: the same tables with figures that no model is needed for, once an evaluation. untrained: whether the same
    model with random weights stands beside, asked for or not."""

    name: str
    run: Callable[[OpenedModel, Settings], list[Table]]
    languages: frozenset[str] = frozenset()
    baselines: Callable[[Settings], list[Table]] | None = None
    untrained: bool = False


Maker = Callable[[Settings], Measure | None]
"""None where its files are not named. UserError where they cannot be read: before any model is asked."""


def table(
    name: str,
    title: str,
    unit: str,
    better: Better = "higher",
    *,
    figures: Mapping[str, Rows] | None = None,
    baselines: Mapping[str, Rows] | None = None,
    settings: Mapping[str, object] | None = None,
) -> Table:
    """Means are put in when all figures are there."""
    return Table(
        name=name,
        title=title,
        unit=unit,
        better=better,
        settings=dict(settings or {}),
        figures=dict(figures or {}),
        baselines=dict(baselines or {}),
        means={},
    )


def means(table: Table) -> Rows:
    """Over the languages of each model and baseline, those left out that the answer was learnt in."""
    seen = table["settings"].get(SEEN)
    left_out = {ALL, *(seen if isinstance(seen, list) else ())}
    found: Rows = {}
    for name, rows in {**table["baselines"], **table["figures"]}.items():
        kept = {language: figure for language, figure in rows.items() if language not in left_out}
        if kept:
            found[name] = mean_of(kept)
    return found
