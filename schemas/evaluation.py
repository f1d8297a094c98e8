"""The file of train/evaluate.py, which the report reads: one JSON object.

    {"version": 1,
     "models": [{"name": "tiny", "folder": "runs/tiny/export", "kind": "modernbert", "parameters": 4000000, ...}],
     "tables": [{"name": "tatoeba_cosine_to", "title": "...", "unit": "share found", "better": "higher",
                 "settings": {...},
                 "figures": {"tiny": {"fra_Latn": {"value": 0.5, "low": 0.47, "high": 0.53, "count": 1000}}},
                 "baselines": {"majority class": {"fra_Latn": {...}}},
                 "means": {"tiny": {"value": 0.4, "low": 0.39, "high": 0.41, "count": 36}}}]}

A row of a table is a language, or "all" where it has none. low and high bound a 95 % interval, null where there is
none; count is what a figure is over: texts, pairs, bytes; in means, languages. baselines are what a model has to beat,
in the same rows; means are of models and of baselines, over languages that count the same, without those that
settings.seen names. settings.measure is what a table belongs to; the first table of a measure says most. A setting
that is an object is by model. A figure that is not there was not measured.
"""

from collections.abc import Mapping
from typing import Literal, NotRequired, TypedDict

VERSION = 1
ALL = "all"  # the row of a figure that belongs to no language
Better = Literal["higher", "lower", "neither"]
SIGNS: dict[Better, int] = {"higher": 1, "lower": -1, "neither": 0}


class Figure(TypedDict):
    value: float
    low: float | None
    high: float | None
    count: int


Rows = dict[str, Figure]  # by language


class Table(TypedDict):
    name: str
    title: str
    unit: str
    better: Better
    settings: dict[str, object]
    figures: dict[str, Rows]  # by model
    baselines: dict[str, Rows]
    means: dict[str, Figure]


class Model(TypedDict):
    name: str
    folder: str
    kind: str
    parameters: int
    step: NotRequired[int]


class Evaluation(TypedDict):
    version: int
    models: list[Model]
    tables: list[Table]


def languages_of(table: Table) -> list[str]:
    """Of its models and baselines, sorted."""
    columns = (*table["figures"].values(), *table["baselines"].values())
    return sorted({language for rows in columns for language in rows} - {ALL})


def behind_the_best(row: Mapping[str, Figure], name: str, better: Better) -> float | None:
    """How far `name` is behind the best of the others in a row, models and baselines alike; below 0 where it is ahead
    of them all. None where it or every other is not there, and where neither is better."""
    sign = SIGNS[better]
    others = [sign * figure["value"] for other, figure in row.items() if other != name]
    return max(others) - sign * row[name]["value"] if sign and others and name in row else None


def gaps(table: Table, model: str) -> list[tuple[str, float | None]]:
    """(language, how far the model is behind in it), the furthest first, then its worst, then by name; None at the end.
    A model with nothing beside it is held against its own best language."""
    columns = table["figures"] | table["baselines"]
    sign, own = SIGNS[table["better"]], table["figures"].get(model, {})
    found: dict[str, float | None] = {}
    for language in languages_of(table):
        row = {name: rows[language] for name, rows in columns.items() if language in rows}
        found[language] = behind_the_best(row, model, table["better"])
    if sign and own and len(columns) == 1:
        values = {language: sign * own[language]["value"] for language in found}
        found = {language: max(values.values()) - value for language, value in values.items()}

    def place(one: tuple[str, float | None]) -> tuple[bool, float, float, str]:
        language, gap = one
        return gap is None, -(gap or 0.0), 0.0 if gap is None else sign * own[language]["value"], language

    return sorted(found.items(), key=place)


def head_of_gaps(table: Table, model: str) -> str:
    """What they are to."""
    alone = len(table["figures"] | table["baselines"]) == 1
    return "to the best language" if alone else f"{model} to the best other"
