"""What an evaluation leaves: one JSON, one table and one picture in a folder, each whole or not there."""

import json
from collections.abc import Sequence
from pathlib import Path

from schemas.errors import UserError
from schemas.evaluation import ALL, Evaluation, Figure, Rows, Table, gaps, head_of_gaps, languages_of
from tokenizer.plot import Panel, Row, picture
from train.checkpoints.files import check_folder, write_text
from train.evaluation.measures import MEASURE
from train.telemetry.columns import laid_out, shortened

JSON, TABLE, PLOT = "evaluation.json", "evaluation.txt", "plot.svg"
UNFINISHED = "evaluation.unfinished.json"  # what there is of one that goes on, or was stopped
ABSENT = "—"


class Results:
    """The folder of an evaluation. An earlier one's files stay until all of this one is measured."""

    def __init__(self, folder: Path) -> None:
        """UserError where it cannot be a folder."""
        check_folder(folder)
        self.folder = folder

    def keep(self, found: Evaluation) -> None:
        """What is measured so far."""
        self.write(UNFINISHED, as_json(found))

    def finish(self, found: Evaluation) -> list[str]:
        """The lines of the table."""
        lines = summary(found) + by_language(found)
        self.write(TABLE, "\n".join(lines) + "\n")
        self.write(PLOT, plot(found))
        self.write(JSON, as_json(found))
        (self.folder / UNFINISHED).unlink(missing_ok=True)
        return lines

    def write(self, name: str, text: str) -> None:
        """A file of the folder, at once. UserError where the disk fails."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_text(self.folder / name, text)
        except OSError as error:
            raise UserError(f"--output {self.folder} cannot be written ({error}): name another folder") from None


def as_json(found: Evaluation) -> str:
    return json.dumps(found, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def summary(found: Evaluation) -> list[str]:
    """A row a table, a column a model or a baseline: the mean over languages, or the one figure of all texts."""
    baselines = list(dict.fromkeys(name for table in found["tables"] for name in table["baselines"]))
    names = [*models_of(found), *baselines]
    rows = [["mean over languages", "unit", *map(shortened, names)]]
    for table in found["tables"]:
        cells = [shown(table["means"].get(name) or rows_of(table, name).get(ALL), table) for name in names]
        rows.append([table["title"], table["unit"], *cells])
    return laid_out(rows)


def by_language(found: Evaluation) -> list[str]:
    """Of each measure its first table with more than one language: a row a language, those first in which the first
    model is furthest behind (`schemas.evaluation.gaps`). All tables are in the JSON."""
    lines = []
    for table in telling(found):
        names = [*models_of(found), *table["baselines"]]
        rows = [[table["unit"], *map(shortened, names), head_of_gaps(table, shortened(first_model(table, names)))]]
        for language, gap in gaps(table, first_model(table, names)):
            cells = [shown(rows_of(table, name).get(language), table) for name in names]
            rows.append([language, *cells, gap_in_words(gap, table)])
        lines += ["", table["title"], *laid_out(rows)]
    return lines


def plot(found: Evaluation) -> str:
    """Of the same tables in the same order, a dot a model or baseline; a model has one colour in all."""
    panels = []
    for table in telling(found):
        names = [*models_of(found), *table["baselines"]]
        rows = []
        for language, _ in gaps(table, first_model(table, names)):
            figures = [rows_of(table, name).get(language) for name in names]
            rows.append(Row(language, [figure["value"] if figure else None for figure in figures]))
        panels.append(Panel(table["title"], table["unit"], names, rows, linear=True))
    return picture("figures by language", panels)


def telling(found: Evaluation) -> list[Table]:
    """The first table of each measure that has more than one language."""
    first: dict[object, Table] = {}
    for table in found["tables"]:
        if len(languages_of(table)) > 1:
            first.setdefault(table["settings"][MEASURE], table)
    return list(first.values())


def first_model(table: Table, names: Sequence[str]) -> str:
    """By whose gaps its rows stand: the first of the names that it has figures of."""
    return next(name for name in names if name in table["figures"])


def models_of(found: Evaluation) -> list[str]:
    return [one["name"] for one in found["models"]]


def rows_of(table: Table, name: str) -> Rows:
    return table["figures"].get(name) or table["baselines"].get(name) or {}


def shown(figure: Figure | None, table: Table) -> str:
    """`34.2 % (31.9 to 36.5)`."""
    if figure is None:
        return ABSENT
    text, low, high = number(figure["value"], table), figure["low"], figure["high"]
    if low is None or high is None or low == high:
        return text
    return f"{text} ({number(low, table)} to {number(high, table)})".replace(" % to", " to").replace(" %)", ")")


def gap_in_words(gap: float | None, table: Table) -> str:
    """`2.5 % behind`."""
    if gap is None:
        return ABSENT
    text = number(abs(gap), table)
    return f"{text} {'behind' if gap > 0 else 'ahead'}" if text.strip("0. %") else "equal"


def number(value: float, table: Table) -> str:
    return f"{100 * value:.1f} %" if table["unit"].startswith("share") else f"{value:.3f}"
