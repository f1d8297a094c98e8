"""clean: annotate every document (repair, language, signals, masks) and take a verdict over the annotations.

A verdict reads signals only. With other thresholds it is taken again over the finished table, file by file: what
differs is written beside it, and no text is read (`pipeline.store.verdict_files`).
"""

import functools
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.kernels.arrow_text import from_strings, to_strings
from pipeline.observed import counts
from pipeline.quality.rules import Decider
from pipeline.stages.annotate import ANNOTATED, PASSED_ON, Annotator, as_array
from pipeline.store import storage, verdict_files
from pipeline.store.document_table import DocumentTable, column_or, labels_of, rows_of
from pipeline.store.examples import Shown, chosen_examples, example_rows, first_examples
from pipeline.store.ledger import totals
from pipeline.store.parquet_files import batches_of, open_parquet
from pipeline.store.row_groups import RowGroupWriter
from pipeline.store.table_splits import BATCH_BYTES, BATCH_ROWS, Split, part_file
from pipeline.workers import telling
from pipeline.workers.guard import Failure, Guard
from pipeline.workers.tasks import Step, TaskRunner
from schemas.clean import VERDICT
from schemas.records import FAILED, UNLABELLED, Counts, Example

T = TypeVar("T")

VERSION = 5
CLEANED = ANNOTATED.append(pa.field(*VERDICT))
MOST_TASKS = 4096
MISSING = {"opt_out": None}  # of a table without the column; else the empty string


class Judged(NamedTuple):
    """What a task wrote. counts: by label and reason, None for kept. first: by reason, the ids that come first in the
    order of examples, each with its file's name. files: names of what was written; gone: of verdicts beside
    the table that the table's own now are."""

    counts: Counter[tuple[str, str | None]]
    first: dict[str | None, list[tuple[str, str]]]
    files: list[str]
    gone: list[str]


def others_of(table: DocumentTable) -> list[str]:
    """Columns of a foreign table that pass through: all that no column of CLEANED stands for."""
    known = {table.id_column, table.text_column, *CLEANED.names}
    return [name for name in table.files.schema.names if name not in known]


@dataclass(frozen=True)
class Cleaning:
    """A task: writes rows of CLEANED, one a document of its splits, with the columns `others` of the table before the
    verdict, a file a split. Texts that the annotator fails on, or takes more CPU time for than `text_seconds`, have no
    annotations and FAILED as their reason."""

    table: DocumentTable
    others: Sequence[str]
    folder: str
    annotate: Annotator
    decide: Decider
    text_seconds: float

    def __call__(self, splits: Sequence[Split]) -> Judged:
        given, others = self.table.files.schema, self.others
        schema = pa.schema([*ANNOTATED, *(given.field(name) for name in others), pa.field(*VERDICT)])
        named = {"id": self.table.id_column, "text": self.table.text_column}
        needed = dict.fromkeys([*(named.get(name, name) for name in PASSED_ON), *others])
        there = [name for name in needed if name in given.names]
        judged = []
        with guarded(self.annotate, self.text_seconds) as guard:
            for split in splits:
                path = part_file(self.folder, split)
                judged.append(Judged(Counter(), {}, [path.rpartition("/")[2]], []))  # of a file without a row too
                with RowGroupWriter(path, schema, plain=("id", "text"), most_bytes=BATCH_BYTES) as out:
                    for batch in rows_of(self.table, split, there):
                        columns = [column_or(batch, named.get(name, name), MISSING.get(name, "")) for name in PASSED_ON]
                        rows = cleaned(guard, pa.RecordBatch.from_arrays(columns, list(PASSED_ON)), self.decide)
                        *annotations, verdicts = rows.columns
                        cells = [*annotations, *(batch.column(name) for name in others), verdicts]
                        out.write(pa.RecordBatch.from_arrays(cells, schema=schema))
                        judged.append(_judged(rows, verdicts, path.rpartition("/")[2]))
                        _count(judged[-1])
        return _added_up(judged)


def clean(run_tasks: TaskRunner, cleaning: Cleaning) -> Judged:
    """The whole table, in tasks of some splits."""
    chunks = _chunks(cleaning.table.files.splits)
    sizes = [sum(split.rows for split in chunk) for chunk in chunks]
    return _added_up(run_tasks(cleaning, chunks, Step("clean", sizes, "documents")))


def guarded(annotate: Annotator, text_seconds: float) -> Guard:
    return Guard("clean", lambda batch: [annotate(batch)], text_seconds)


def cleaned(guard: Guard, batch: pa.RecordBatch, decide: Decider) -> pa.RecordBatch:
    """Rows of CLEANED, one a row of the batch, in its order. guard: over an Annotator."""
    parts = []
    for given, made in guard(batch):
        if isinstance(made, Failure):
            parts.append(_failed_row(given, made.step))
        else:
            parts += [
                pa.RecordBatch.from_arrays([*annotated.columns, decide(annotated)], schema=CLEANED)
                for annotated in made
            ]
    return _batch(pa.Table.from_batches(parts, CLEANED))


def _failed_row(given: pa.RecordBatch, step: str) -> pa.RecordBatch:
    """The row as it came, its text as it was."""
    columns: dict[str, Any] = {name: given.column(name) for name in PASSED_ON}
    columns["text"] = from_strings([text or "" for text in to_strings(given.column("text"))])
    columns[VERDICT[0]] = [f"{FAILED}:{step}"]
    arrays = [as_array(columns.get(field.name), field.type, given.num_rows) for field in CLEANED]
    return pa.RecordBatch.from_arrays(arrays, schema=CLEANED)


