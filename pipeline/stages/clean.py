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
from pipeline.quality.distributions import WHOLE, Tally, largest
from pipeline.quality.distributions import distributions as distributions_of
from pipeline.quality.kept_shares import READ, KeptShares, Parts
from pipeline.quality.rules import Decider, Fields
from pipeline.stages.annotate import ANNOTATED, PASSED_ON, Annotator, as_array
from pipeline.store import storage, verdict_files
from pipeline.store.document_table import DocumentTable, column_or, labels_of, rows_of
from pipeline.store.examples import Shown, chosen_examples, example_rows, first_by_language
from pipeline.store.parquet_files import batches_of, open_parquet
from pipeline.store.row_groups import RowGroupWriter
from pipeline.store.table_splits import BATCH_BYTES, BATCH_ROWS, Split, part_file
from pipeline.workers import telling
from pipeline.workers.guard import Failure, Guard
from pipeline.workers.tasks import Step, TaskRunner
from schemas.clean import VERDICT
from schemas.distributions import Distribution
from schemas.errors import UserError
from schemas.records import FAILED, UNLABELLED, Counts, Example
from schemas.scores import PREFIX, LearntRule

T = TypeVar("T")

VERSION = 5
CLEANED = ANNOTATED.append(pa.field(*VERDICT))
MOST_TASKS = 4096
TALLIES_A_TASK = 64  # to be added up, some megabytes each where there are many languages
MISSING = {"opt_out": None}  # of a table without the column; else the empty string


class Candidate(NamedTuple):
    """A document that may be shown, its language's label, and the name of its file."""

    id: str
    label: str
    file: str


class Judged(NamedTuple):
    """What a task wrote. counts: by label and reason, None for kept. first: by reason, the documents that come first in
    the order of examples. files: names of what was written; gone: of verdicts beside the table that the table's own now
    are. tallies: of the signals (`pipeline.quality.distributions.Tally`). shares: of the rules that read learnt scores
    (`pipeline.quality.kept_shares.KeptShares`)."""

    counts: Counter[tuple[str, str | None]]
    first: dict[str | None, list[Candidate]]
    files: list[str]
    gone: list[str]
    tallies: Sequence[bytes | str] = ()
    shares: Sequence[Parts] = ()


class Counted:
    """What a task counts of the verdicts that it takes."""

    def __init__(self, decide: Decider, learnt: Fields) -> None:
        self.tally = Tally(learnt)
        self.shares = KeptShares(decide.learnt_rules(learnt), decide.bounds)

    def add(self, rows: pa.RecordBatch, labels: Sequence[str], verdicts: pa.Array, file: str) -> None:
        self.tally.add(rows, labels, verdicts)
        self.shares.add(rows, labels, verdicts, file)

    def columns(self) -> list[str]:
        """What it reads beside id and language."""
        return [*self.tally.edges, *(READ if self.shares.rules else ())]

    def answered(self, judged: Judged, path: str) -> Judged:
        """With what was counted; `path`: of a file for what is too large to be answered."""
        return judged._replace(tallies=[self.tally.answer(path)], shares=[self.shares.parts()])


def others_of(table: DocumentTable, learnt: Fields = ()) -> list[str]:
    """Columns of a foreign table that pass through: all that no column of CLEANED stands for. UserError where one has
    the name of a learnt score."""
    for name, _, _ in learnt:
        if name in table.files.schema.names:
            way = (
                f"call the classifier {name.removeprefix(PREFIX)} otherwise" if name.startswith(PREFIX) else "rename it"
            )
            raise UserError(f"the table has a column {name} already: {way}, or leave the model out")
    known = {table.id_column, table.text_column, *CLEANED.names}
    return [name for name in table.files.schema.names if name not in known]


