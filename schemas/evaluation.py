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
settings.seen names. settings.measure is what a table belongs to; the first table of a measure says most. A figure that
is not there was not measured.
"""

from typing import Literal, NotRequired, TypedDict

VERSION = 1
ALL = "all"  # the row of a figure that belongs to no language
Better = Literal["higher", "lower", "neither"]


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
