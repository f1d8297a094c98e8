"""Published tables of texts that another reader would get wrong, told by their exact headers, or by their first row
where they have none: MultiNLI, SNLI and XNLI, QQP, PAWS-X, CoLA, XTREME's. Other tables of GLUE and SIB-200
need no more than their headers say."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from train.benchmarks.files import kind_of
from train.benchmarks.tables import Table

NLI = frozenset({"entailment", "neutral", "contradiction"})
BINARY = frozenset({"0", "1"})


@dataclass(frozen=True)
class Form:
    """text, pair, label, language: names of columns, "" for none. labels: all that there are. quoted: cells with a
    quote in them are in CSV's quotes."""

    name: str
    text: str
    pair: str
    label: str
    labels: frozenset[str]
    language: str = ""
    quoted: bool = False


_HEADERS = {
    ("id", "qid1", "qid2", "question1", "question2", "is_duplicate"): Form(
        "QQP", "question1", "question2", "is_duplicate", BINARY
    ),
    ("premise", "hypo", "label"): Form("XNLI's training data", "premise", "hypo", "label", NLI),
}
# MultiNLI, SNLI, GLUE's MNLI and XNLI: the same columns in several orders, with more or fewer labels of annotators.
_PARSED = {"sentence1_binary_parse", "sentence2_binary_parse", "sentence1", "sentence2"}
_COLA = ("source", "label", "star", "sentence")
_PAWS = ("id", "sentence1", "sentence2", "label")  # a header as any, so the names of its files count too
_PAWS_FILES = {"translated_train.tsv", "dev_2k.tsv", "test_2k.tsv"}
_XTREME = re.compile(r"(train|dev|test|translated_train)-[a-z]{2,3}([-_]\w+)?\.tsv(\.gz)?")
NO_LABEL = {"gold_label": "-"}  # where annotators did not agree


def published(table: Table) -> tuple[Table, Form | None]:
    """The table, under the names of the columns of its form where it has no header, and its form; None for others."""
    if kind_of(table.path) not in (".tsv", ".txt"):
        return table, None
    form = _HEADERS.get(table.names)
    if form is not None:
        return table, form
    if set(table.names) >= _PARSED:
        label = "gold_label" if "gold_label" in table.names else ""
        language = "language" if "language" in table.names else ""
        name = "XNLI" if language else "MultiNLI"
        return table, Form(name, "sentence1", "sentence2", label, NLI, language)
    if table.names == _PAWS and table.path.name in _PAWS_FILES:
        return table, Form("PAWS-X", "sentence1", "sentence2", "label", BINARY)
    if _is_cola(table.names):
        return _without_header(table, _COLA), Form("CoLA", "sentence", "", "label", BINARY)
    if _XTREME.fullmatch(table.path.name) and _is_xtreme(table.path, table.names):
        names = ("sentence1", "sentence2", "label")[: len(table.names)]
        label = "label" if len(names) == 3 else ""
        form = Form("XTREME", "sentence1", "sentence2", label, NLI | BINARY, quoted=True)
        return _without_header(table, names), form
    return table, None


def label_of(form: Form, label: str) -> str:
    """XNLI's translated training data calls it otherwise."""
    return "contradiction" if label == "contradictory" and "contradiction" in form.labels else label


def unquoted(cell: str) -> str:
    """XTREME's files are written by a CSV writer: a cell with a quote in it stands in quotes, its own are doubled."""
    inner = cell[1:-1]
    if len(cell) > 2 and cell[0] == cell[-1] == '"' and '"' in inner and '"' not in inner.replace('""', ""):
        return inner.replace('""', '"')
    return cell


def _is_cola(cells: Sequence[str]) -> bool:
    return len(cells) == 4 and cells[1] in BINARY and cells[2] in ("", "*") and bool(cells[3])


def _is_xtreme(path: Path, cells: Sequence[str]) -> bool:
    """Its test files have no labels."""
    return (len(cells) == 3 and cells[2] in NLI | BINARY) or (len(cells) == 2 and path.name.startswith("test-"))


def _without_header(table: Table, names: tuple[str, ...]) -> Table:
    return replace(table, names=names, rows=chain([(1, table.names)], table.rows))