@dataclass(frozen=True)
class Cleaning:
    """A task: writes rows of CLEANED, one a document of its splits, with the columns `others` of the table before the
    verdict, a file a split. Texts that the annotator fails on, or takes more CPU time for than `text_seconds`, have no
    annotations and FAILED as their reason. scratch: a folder for what is too large to be answered."""

    table: DocumentTable
    others: Sequence[str]
    folder: str
    annotate: Annotator
    decide: Decider
    text_seconds: float
    scratch: str

    def __call__(self, splits: Sequence[Split]) -> Judged:
        given, others = self.table.files.schema, self.others
        schema = pa.schema([*self.annotate.schema, *(given.field(name) for name in others), pa.field(*VERDICT)])
        named = {"id": self.table.id_column, "text": self.table.text_column}
        needed = dict.fromkeys([*(named.get(name, name) for name in PASSED_ON), *others])
        there = [name for name in needed if name in given.names]
        judged, counted = [], Counted(self.decide, self.annotate.learnt)
        with guarded(self.annotate, self.text_seconds) as guard:
            for split in splits:
                path = part_file(self.folder, split)
                judged.append(Judged(Counter(), {}, [path.rpartition("/")[2]], []))  # of a file without a row too
                with RowGroupWriter(path, schema, plain=("id", "text"), most_bytes=BATCH_BYTES) as out:
                    for batch in rows_of(self.table, split, there):
                        columns = [column_or(batch, named.get(name, name), MISSING.get(name, "")) for name in PASSED_ON]
                        passed = pa.RecordBatch.from_arrays(columns, list(PASSED_ON))
                        rows = cleaned(guard, passed, self.decide, self.annotate.schema)
                        *annotations, verdicts = rows.columns
                        cells = [*annotations, *(batch.column(name) for name in others), verdicts]
                        out.write(pa.RecordBatch.from_arrays(cells, schema=schema))
                        judged.append(_judged(rows, verdicts, path.rpartition("/")[2], counted))
                        _count(judged[-1])
        return counted.answered(_added_up(judged), part_file(self.scratch, splits[0]))


def clean(run_tasks: TaskRunner, cleaning: Cleaning) -> Judged:
    """The whole table, in tasks of some splits."""
    chunks = _chunks(cleaning.table.files.splits)
    sizes = [sum(split.rows for split in chunk) for chunk in chunks]
    return _added_up(run_tasks(cleaning, chunks, Step("clean", sizes, "documents")))


def guarded(annotate: Annotator, text_seconds: float) -> Guard:
    return Guard("clean", lambda batch: [annotate(batch)], text_seconds)


def cleaned(guard: Guard, batch: pa.RecordBatch, decide: Decider, annotations: pa.Schema = ANNOTATED) -> pa.RecordBatch:
    """Rows of `annotations` with their verdicts, one a row of the batch, in its order. guard: over an Annotator."""
    parts, schema = [], annotations.append(pa.field(*VERDICT))
    for given, made in guard(batch):
        if isinstance(made, Failure):
            parts.append(_failed_row(given, made.step, schema))
        else:
            parts += [
                pa.RecordBatch.from_arrays([*annotated.columns, decide(annotated)], schema=schema) for annotated in made
            ]
    return _batch(pa.Table.from_batches(parts, schema))


