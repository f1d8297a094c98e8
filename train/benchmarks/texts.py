"""Tables become texts with a class or a number, alone or in pairs, and pairs of sentences that mean the same."""

import math
from collections.abc import Sequence
from typing import Any

from schemas.errors import UserError
from train.benchmarks.columns import Columns, find, find_pair, flag, listed, need, need_named
from train.benchmarks.examples import Origin, SimilarExample, Task, TextExample
from train.benchmarks.files import Say, check_text
from train.benchmarks.flaws import Flaws
from train.benchmarks.forms import NO_LABEL, Form, label_of, published, unquoted
from train.benchmarks.languages import Languages, split_of
from train.benchmarks.tables import Table, short_row

MISSING = -1  # the class of `datasets` where a test set hides its labels


def read_texts(
    table: Table, task: Task, columns: Columns, languages: Languages, labelled: bool, say: Say
) -> list[TextExample | SimilarExample]:
    """Of `sequence`, `pair` and `embedding`. UserError, one line with file and row, for what cannot be read."""
    named = {columns.text, columns.pair, columns.label, columns.score} - {""}
    form = None
    if not named & set(table.names):  # else the user says how it is read
        table, form = published(table)
        form = None if named else form
    texts, label, number = _chosen(table, form, task, columns, labelled)
    language = need_named(table.path, table.names, form.language, "language") if form and form.language else None
    if form is None or columns.language:
        language = find(table.path, table.names, columns, "language")
    flaws = Flaws(table.path, form.name if form else "", say)
    labels = _Labels(table, form, label, number, labelled, flaws)
    needed = max(one for one in (*texts, label, language) if one is not None)
    found = list[TextExample | SimilarExample]()
    for row, cells in table.rows:
        if not table.typed and not _wide_enough(table, form, row, cells, needed, flaws):
            continue
        of = languages.of_row(None if language is None else cells[language])
        if of is None:
            continue
        read = [_text(table, form, row, cells[one], table.names[one], flaws) for one in texts]
        if None in read:
            continue
        known, value = labels.of_row(row, None if label is None else cells[label])
        if not known:
            continue
        origin = Origin(table.path, row)
        if task == "embedding":
            score = value if isinstance(value, float) else None
            found.append(SimilarExample(read[0] or "", read[1] or "", score, of, origin))
        else:
            found.append(TextExample(read[0] or "", read[1] if len(read) == 2 else None, value, of, origin))
    labels.end(len(found))
    flaws.end(len(found))
    return found


def _chosen(
    table: Table, form: Form | None, task: Task, columns: Columns, labelled: bool
) -> tuple[list[int], int | None, bool]:
    """(where the texts are, where the label is, whether it is a number by its column)."""
    path, names = table.path, table.names
    if form is None:
        texts = _texts(table, task, columns)
    else:
        if task == "sequence" and form.pair:
            raise UserError(f"{path} is of {form.name}, which has pairs of texts: take the task pair")
        if task != "sequence" and not form.pair:
            raise UserError(f"{path} is of {form.name}, which has single texts: take the task sequence")
        texts = [names.index(one) for one in (form.text, form.pair) if one]
    score = find(path, names, columns, "score") if form is None else None
    label = find(path, names, columns, "label") if form is None else names.index(form.label) if form.label else None
    if columns.score:
        return texts, score, True
    if task == "embedding":
        if score is None and label is not None and labelled:
            raise UserError(
                f"{path} has classes in {names[label]!r}, and the task embedding learns from scores or from pairs that "
                f"mean the same: name a column of numbers with {flag('score')}, or keep such pairs alone"
            )
        return texts, score, True
    if label is None and score is not None:
        return texts, score, True
    if label is None and labelled:
        if split_of(path) == "test":
            raise UserError(f"{path} has no column for labels, it has {listed(names)}: take the train or dev file")
        need(path, names, columns, "label")
    return texts, label, False


def _texts(table: Table, task: Task, columns: Columns) -> list[int]:
    path, names = table.path, table.names
    if task == "sequence":
        pair = find_pair(path, names, Columns())
        text = need(path, names, columns, "text")
        if not columns.text and pair is not None:
            first, second = (names[one] for one in pair)
            raise UserError(
                f"{path} has two texts, {first!r} and {second!r}: take the task pair, or name the one with "
                f"{flag('text')}"
            )
        return [text]
    pair = find_pair(path, names, columns)
    if pair is None:
        raise UserError(
            f"{path} has no two columns of texts (as 'sentence1' and 'sentence2'), it has {listed(names)}: name them "
            f"with {flag('text')} and {flag('pair')}"
        )
    return list(pair)


