"""The report's tables: key figures, reasons of each stage, languages, examples. Values in, rows of text out."""

from collections.abc import Callable, Mapping
from itertools import groupby
from typing import NamedTuple

from pipeline.report.gather import Corpus
from pipeline.report.pictures.charts import Segment, stacked
from pipeline.report.runs import Run
from pipeline.report.words import brief, count, nats, ratio, size, tag
from pipeline.report.words import share as percent
from schemas.evaluation import ALL

DOCUMENT_STAGES = ("clean", "dedup", "sample")  # those that tell languages apart and count documents
MOST_LANGUAGES = 300


class Figure(NamedTuple):
    name: str
    value: str
    note: str


def figures(corpus: Corpus) -> list[Figure]:
    """The numbers to remember; those of stages that have not run are left out."""
    numbers: list[Figure] = []
    ledgers = {name: stage.ledger for name, stage in corpus.stages.items() if stage}
    if corpus.archives:
        stored = f"{size(corpus.archives.size)} as stored" if corpus.archives.size else ""
        numbers.append(Figure("archives", count(corpus.archives.count), stored))
    if ledger := ledgers.get("extract"):
        numbers.append(Figure("records", count(ledger["rows_in"]), "read from the archives"))
        numbers.append(Figure("documents", count(ledger["rows_out"]), "with a main text"))
    for name, note in (("clean", "pass the rules"), ("dedup", "without their copies"), ("sample", "in the shards")):
        if ledger := ledgers.get(name):
            kept = percent(ledger["rows_out"] / ledger["rows_in"]) if ledger["rows_in"] else "none"
            numbers.append(
                Figure(f"after {name}", count(ledger["rows_out"]), f"{note}; {kept} of {count(ledger['rows_in'])}")
            )
    if document_ledgers := [ledger for name in DOCUMENT_STAGES if (ledger := ledgers.get(name))]:
        spoken = sum(account["rows_out"] > 0 for account in document_ledgers[-1]["by_language"].values())
        numbers.append(Figure("languages", count(spoken), f"after {document_ledgers[-1]['stage']}"))
    if corpus.mixture:
        written = sum(row["bytes"] + row["validation_bytes"] for row in corpus.mixture["languages"].values())
        numbers.append(
            Figure("text", size(written), f"{size(corpus.mixture['total_bytes'])} in a run of the mixture's budget")
        )
    if corpus.vocabulary:
        cost = corpus.vocabulary["total"]["bytes_per_token"]
        numbers.append(Figure("pieces", count(corpus.vocabulary["vocab_size"]), f"{ratio(cost)} bytes a token"))
    for run in corpus.runs if len(corpus.runs) == 1 else ():
        if tokens := run.last("tokens"):
            numbers.append(Figure("tokens trained", brief(tokens), f"{count(run.steps[-1]['step'])} steps"))
        if (loss := run.last("loss")) is not None:
            numbers.append(Figure("training loss", nats(loss), "nats, last line of the log"))
    if judged := corpus.evaluations:
        labels = {label for one in judged.tables for rows in one["figures"].values() for label in rows} - {ALL}
        where = f"in {count(len(labels))} {'language' if len(labels) == 1 else 'languages'}" if labels else ""
        numbers.append(Figure("models evaluated", count(len(judged.models)), where))
    return numbers


class Cell(NamedTuple):
    """value: what a click on the column's head sorts by."""

    value: float | None
    text: str


class LanguageRow(NamedTuple):
    label: str
    tag: str
    cells: list[Cell]
    bar: list[Segment]


class LanguageTable(NamedTuple):
    """groups: (title, columns under it). left_out: languages with fewer documents that are not listed."""

    groups: list[tuple[str, int]]
    columns: list[str]
    rows: list[LanguageRow]
    left_out: int


def languages(corpus: Corpus) -> LanguageTable | None:
    """A row a language, the largest first; columns of what has run. None where nothing has told languages apart."""
    columns = _columns(corpus)
    labels = {label for _, _, values, _ in columns for label in values}
    if not labels:
        return None
    first = columns[0][2]
    ordered = sorted(labels, key=lambda label: (-(first.get(label) or 0), label))
    rows = []
    for label in ordered[:MOST_LANGUAGES]:
        cells = [Cell(values.get(label), write(values.get(label))) for _, _, values, write in columns]
        rows.append(LanguageRow(label, tag(label), cells, _fate(corpus, label)))
    groups = [(group, len(list(members))) for group, members in groupby(columns, key=lambda column: column[0])]
    return LanguageTable(groups, [title for _, title, _, _ in columns], rows, len(ordered) - len(rows))


Column = tuple[str, str, Mapping[str, float | None], Callable[[float | None], str]]


