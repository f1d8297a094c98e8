"""What dedup reads of a table beside id and text, and the file of a split's survivors."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.store.document_table import DocumentTable, labels_of, plain, rows_of, schema_of
from pipeline.store.examples import Shown, example_rows
from pipeline.store.parquet_files import read_parquet
from pipeline.store.row_groups import RowGroupWriter
from pipeline.store.table_splits import BATCH_BYTES, Split, part_file
from schemas.repeats import CUT_LINES

VERDICTS = pa.schema(
    [
        ("row", pa.int64()),
        ("goes", pa.bool_()),
        ("minhash_cluster_size", pa.int64()),
        ("cluster_id", pa.string()),  # null: its own id
    ]
)
ADDED = pa.schema([("cluster_id", pa.string()), pa.field("minhash_cluster_size", pa.int64(), nullable=False)])


def survivor_schema(table: DocumentTable) -> pa.Schema:
    return pa.schema([*(field for field in schema_of(table) if field.name not in ADDED.names), *ADDED])


class SurvivorFile:
    """A context manager for the file of a split's survivors: all their columns, and at the end ADDED, which stand for
    columns of these names that the table has had. labels: of what was written, `eng_Latn` -> rows."""

    def __init__(self, table: DocumentTable, split: Split, folder: str) -> None:
        self.schema, self._id_column = survivor_schema(table), table.id_column
        self.columns = self.schema.names[: -len(ADDED)]
        self.labels = Counter[str]()
        plain_columns = (table.id_column, table.text_column, "cluster_id")
        self._file = RowGroupWriter(part_file(folder, split), self.schema, plain=plain_columns, most_bytes=BATCH_BYTES)

    def __enter__(self) -> "SurvivorFile":
        self._file.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._file.__exit__(*error)

    def write(self, rows: pa.RecordBatch, cluster_sizes: pa.Array, cluster_ids: pa.Array | None = None) -> None:
        """rows: with `columns`, in their order. cluster_ids: null, or no array, where it is their own id."""
        self.labels.update(labels_of(rows))
        own = rows.column(self._id_column)
        cells = [*rows.columns, own if cluster_ids is None else pc.coalesce(cluster_ids, own), cluster_sizes]
        self._file.write(pa.RecordBatch.from_arrays(cells, schema=self.schema))


def split_by_split(batches: Iterable[pa.RecordBatch], name: str = "split") -> Iterator[tuple[int, pa.Table]]:
    """Rows sorted by their column of that name: its number, and all of its rows."""
    pieces: list[pa.Table] = []
    current = None
    for batch in batches:
        table = pa.Table.from_batches([batch])
        begin = 0
        for end in pc.run_end_encode(batch.column(name)).run_ends.to_pylist() if len(batch) else []:
            number = batch.column(name)[begin].as_py()
            if current is not None and number != current:
                yield current, pa.concat_tables(pieces)
                pieces = []
            current = number
            pieces.append(table.slice(begin, end - begin))
            begin = end
    if current is not None:
        yield current, pa.concat_tables(pieces)


def write_survivors(table: DocumentTable, split: Split, kept: pa.Table, folder: str) -> Counter[str]:
    """Writes the survivors of a split with all their columns; answers how many by label.

    kept: ascending `row` of the split's rows that count, `minhash_cluster_size`; with `text` and `cut_lines` these
    stand for the table's own.
    """
    if CUT_LINES.name in kept.column_names:
        own = [field for field in table.files.schema if field.name != CUT_LINES.name]
        given, table = table, table._replace(files=table.files._replace(schema=pa.schema([*own, CUT_LINES])))
        new = {table.text_column: kept["text"].combine_chunks(), CUT_LINES.name: kept[CUT_LINES.name].combine_chunks()}
    else:
        given, new = table, {}
    places, sizes = kept["row"].to_numpy(), kept["minhash_cluster_size"].combine_chunks()
    first = 0
    with SurvivorFile(table, split, folder) as out:
        names = [name for name in out.columns if name not in new]
        # Of the text that is cut the old one is not read.
        for batch in rows_of(given, split, names):
            begin, end = np.searchsorted(places, [first, first + len(batch)])
            rows = batch.take(pa.array(places[begin:end] - first))
            cells = [new[name].slice(begin, end - begin) if name in new else rows.column(name) for name in out.columns]
            fields = [out.schema.field(name) for name in out.columns]
            out.write(pa.RecordBatch.from_arrays(cells, schema=pa.schema(fields)), sizes.slice(begin, end - begin))
            first += len(batch)
    return out.labels


class Said(NamedTuple):
    """What dedup says of rows of a split, as paths of tables, None where it says nothing. verdicts: of VERDICTS, of
    those that have a copy, where rows that are left out do not count; left_out: `row` of those whose id another row
    has. wanted: ids of rows to be shown."""

    verdicts: str | None
    left_out: str | None
    wanted: tuple[str, ...]


def keep_split(item: tuple[Split, Said], table: DocumentTable, folder: str) -> tuple[Counter[str], list[Shown]]:
    """Writes the survivors of a split with all their columns; how many by label, and those to be shown."""
    split, said = item
    verdicts = read_parquet(said.verdicts) if said.verdicts else VERDICTS.empty_table()
    places, goes, sizes = (verdicts[name].to_numpy() for name in ("row", "goes", "minhash_cluster_size"))
    named = verdicts["cluster_id"].combine_chunks()
    left_out = (read_parquet(said.left_out) if said.left_out else VERDICTS.empty_table())["row"].to_numpy()
    wanted = pa.array(said.wanted, pa.string())
    shown: list[Shown] = []
    first = 0
    with SurvivorFile(table, split, folder) as out:
        for batch in rows_of(table, split, out.columns):
            rows = np.arange(first, first + len(batch))
            first += len(batch)
            here = ~np.isin(rows, left_out)
            row = rows - np.searchsorted(left_out, rows)
            stays, size, said_at = here.copy(), np.ones(len(batch), np.int64), np.full(len(batch), -1)
            begin, end = np.searchsorted(places, [row[0], row[-1] + 1])
            at = np.searchsorted(row, places[begin:end], "right") - 1  # of several with one number the last one is here
            stays[at] &= ~goes[begin:end]
            size[at], said_at[at] = sizes[begin:end], np.arange(begin, end)
            if len(wanted):
                seen = pa.array(here) if len(left_out) else None
                some = batch if seen is None else batch.filter(seen)
                some = some.filter(pc.is_in(some.column(table.id_column), value_set=wanted))
                shown += example_rows(some, table.id_column, table.text_column)
            kept = pa.array(stays)
            cluster_ids = named.take(pa.array(said_at[stays], mask=said_at[stays] < 0))
            out.write(batch.filter(kept), pa.array(size[stays]), cluster_ids)
    return out.labels, shown


def quality_of(batch: pa.RecordBatch, quality_column: str) -> pa.Array:
    """The quality of documents as doubles, -inf where it is unknown; 0 for all where no column is named."""
    if not quality_column:
        return pa.repeat(pa.scalar(0.0), len(batch))
    given = plain(batch.column(quality_column)).cast(pa.float64(), safe=False)
    unknown = pc.or_kleene(pc.is_null(given), pc.is_nan(given))
    return pc.if_else(pc.fill_null(unknown, True), float("-inf"), given)