def _wide_enough(table: Table, form: Form | None, row: int, cells: Sequence[Any], needed: int, flaws: Flaws) -> bool:
    """Of a published file as far as it is needed: MultiNLI ends a row where its labels do."""
    if len(cells) == len(table.names) or (form is not None and needed < len(cells) < len(table.names)):
        return True
    if form is None:
        flaws.found(row, short_row(table, row, cells), "mend the row, or take the tabs out of its texts")
    flaws.found(row, "has too few columns" if len(cells) < len(table.names) else "has too many columns", "mend the row")
    return False


def _text(table: Table, form: Form | None, row: int, cell: Any, name: str, flaws: Flaws) -> str | None:
    if cell is not None and not isinstance(cell, str):
        raise UserError(
            f"{table.path}:{row} has no text in the column {name!r} but {type(cell).__name__}: name another with "
            f"{flag('text')}"
        )
    if cell is None or not cell.strip():
        flaws.found(row, f"has no text in the column {name!r}", "fill it in, or take the row out")
        return None
    check_text(cell, table.path, row)
    return unquoted(cell) if form is not None and form.quoted else cell


class _Labels:
    """The column of labels, row by row."""

    def __init__(
        self, table: Table, form: Form | None, column: int | None, number: bool, labelled: bool, flaws: Flaws
    ) -> None:
        self._table = table
        self._form = form
        self._name = table.names[column] if column is not None else ""
        self._number = number
        self._labelled = labelled and column is not None
        self._flaws = flaws
        self._classes = table.classes.get(self._name)
        self._same = dict[str, str]()  # one string a class, not one a row
        self._empty = 0
        self._first_empty = 0
        self._kinds = set[type]()

    def of_row(self, row: int, cell: Any) -> tuple[bool, str | float | None]:
        """(whether the row counts, its label)."""
        if isinstance(cell, str):
            cell = cell.strip()
        if self._form is not None and cell is not None and NO_LABEL.get(self._name) == cell:
            self._flaws.left_out("annotators did not agree on a label")
            return False, None
        if cell is None or cell == "" or (isinstance(cell, float) and math.isnan(cell)) or self._hidden(cell):
            self._first_empty = self._first_empty or row
            self._empty += 1
            return True, None
        value = self._value(row, cell)
        if value is not None:
            self._kinds.add(type(value))
        return value is not None, value

    def end(self, rows: int) -> None:
        if self._labelled and self._empty:
            raise UserError(
                f"{self._table.path}:{self._first_empty} has no label in the column {self._name!r}, and "
                f"{self._empty} of {rows} rows have none: fill them in, take the rows out, or name another column "
                f"with {flag('score' if self._number else 'label')}"
            )
        if len(self._kinds) > 1:
            raise UserError(
                f"{self._table.path} has classes and numbers with a point in one column, {self._name!r}: write all "
                f"as text, or all as numbers, or name another with {flag('label')}"
            )

    def _hidden(self, cell: Any) -> bool:
        return self._classes is not None and cell == MISSING and not isinstance(cell, str)

    def _value(self, row: int, cell: Any) -> str | float | None:
        path = self._table.path
        if self._number:
            return _score(cell, f"{path}:{row}", self._name)
        if self._classes is not None and isinstance(cell, int):
            if not 0 <= cell < len(self._classes):
                raise UserError(
                    f"{path}:{row} has the class {cell} of {len(self._classes)} that the file names: mend it"
                )
            return self._classes[cell]
        if isinstance(cell, float):
            return _score(cell, f"{path}:{row}", self._name)
        if not isinstance(cell, str | int):
            raise UserError(
                f"{path}:{row} has no label in the column {self._name!r} but {type(cell).__name__}: name another "
                f"with {flag('label')}"
            )
        label = str(cell).lower() if isinstance(cell, bool) else str(cell)
        check_text(label, path, row)
        if self._form is not None:
            label = label_of(self._form, label)
            if label not in self._form.labels:
                self._flaws.found(row, "has a label that the benchmark does not know", "mend the row")
                return None
        return self._same.setdefault(label, label)


def _score(cell: Any, where: str, name: str) -> float:
    try:
        value = float(cell)
    except (TypeError, ValueError):
        value = math.nan
    if isinstance(cell, bool) or not math.isfinite(value):
        raise UserError(
            f"{where} has no number in the column {name!r} but {str(cell)[:40]!r}: mend it, or name another column "
            f"with {flag('score')}"
        )
    return value
