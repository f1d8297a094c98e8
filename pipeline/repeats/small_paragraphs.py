"""`scope = "paragraph"` of a small table: its rows without the paragraphs that pages of several hosts repeat, written
once, by tasks over its files."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline.config import DedupConfig
from pipeline.repeats import paragraph_counts
from pipeline.repeats.paragraph_counts import LISTED, Limits, bucket_of, n_buckets
from pipeline.repeats.paragraph_cutting import (
    SHOWN,
    bucket_file,
    count_split,
    cut_split,
    cut_table,
    write_here,
    write_seen,
    write_shown,
)
from pipeline.repeats.small_lines import step
from pipeline.store import storage
from pipeline.store.document_table import DocumentTable
from pipeline.store.parquet_files import read_parquet
from pipeline.store.row_groups import RowGroupWriter
from pipeline.store.table_splits import Split, part_file
from pipeline.workers.tasks import TaskRunner
from schemas.repeats import PARAGRAPH_COUNTS, PARAGRAPHS

HASHES = ("page_hashes", "host_hashes")
TABLES = ("paragraphs", "paragraph_examples", "paragraph_counts")  # that it writes


class CutTable(NamedTuple):
    """table: the rows, texts cut, with the column `cut_paragraphs`. written: table -> rows; files: table -> names."""

    table: DocumentTable
    written: dict[str, int]
    files: dict[str, list[str]]


def cut_paragraphs(
    table: DocumentTable,
    config: DedupConfig,
    crawls: Sequence[Sequence[str]],
    paths: Mapping[str, str],
    run_tasks: TaskRunner,
) -> CutTable:
    """Writes TABLES to the folders of `paths`, and the table without what repeats below its `scratch`, which the caller
    removes. crawls: files of PARAGRAPH_COUNTS of each earlier one."""
    scratch, splits, n = storage.join(paths["scratch"], "paragraphs"), table.files.splits, n_buckets(table.files.rows)
    least = config.min_paragraph_letters
    counting = functools.partial(_count, table=table, min_letters=least, n=n, folder=scratch)
    run_tasks(counting, splits, step("paragraphs", splits))
    choosing = functools.partial(
        _choose, n=n, splits=splits, limits=limits_of(config), crawls=crawls, paths=paths, folder=scratch
    )
    counts = run_tasks(choosing, range(n))
    files = tuple(storage.join(scratch, "listed", bucket_file(bucket)) for bucket in range(n))
    identity = "".join(map(storage.digest, files))
    cutting = functools.partial(
        _cut, n=n, files=files, identity=identity, table=table, min_letters=least, folder=scratch
    )
    run_tasks(cutting, splits, step("cutting", splits))
    rows = run_tasks(functools.partial(_write, n=n, splits=splits, paths=paths, folder=scratch), range(n))
    return as_cut(table, scratch, {"counts": counts, "seen": [n for n, _ in rows], "shown": [n for _, n in rows]})


def as_cut(table: DocumentTable, folder: str, rows: Mapping[str, Sequence[int]]) -> CutTable:
    """What lies in the folder when all is written. rows: by bucket, of `counts`, `seen` and `shown`."""
    files = cut_table(folder, table.files.splits)
    names = list(map(bucket_file, range(len(rows["counts"]))))
    written = zip(TABLES, ("seen", "shown", "counts"), strict=True)
    return CutTable(
        table._replace(files=files, kept_only=False),
        {name: sum(rows[of]) for name, of in written},
        {name: names for name in TABLES},
    )


def limits_of(config: DedupConfig) -> Limits:
    return Limits(config.min_paragraph_pages, config.min_paragraph_hosts)


def choose_bucket(
    counts: pa.Table,
    bucket: int,
    n: int,
    limits: Limits,
    crawls: Sequence[Sequence[str]],
    paths: Mapping[str, str],
    folder: str,
) -> int:
    """Writes the bucket's file of PARAGRAPH_COUNTS, and rows of LISTED below the folder; how many of the first.
    counts: these, ascending."""
    path, plain = storage.join(paths["paragraph_counts"], bucket_file(bucket)), (PARAGRAPH_COUNTS.names[0], *HASHES)
    with RowGroupWriter(path, PARAGRAPH_COUNTS, 1 << 16, plain=plain) as out:
        out.write(counts)
    earlier = [paragraph_counts.stored_counts(files, bucket, n) for files in crawls]
    with RowGroupWriter(storage.join(folder, "listed", bucket_file(bucket)), LISTED, 1 << 16) as chosen:
        chosen.write(paragraph_counts.listed(counts, earlier, limits))
    return out.rows


def _count(split: Split, table: DocumentTable, min_letters: int, n: int, folder: str) -> None:
    """Writes rows of HERE, a file a bucket."""
    rows = count_split(table, split, min_letters)
    buckets = bucket_of(rows["paragraph"].to_numpy(), n)
    for bucket in range(n):
        write_here(rows.filter(pa.array(buckets == bucket)), _here(bucket, split, folder))


def _here(bucket: int, split: Split, folder: str) -> str:
    return part_file(storage.join(folder, "counts", str(bucket)), split)


def _cut(split: Split, n: int, folder: str, **told: Any) -> int:
    return cut_split(split, [_here(bucket, split, folder) for bucket in range(n)], folder=folder, **told)


def _choose(bucket: int, splits: Sequence[Split], folder: str, **told: Any) -> int:
    rows = pa.concat_tables([read_parquet(_here(bucket, split, folder)) for split in splits])
    return choose_bucket(paragraph_counts.counted(rows), bucket, folder=folder, **told)


def _write(bucket: int, n: int, splits: Sequence[Split], paths: Mapping[str, str], folder: str) -> tuple[int, int]:
    """The bucket's rows of PARAGRAPHS and PARAGRAPH_EXAMPLES: how many."""
    parts = []
    for name, schema in (("seen", PARAGRAPHS), ("shown", SHOWN)):
        found = [schema.empty_table()]
        for split in splits:
            rows = read_parquet(part_file(storage.join(folder, name), split))
            found.append(rows.filter(pa.array(bucket_of(rows["paragraph"].to_numpy(), n) == bucket)))
        parts.append(pa.concat_tables(found))
    seen, shown = parts
    return write_seen(seen, bucket, paths["paragraphs"]), write_shown(shown, bucket, paths["paragraph_examples"])
