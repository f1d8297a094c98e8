"""`scope = "line"` of a small table: its rows without the lines that their hosts repeat, written once, by tasks over
its files."""

import functools
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config import DedupConfig
from pipeline.repeats import host_lines, page_lines
from pipeline.store import storage
from pipeline.store.document_table import DocumentTable, column_or, labels_of, rows_of, schema_of
from pipeline.store.examples import Shown, example_order, example_rows
from pipeline.store.parquet_files import read_parquet
from pipeline.store.row_groups import RowGroupWriter
from pipeline.store.table_splits import BATCH_BYTES, Split, part_file, split_table
from pipeline.workers.tasks import Step, TaskRunner
from schemas.records import EXAMPLES_A_REASON
from schemas.repeats import CUT_LINES, LINES

LINES_FILE = "part-00000.parquet"
ROWS_A_BUCKET = 100_000  # of the table: the lines of so many pages are added up in one task


class CutTable(NamedTuple):
    """table: the rows, texts cut, with the column `cut_lines`, but for those of which nothing is left. templates: how
    many these are, by label; examples: some of them."""

    table: DocumentTable
    rows_in: int
    templates: Counter[str]
    examples: list[Shown]
    n_lines: int


class _Cut(NamedTuple):
    """What a task has cut."""

    rows_in: int
    templates: Counter[str]
    examples: list[Shown]


def cut_lines(table: DocumentTable, config: DedupConfig, lines: str, scratch: str, run_tasks: TaskRunner) -> CutTable:
    """Writes the lines that repeat to the folder `lines`, rows of LINES, and the table without them below `scratch`,
    which the caller removes."""
    folder = {name: storage.join(scratch, name) for name in ("counts", "repeats", "shown", "cut")}
    splits = table.files.splits
    n_buckets = 1 + table.files.rows // ROWS_A_BUCKET
    counting = functools.partial(_count, table=table, n_buckets=n_buckets, folder=folder["counts"])
    run_tasks(counting, splits, step("lines", splits))
    choosing = functools.partial(
        _choose, splits=splits, config=config, counts=folder["counts"], folder=folder["repeats"]
    )
    repeats = tuple(run_tasks(choosing, range(n_buckets)))
    identity = "".join(map(storage.digest, repeats))
    cutting = functools.partial(
        _cut, table=table, repeats=repeats, identity=identity, shown=folder["shown"], folder=folder["cut"]
    )
    parts = run_tasks(cutting, splits, step("cutting", splits))
    shown = [part_file(folder["shown"], split) for split in splits]
    (n_lines,) = run_tasks(functools.partial(_write_lines, lines=lines), [shown])
    cut = {path.rpartition("/")[2]: path for path in (part_file(folder["cut"], split) for split in splits)}
    files = split_table(folder["cut"], cut)
    examples = sorted((row for part in parts for row in part.examples), key=lambda row: example_order(row["id"]))
    return CutTable(
        DocumentTable(files, table.id_column, table.text_column, kept_only=False),
        sum(part.rows_in for part in parts),
        sum((part.templates for part in parts), Counter()),
        examples[:EXAMPLES_A_REASON],
        n_lines,
    )


def _count(split: Split, table: DocumentTable, n_buckets: int, folder: str) -> None:
    """Writes rows of OCCURRENCES, a file a bucket of hosts."""
    parts = [host_lines.OCCURRENCES.empty_table()]
    if "url" in table.files.schema.names:
        for batch in rows_of(table, split, ["url", table.text_column]):
            pages = host_lines.addresses_of(column_or(batch, "url", ""))
            texts = batch.column(table.text_column)
            known = pc.and_(pages.hosts.is_valid(), texts.is_valid()).to_numpy(zero_copy_only=False)
            counted = host_lines.occurrences(texts.filter(pa.array(known)), pages.sites[known], pages.addresses[known])
            parts.append(pa.Table.from_batches([counted]))
    rows = pa.concat_tables(parts)
    buckets = rows["site"].to_numpy().view(np.uint64) % np.uint64(n_buckets)
    for bucket in range(n_buckets):
        path = part_file(storage.join(folder, str(bucket)), split)
        with RowGroupWriter(path, host_lines.OCCURRENCES, 1 << 20) as out:
            out.write(rows.filter(pa.array(buckets == bucket)))


def _choose(bucket: int, splits: Sequence[Split], config: DedupConfig, counts: str, folder: str) -> str:
    """Writes rows of REPEATS, the lines that repeat of a bucket of hosts; where."""
    place, path = storage.join(counts, str(bucket)), storage.join(folder, f"{bucket}.parquet")
    counted = pa.concat_tables([read_parquet(part_file(place, split)) for split in splits])
    with RowGroupWriter(path, host_lines.REPEATS) as out:
        out.write(host_lines.repeats(counted, config.min_line_pages, config.min_line_share))
    return path


def _cut(split: Split, table: DocumentTable, repeats: tuple[str, ...], identity: str, shown: str, folder: str) -> _Cut:
    """Writes the split's rows without repeated lines, and rows of LINES for those lines that are taken from them."""
    repeated = _repeated_lines(repeats, identity)
    own = [field for field in schema_of(table) if field.name != CUT_LINES.name]
    names, schema = [field.name for field in own], pa.schema([*own, CUT_LINES])
    rows_in, templates, examples = 0, Counter[str](), []
    plain = (table.id_column, table.text_column)
    with (
        RowGroupWriter(part_file(folder, split), schema, plain=plain, most_bytes=BATCH_BYTES) as out,
        RowGroupWriter(part_file(shown, split), LINES) as seen,
    ):
        for batch in rows_of(table, split, names):
            rows_in += len(batch)
            texts = batch.column(table.text_column)
            pages = host_lines.addresses_of(column_or(batch, "url", ""))
            wanted = repeated.to_show(pages)
            if wanted.null_count < len(wanted):
                seen.write(host_lines.shown_lines(texts, pages.hosts, wanted))
            cut = page_lines.cut(texts, repeated.of_hosts(pages))
            batch = batch.set_column(names.index(table.text_column), table.text_column, cut.texts)
            batch = pa.RecordBatch.from_arrays([*batch.columns, pa.array(cut.lines)], schema=schema)
            blank = pc.equal(pc.utf8_trim(pc.fill_null(cut.texts, ""), " "), "")
            emptied = pc.and_(blank, pc.greater(batch.column(CUT_LINES.name), 0))
            out.write(batch.filter(pc.invert(emptied)))
            gone = batch.filter(emptied)
            templates.update(labels_of(gone))
            examples += example_rows(gone, table.id_column, table.text_column)
            examples = sorted(examples, key=lambda row: example_order(row["id"]))[:EXAMPLES_A_REASON]
    return _Cut(rows_in, templates, examples)


@functools.lru_cache(maxsize=1)
def _repeated_lines(files: tuple[str, ...], identity: str) -> host_lines.RepeatedLines:
    """Once a worker. identity: of the files, so that a worker of an engine knows new ones from old."""
    return host_lines.RepeatedLines(pa.concat_tables(list(map(read_parquet, files))))


def _write_lines(shown: Sequence[str], lines: str) -> int:
    parts = list(map(read_parquet, shown))
    with RowGroupWriter(storage.join(lines, LINES_FILE), LINES) as out:
        out.write(host_lines.one_of_each(pa.concat_tables(parts)))
    return out.rows


def step(name: str, splits: Sequence[Split]) -> Step:
    return Step(f"dedup {name}", [split.rows for split in splits], "documents")