def _failed_row(given: pa.RecordBatch, step: str, schema: pa.Schema) -> pa.RecordBatch:
    """The row as it came, its text as it was."""
    columns: dict[str, Any] = {name: given.column(name) for name in PASSED_ON}
    columns["text"] = from_strings([text or "" for text in to_strings(given.column("text"))])
    columns[VERDICT[0]] = [f"{FAILED}:{step}"]
    arrays = [as_array(columns.get(field.name), field.type, given.num_rows) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _judged(rows: pa.RecordBatch, verdicts: pa.Array, file: str, counted: Counted) -> Judged:
    """rows: with at least id, language and language_script; what else they have is counted."""
    reasons, labels = verdicts.to_pylist(), labels_of(rows)
    counted.add(rows, labels, verdicts, file)
    by_reason: dict[str | None, list[tuple[str, str]]] = defaultdict(list)
    for name, label, reason in zip(rows.column("id").to_pylist(), labels, reasons, strict=True):
        by_reason[reason].append((name, label))
    first = {
        reason: [Candidate(*page, file) for page in first_by_language(pages)] for reason, pages in by_reason.items()
    }
    return Judged(Counter(zip(labels, reasons, strict=True)), first, [file], [])


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
    first: dict[str | None, list[Candidate]] = {}
    files, gone, tallies, shares = set[str](), set[str](), list[bytes | str](), list[Parts]()
    for part in parts:
        counts.update(part.counts)
        files.update(part.files)
        gone.update(part.gone)
        tallies += part.tallies
        shares += part.shares
        for reason, named in part.first.items():
            file_of = {(one.id, one.label): one.file for one in [*first.get(reason, []), *named]}
            first[reason] = [Candidate(*page, file_of[page]) for page in first_by_language(file_of)]
    return Judged(counts, first, sorted(files), sorted(gone), tallies, shares)


def counts_of(judged: Judged) -> Counts:
    counts: Counts = {}
    for (label, reason), rows in judged.counts.items():
        counts.setdefault(label, {})[reason] = rows
    return counts


def distributions(
    run_tasks: TaskRunner, judged: Judged, decide: Decider, scratch: str, learnt: Fields = ()
) -> list[Distribution]:
    """How the signals of the table lie, and what the rules ask of them. scratch, learnt: as the tasks had them."""
    documents: Counter[str] = Counter()
    for (label, _), rows in judged.counts.items():
        documents[label] += rows
    labels, answers = frozenset([WHOLE, *largest(documents)]), judged.tallies
    if len(answers) > TALLIES_A_TASK:
        groups = [answers[at : at + TALLIES_A_TASK] for at in range(0, len(answers), TALLIES_A_TASK)]
        asked = [(group, storage.join(scratch, f"tally-{number}")) for number, group in enumerate(groups)]
        answers = run_tasks(functools.partial(_added_tallies, labels=labels, learnt=learnt), asked)
    tally = Tally(learnt)
    for answer in answers:
        tally.take(answer, labels)
    return distributions_of(tally, documents, decide.bounds)


def _added_tallies(asked: tuple[Sequence[bytes | str], str], labels: frozenset[str], learnt: Fields) -> bytes | str:
    answers, path = asked
    tally = Tally(learnt)
    for answer in answers:
        tally.take(answer, labels)
    return tally.answer(path)


def examples(run_tasks: TaskRunner, files: Mapping[str, str], judged: Judged, with_texts: bool) -> list[Example]:
    """Of each reason, read from the table's files, name -> path."""
    named = [(one.file, one.id) for few in judged.first.values() for one in few]
    candidates = {reason: [one.id for one in few] for reason, few in judged.first.items()}
    return chosen_examples(candidates, _seen(run_tasks, files, named, with_texts))


def learnt_rules(
    run_tasks: TaskRunner, files: Mapping[str, str], judged: Judged, counted: Counted, with_texts: bool
) -> list[LearntRule]:
    """What the rules that read learnt scores have kept, of whom, with documents near their thresholds."""
    shares = counted.shares
    for parts in judged.shares:
        shares.take(parts)
    named = [(one.file, one.order[1]) for few in shares.near.values() for one in few]
    return shares.told({row["id"]: row for row in _seen(run_tasks, files, named, with_texts)})


def _seen(
    run_tasks: TaskRunner, files: Mapping[str, str], named: Sequence[tuple[str, str]], with_texts: bool
) -> Iterable[Shown]:
    """Rows of the table's files; named: file and id."""
    ids_of: dict[str, list[str]] = defaultdict(list)
    for file, name in named:
        ids_of[file].append(name)
    reading = functools.partial(_shown, with_texts=with_texts)
    return itertools.chain(*run_tasks(reading, [(files[file], ids) for file, ids in sorted(ids_of.items())]))


def _shown(named: tuple[str, list[str]], with_texts: bool) -> list[Shown]:
    path, ids = named
    columns = ["id", "url", *UNLABELLED, *(["text"] if with_texts else [])]
    wanted, rows = pa.array(ids, pa.string()), []
    for batch in batches_of(path, BATCH_ROWS, columns):
        rows += example_rows(batch.filter(pc.is_in(batch.column("id"), value_set=wanted)), "id", "text")
    return rows


def decide_again(
    run_tasks: TaskRunner,
    files: Mapping[str, str],
    beside: Mapping[str, str],
    target: str,
    decide: Decider,
    scratch: str,
    learnt: Fields = (),
) -> Judged:
    """Takes the verdicts of a table, as `clean` writes it, again, file by file; of those that come out otherwise it
    writes files of the same names to the folder `target`. Rows that failed have nothing to decide over and keep theirs.

    files: name -> path; beside: of some of these names the verdicts that hold by now. scratch: as Cleaning's.
    """
    task = functools.partial(_decide_files, target=target, decide=decide, scratch=scratch, learnt=learnt)
    return _added_up(run_tasks(task, _chunks([(name, path, beside.get(name)) for name, path in sorted(files.items())])))


def _decide_files(
    files: Sequence[tuple[str, str, str | None]], target: str, decide: Decider, scratch: str, learnt: Fields
) -> Judged:
    counted = Counted(decide, learnt)
    judged = _added_up(_decide_file(*file, target, decide, counted) for file in files)
    return counted.answered(judged, storage.join(scratch, files[0][0]))


def _decide_file(name: str, path: str, beside: str | None, target: str, decide: Decider, counted: Counted) -> Judged:
    needed = dict.fromkeys((*decide.columns, "id", *UNLABELLED, *counted.columns(), VERDICT[0]))
    before, verdicts, whole = list[pa.Array](), list[pa.Array](), list[Judged]()
    with open_parquet(path) as file:
        there = [column for column in needed if column in file.schema_arrow.names]
        for place in range(file.num_row_groups):
            group = _batch(file.read_row_group(place, there))
            before.append(group.column(VERDICT[0]))
            verdicts.append(_verdicts(group, decide))
            whole.append(_judged(group, verdicts[-1], name, counted)._replace(files=[]))
    judged, now = _added_up(whole), verdict_files.read_verdicts(beside) if beside else None
    if all(new.equals(old) for old, new in zip(before, verdicts, strict=True)):
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