def _columns(corpus: Corpus) -> list[Column]:
    """(group, title, `eng_Latn` -> value, how it is written)."""
    by_stage = [(name, stage.ledger["by_language"]) for name in DOCUMENT_STAGES if (stage := corpus.stages[name])]
    columns: list[Column] = []
    if by_stage:
        rows_in = {label: account["rows_in"] for label, account in by_stage[0][1].items()}
        columns.append(("Documents", "found", rows_in, count))
        for name, accounts in by_stage:
            columns.append(("Documents", name, {k: account["rows_out"] for k, account in accounts.items()}, count))
        last = by_stage[-1][1]
        kept = {k: last[k]["rows_out"] / n if k in last else 0.0 for k, n in rows_in.items() if n}
        columns.append(("Documents", "share kept", kept, percent))
    if corpus.mixture:
        mixed = corpus.mixture["languages"]
        for key, title, write in (("bytes", "bytes", size), ("epochs", "epochs", ratio), ("weight", "weight", percent)):
            columns.append(("Mixture", title, {label: row[key] for label, row in mixed.items()}, write))
    if corpus.vocabulary:
        costs = corpus.vocabulary["languages"]
        for key, title, write in (
            ("bytes_per_token", "bytes a token", ratio),
            ("fertility", "tokens a word", ratio),
            ("byte_fallback_share", "byte pieces", percent),
        ):
            columns.append(("Vocabulary", title, {label: row[key] for label, row in costs.items()}, write))
    for run in corpus.runs if len(corpus.runs) == 1 else ():  # several have a table of their own
        columns.append(("Training", "loss", {label: row["loss"] for label, row in run.languages.items()}, nats))
        if run.validation_languages:
            columns.append(("Training", "validation", run.validation_languages, nats))
    return columns


def _fate(corpus: Corpus, label: str) -> list[Segment]:
    """Of the documents found in a language: the kept ones, then what each stage dropped."""
    accounts = {
        name: stage.ledger["by_language"].get(label) for name in DOCUMENT_STAGES if (stage := corpus.stages[name])
    }
    present = {name: account for name, account in accounts.items() if account}
    if not present:
        return []
    kept = list(present.values())[-1]["rows_out"]
    parts = [
        ("kept", kept, "kept"),
        *((name, sum(account["dropped"].values()), name) for name, account in present.items()),
    ]
    return stacked(parts, sum(value for _, value, _ in parts))


class LanguageLoss(NamedTuple):
    """loss, validation: nats; the widths are percent of the largest loss."""

    label: str
    tag: str
    tokens: float | None
    share: float | None
    documents: float | None
    epochs: float | None
    loss: float | None
    loss_width: float
    validation: float | None
    validation_width: float


def losses(run: Run) -> list[LanguageLoss]:
    """A row a language, the one with most tokens first."""
    trained = [row["loss"] for row in run.languages.values() if row["loss"] is not None]
    top = max([*trained, *run.validation_languages.values()], default=1.0) or 1.0
    ordered = sorted(run.languages.items(), key=lambda entry: (-(entry[1]["tokens"] or 0), entry[0]))
    rows = []
    for label, row in ordered[:MOST_LANGUAGES]:
        loss, held_out = row["loss"], run.validation_languages.get(label)
        widths = [round(100 * (value or 0) / top, 2) for value in (loss, held_out)]
        tokens, share, documents, epochs = (row[key] for key in ("tokens", "share", "documents", "epochs"))
        measured = (loss, widths[0], held_out, widths[1])
        rows.append(LanguageLoss(label, tag(label), tokens, share, documents, epochs, *measured))
    return rows


class Objective(NamedTuple):
    """loss, accuracy: of training, over the last lines of the log; validation: the last one."""

    name: str
    weight: float | None
    units: int
    loss: float | None
    accuracy: float | None
    validation: float | None
    validation_accuracy: float | None


def objectives(run: Run) -> list[Objective]:
    """Of a run that has several, in its order."""
    return [
        Objective(
            name,
            log.weight,
            log.units,
            log.loss,
            log.accuracy,
            log.validation[-1][1] if log.validation else None,
            log.validation_accuracy,
        )
        for name, log in run.objectives.items()
    ]


def objective_losses(run: Run) -> list[LanguageRow]:
    """A row a language, the one with most tokens first: training and last validation loss of each objective."""
    labels = {label for log in run.objectives.values() for label in (*log.languages, *log.held_out)}
    tokens = {label: run.languages.get(label, {}).get("tokens") or 0 for label in labels}
    rows = []
    for label in sorted(labels, key=lambda label: (-tokens[label], label))[:MOST_LANGUAGES]:
        values = [
            value
            for log in run.objectives.values()
            for value in (log.languages.get(label), log.held_out_at(label, None))
        ]
        rows.append(LanguageRow(label, tag(label), [Cell(value, nats(value)) for value in values], []))
    return rows