def _judged(rows: pa.RecordBatch, verdicts: pa.Array, file: str) -> Judged:
    """rows: with at least id, language and language_script."""
    reasons = verdicts.to_pylist()
    by_reason: dict[str | None, list[str]] = defaultdict(list)
    for name, reason in zip(rows.column("id").to_pylist(), reasons, strict=True):
        by_reason[reason].append(name)
    first = {reason: [(name, file) for name in first_examples(names)] for reason, names in by_reason.items()}
    return Judged(Counter(zip(labels_of(rows), reasons, strict=True)), first, [file], [])


def _count(judged: Judged) -> None:
    """For metrics."""
    for (_, reason), n in judged.counts.items():
        counts.count("rows", "kept" if reason is None else "dropped", n)
        if reason is not None:
            counts.count("dropped", reason, n)
    if telling.due():
        telling.tell()


def _added_up(parts: Iterable[Judged]) -> Judged:
    counts: Counter[tuple[str, str | None]] = Counter()
    first: dict[str | None, list[tuple[str, str]]] = {}
    files, gone = set[str](), set[str]()
    for part in parts:
        counts.update(part.counts)
        files.update(part.files)
        gone.update(part.gone)
        for reason, named in part.first.items():
            file_of = dict([*first.get(reason, []), *named])
            first[reason] = [(name, file_of[name]) for name in first_examples(file_of)]
    return Judged(counts, first, sorted(files), sorted(gone))


def counts_of(judged: Judged) -> Counts:
    counts: Counts = {}
    for (label, reason), rows in judged.counts.items():
        counts.setdefault(label, {})[reason] = rows
    return counts


def examples(run_tasks: TaskRunner, files: Mapping[str, str], judged: Judged, with_texts: bool) -> list[Example]:
    """Of each reason, read from the table's files, name -> path."""
    ids_of: dict[str, list[str]] = defaultdict(list)
    for name, file in (one for named in judged.first.values() for one in named):
        ids_of[file].append(name)
    reading = functools.partial(_shown, with_texts=with_texts)
    seen = itertools.chain(*run_tasks(reading, [(files[file], ids) for file, ids in sorted(ids_of.items())]))
    candidates = {reason: [name for name, _ in named] for reason, named in judged.first.items()}
    return chosen_examples(candidates, seen, totals(counts_of(judged)))


def _shown(named: tuple[str, list[str]], with_texts: bool) -> list[Shown]:
    path, ids = named
    columns = ["id", "url", *UNLABELLED, *(["text"] if with_texts else [])]
    wanted, rows = pa.array(ids, pa.string()), []
    for batch in batches_of(path, BATCH_ROWS, columns):
        rows += example_rows(batch.filter(pc.is_in(batch.column("id"), value_set=wanted)), "id", "text")
    return rows


def decide_again(
    run_tasks: TaskRunner, files: Mapping[str, str], beside: Mapping[str, str], target: str, decide: Decider
) -> Judged:
    """Takes the verdicts of a table, as `clean` writes it, again, file by file; of those that come out otherwise it
    writes files of the same names to the folder `target`. Rows that failed have nothing to decide over and keep theirs.

    files: name -> path; beside: of some of these names the verdicts that hold by now.
    """
    task = functools.partial(_decide_files, target=target, decide=decide)
    return _added_up(run_tasks(task, _chunks([(name, path, beside.get(name)) for name, path in sorted(files.items())])))


def _decide_files(files: Sequence[tuple[str, str, str | None]], target: str, decide: Decider) -> Judged:
    return _added_up(_decide_file(*file, target, decide) for file in files)


def _decide_file(name: str, path: str, beside: str | None, target: str, decide: Decider) -> Judged:
    needed = dict.fromkeys((*decide.columns, "id", *UNLABELLED, VERDICT[0]))
    with open_parquet(path) as file:
        there = [column for column in needed if column in file.schema_arrow.names]
        groups = [_batch(file.read_row_group(place, there)) for place in range(file.num_row_groups)]
    verdicts = [_verdicts(group, decide) for group in groups]
    whole = [_judged(*one, file=name)._replace(files=[]) for one in zip(groups, verdicts, strict=True)]
    judged, now = _added_up(whole), verdict_files.read_verdicts(beside) if beside else None
    if all(new.equals(group.column(VERDICT[0])) for group, new in zip(groups, verdicts, strict=True)):
        return judged._replace(gone=[name] if beside else [])
    if now is None or not all(new.equals(old) for old, new in zip(now, verdicts, strict=True)):
        verdict_files.write_verdicts(storage.join(target, name), verdicts)
        return judged._replace(files=[name])
    return judged


def _chunks(items: Sequence[T]) -> list[Sequence[T]]:
    """Items for at most MOST_TASKS tasks, whose answers the caller holds all at once."""
    size = -(-len(items) // MOST_TASKS)
    return [items[at : at + size] for at in range(0, len(items), size or 1)]


def _verdicts(group: pa.RecordBatch, decide: Decider) -> pa.Array:
    before = group.column(VERDICT[0]).cast(pa.string())
    failed = pc.fill_null(pc.starts_with(before, f"{FAILED}:"), False)
    return pc.if_else(failed, before, decide(group))


def _batch(table: pa.Table) -> pa.RecordBatch:
    """A table as one batch."""
    columns = [column.combine_chunks() for column in table.columns]
    return pa.RecordBatch.from_arrays(columns, schema=table.schema)
