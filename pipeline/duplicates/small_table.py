"""A table of documents that is small enough for one process to hold its signatures: its files, and their rows as
strings."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh64_intdigest

from pipeline.config import DedupConfig
from pipeline.duplicates.earlier_crawls import EarlierCrawl
from pipeline.store import storage
from pipeline.store.table_splits import Split, SplitTable, split_batches, split_table
from pipeline.workers.tasks import Step
from schemas.records import EXAMPLE_CHARACTERS, UNLABELLED

_EXAMPLES_SEED = xxh64_intdigest(b"examples", xxh64_intdigest(bytes(4), 42))  # as Spark chains its hashes


class SmallTable(NamedTuple):
    """kept_only: it has a drop_reason, rows with one do not count, and the column goes."""

    files: SplitTable
    id_column: str
    text_column: str
    kept_only: bool


def small_table(
    path: str, id_column: str, text_column: str, kept_only: bool, config: DedupConfig, crawls: Sequence[EarlierCrawl]
) -> SmallTable | None:
    """None for what only the engine can do: more than `one_task_documents` rows, those of earlier crawls counted,
    columns of other kinds, and what it has to refuse."""
    earlier = [crawl.n_signatures() for crawl in crawls]
    most_rows = config.one_task_documents - sum(rows or 0 for rows in earlier)
    if None in earlier or most_rows < 0 or not storage.exists(path):
        return None
    files = split_table(path, most_rows)
    if files is None:
        return None
    types = {field.name: field.type for field in files.schema}
    if len(types) < len(files.schema) or {id_column, text_column} - types.keys():
        return None
    if {"id", "text"} & (types.keys() - {id_column, text_column}):
        return None
    if any("view" in str(kind) for kind in types.values()):  # which pyarrow cannot filter
        return None
    strings = [text_column, *(name for name in ("url", "date", *UNLABELLED) if name in types)]
    quality = types.get(config.quality_column, pa.float64()) if config.quality_column else pa.float64()
    fit = all(pa.types.is_string(types[name]) or pa.types.is_large_string(types[name]) for name in strings)
    fit = fit and (pa.types.is_string(types[id_column]) or pa.types.is_integer(types[id_column]))
    fit = fit and (pa.types.is_floating(quality) or pa.types.is_integer(quality))
    if not fit or (config.quality_column and config.quality_column not in types):
        return None
    return SmallTable(files, id_column, text_column, kept_only)


def schema_of(table: SmallTable) -> pa.Schema:
    """Of its rows with all their columns: id and text as strings, without a drop_reason that no row has."""
    strings = (table.id_column, table.text_column)
    fields = [field.with_type(pa.string()) if field.name in strings else field for field in table.files.schema]
    return pa.schema([field for field in fields if not (table.kept_only and field.name == "drop_reason")])


def rows_of(table: SmallTable, split: Split, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The rows of a split that count, id and text as strings, columns under the table's own names."""
    names = [*columns, "drop_reason"] if table.kept_only else columns
    for batch in split_batches(table.files, split, names):
        if table.kept_only:
            batch = batch.filter(pc.is_null(batch.column("drop_reason"))).drop_columns(["drop_reason"])
        if not len(batch):
            continue
        for name in (table.id_column, table.text_column):
            if name in batch.schema.names and not pa.types.is_string(batch.schema.field(name).type):
                at = batch.schema.get_field_index(name)
                batch = batch.set_column(at, name, batch.column(at).cast(pa.string()))
        yield batch


def column_or(batch: pa.RecordBatch | pa.Table, name: str, missing: str) -> pa.Array:
    """A column as strings; all `missing` where the table has none."""
    if name not in batch.schema.names:
        return pa.array([missing] * len(batch), pa.string())
    return batch.column(name).cast(pa.string())


def labels_of(batch: pa.RecordBatch | pa.Table) -> list[str]:
    """`eng_Latn` by row."""
    columns = (pc.fill_null(column_or(batch, name, missing), missing) for name, missing in UNLABELLED.items())
    labels: list[str] = pc.binary_join_element_wise(*columns, "_").to_pylist()
    return labels


def example_rows(batch: pa.RecordBatch, table: SmallTable) -> list[dict[str, str]]:
    """What the report shows of documents, by the keys of schemas.records.Example but for the reason."""
    rows = []
    for row in batch.to_pylist():
        label = [row.get(name, missing) for name, missing in UNLABELLED.items()]
        rows.append(
            {
                "id": row[table.id_column],
                "url": row.get("url") or "",
                "language": "_".join(part for part in label if part is not None),
                "text": (row[table.text_column] or "")[:EXAMPLE_CHARACTERS],
            }
        )
    return rows


def example_order(name: str) -> tuple[int, str]:
    """Of a document's id: the examples that are shown of each reason are those with the smallest. The first is the
    order of `pipeline.spark.tables.examples`, 53 bits."""
    return xxh64_intdigest(name.encode("utf-8", "surrogatepass"), _EXAMPLES_SEED) >> 11, name


def step(name: str, splits: Sequence[Split]) -> Step:
    return Step(f"dedup {name}", [split.rows for split in splits], "documents")


def part_file(folder: str, split: Split) -> str:
    return storage.join(folder, f"part-{split.number:05d}.parquet")
