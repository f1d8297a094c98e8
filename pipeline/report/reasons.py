"""Why rows were dropped: a table a stage, and a grid of languages and reasons. Ledgers in, rows of text out."""

import re
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any, NamedTuple

from pipeline.quality.rules import expression_of
from pipeline.report.gather import Corpus, Stage
from pipeline.report.pictures.charts import Bar
from pipeline.report.tables import DOCUMENT_STAGES, MOST_LANGUAGES
from pipeline.report.words import meaning, setting, tag
from pipeline.report.words import share as percent
from schemas.records import Account, Ledger
from schemas.scores import THRESHOLD

MOST_COLUMNS = 14  # of the grid, besides what is left of each stage
# Where the shades of the grid begin, the same on every page so that pages can be laid side by side.
SHADES_FROM = (0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5)

_THRESHOLD = re.compile(r"\b(?:min|max)_\w+")


class Reason(NamedTuple):
    """share: of the rows in. kind: its colour in the picture, if it is there. mostly: languages it falls on."""

    name: str
    meaning: str
    threshold: str
    mostly: str
    rows: int
    share: float
    kind: str


def reasons(name: str, stage: Stage, bar: Bar | None) -> list[Reason]:
    """Why rows were dropped, the commonest first."""
    ledger = stage.ledger
    kinds = {segment.label: segment.kind for segment in bar.segments} if bar else {}
    ordered = sorted(ledger["dropped"].items(), key=lambda entry: (-entry[1], entry[0]))
    return [
        Reason(
            reason,
            meaning(name, reason),
            _threshold(reason, stage.record["config"]),
            _mostly(reason, ledger),
            rows,
            rows / ledger["rows_in"] if ledger["rows_in"] else 0.0,
            kinds.get(reason, ""),
        )
        for reason, rows in ordered
    ]


def _threshold(reason: str, config: Mapping[str, Any]) -> str:
    """What the rule compares with, and what the config says differently for some languages; a rule of the config's
    own is shown whole."""
    rules = config["rules"] if isinstance(config.get("rules"), dict) else {}
    expression = expression_of(reason, rules)
    given = {**config, **{f"{THRESHOLD}{name}": least for name, least in config.get("score_thresholds", {}).items()}}
    thresholds = []
    for name in dict.fromkeys(_THRESHOLD.findall(expression)):
        if name in given or name.startswith(THRESHOLD):
            by_language = sorted(config.get("by_language", {}).items())
            special = {key: values[name] for key, values in by_language if name in values}
            # else profiles of languages go before it
            surely = name in config.get("for_all_languages", [name]) or name not in config
            value = f"{name} = {setting(given.get(name, 0))}" + ("" if surely else " where no profile differs")
            thresholds.append(value + (f" ({setting(special)})" if special else ""))
    whole = [expression] if reason.removeprefix("rule:") in rules else []
    return "; ".join(whole + thresholds)


def _mostly(reason: str, ledger: Ledger) -> str:
    hit = {label: account["dropped"].get(reason, 0) for label, account in ledger["by_language"].items()}
    top = sorted(((rows, label) for label, rows in hit.items() if rows), key=lambda entry: (-entry[0], entry[1]))[:3]
    return ", ".join(f"{label}\u00a0{percent(rows / ledger['dropped'][reason])}" for rows, label in top)


class GridCell(NamedTuple):
    """shade: index into SHADES_FROM; None where there is nothing. value: share of the language's documents."""

    rows: int
    value: float
    text: str
    shade: int | None


class GridRow(NamedTuple):
    """found: documents of the language that the first stage read."""

    label: str
    tag: str
    found: int
    cells: list[GridCell]


class Grid(NamedTuple):
    """groups: (stage, columns under it). columns: reasons; `others` are all of a stage that have no column.
    left_out: languages with fewer documents that have no row."""

    groups: list[tuple[str, int]]
    columns: list[str]
    rows: list[GridRow]
    left_out: int


def grid(corpus: Corpus) -> Grid | None:
    """A row a language, the largest first; shares of the documents that were found in it, so that with what is kept a
    row makes the whole. None where nothing was dropped."""
    ledgers = {name: stage.ledger for name in DOCUMENT_STAGES if (stage := corpus.stages[name])}
    dropped = [(rows, name, reason) for name, one in ledgers.items() for reason, rows in one["dropped"].items() if rows]
    if not dropped:
        return None
    chosen = {(name, reason) for _, name, reason in sorted(dropped, key=lambda one: (-one[0], *one[1:]))[:MOST_COLUMNS]}
    columns: list[tuple[str, list[str], str]] = []
    for name, one in ledgers.items():
        ordered = sorted(one["dropped"], key=lambda reason: (-one["dropped"][reason], reason))
        named = [reason for reason in ordered if (name, reason) in chosen]
        others = [reason for reason in ordered if one["dropped"][reason] and reason not in named]
        columns += [(name, [reason], reason) for reason in named]
        if others:
            columns.append((name, others, "others" if len(others) > 1 else others[0]))
    found: dict[str, int] = {}
    for one in ledgers.values():
        for label, account in one["by_language"].items():
            found.setdefault(label, account["rows_in"])
    ordered = sorted(found, key=lambda label: (-found[label], label))
    rows = [
        GridRow(
            label,
            tag(label),
            found[label],
            [_cell(ledgers[name]["by_language"].get(label), reasons, found[label]) for name, reasons, _ in columns],
        )
        for label in ordered[:MOST_LANGUAGES]
    ]
    groups = [(name, sum(column[0] == name for column in columns)) for name in ledgers]
    return Grid(
        [group for group in groups if group[1]], [title for *_, title in columns], rows, len(ordered) - len(rows)
    )


def _cell(account: Account | None, names: list[str], found: int) -> GridCell:
    rows = sum(account["dropped"].get(name, 0) for name in names) if account else 0
    if not rows:
        return GridCell(0, 0.0, "", None)
    value = rows / found if found else 0.0
    return GridCell(rows, value, percent(value), bisect_right(SHADES_FROM, value) - 1)
