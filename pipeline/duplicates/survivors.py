"""What dedup reads of a table beside id and text, and the file of a split's survivors."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.store.document_table import DocumentTable, labels_of, plain, rows_of, schema_of
from pipeline.store.row_groups import RowGroupWriter
from pipeline.store.table_splits import BATCH_BYTES, Split, part_file
from schemas.errors import UserError
from schemas.repeated_lines import CUT_LINES

ADDED = pa.schema([("cluster_id", pa.string()), pa.field("minhash_cluster_size", pa.int64(), nullable=False)])


class SurvivorFile:
    """A context manager for the file of a split's survivors: all their columns, and at the end ADDED, which stand for
    columns of these names that the table has had. labels: of what was written, `eng_Latn` -> rows."""

    def __init__(self, table: DocumentTable, split: Split, folder: str) -> None:
        own = [field for field in schema_of(table) if field.name not in ADDED.names]
        self.columns = [field.name for field in own]
        self.labels = Counter[str]()
        self.schema, self._id_column = pa.schema([*own, *ADDED]), table.id_column
        plain_columns = (table.id_column, table.text_column, "cluster_id")
        self._file = RowGroupWriter(part_file(folder, split), self.schema, plain=plain_columns, most_bytes=BATCH_BYTES)

    def __enter__(self) -> "SurvivorFile":
        self._file.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._file.__exit__(*error)

    def write(self, rows: pa.RecordBatch, cluster_sizes: pa.Array) -> None:
        """rows: with `columns`, in their order."""
        self.labels.update(labels_of(rows))
        cells = [*rows.columns, rows.column(self._id_column), cluster_sizes]
        self._file.write(pa.RecordBatch.from_arrays(cells, schema=self.schema))


def split_by_split(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[int, pa.Table]]:
    """Rows sorted by their column `split`: its number, and all of its rows."""
    pieces: list[pa.Table] = []
    current = None
    for batch in batches:
        table = pa.Table.from_batches([batch])
        begin = 0
        for end in pc.run_end_encode(batch.column("split")).run_ends.to_pylist() if len(batch) else []:
            number = batch.column("split")[begin].as_py()
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


def check_quality(name: str, table: DocumentTable) -> None:
    """UserError where the table has no column of numbers of this name; the empty name stands for none."""
    kinds = {field.name: field.type for field in schema_of(table)}
    if name and name not in kinds:
        raise UserError(f"--quality-column {name}: {table.files.folder} has no such column; it has {', '.join(kinds)}")
    kind = kinds.get(name, pa.null())
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_null)
    if not any(is_kind(kind) for is_kind in tests):
        raise UserError(f"--quality-column {name}: it is {kind}; name a column of numbers")


def quality_of(batch: pa.RecordBatch, quality_column: str) -> pa.Array:
    """The quality of documents as doubles, -inf where it is unknown; 0 for all where no column is named."""
    if not quality_column:
        return pa.repeat(pa.scalar(0.0), len(batch))
    given = plain(batch.column(quality_column)).cast(pa.float64(), safe=False)
    unknown = pc.or_kleene(pc.is_null(given), pc.is_nan(given))
    return pc.if_else(pc.fill_null(unknown, True), float("-inf"), given)
