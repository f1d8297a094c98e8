"""`scope = "substring"`, the parts that are done a split at a time, by files: what is said of a split's pages before
and after what only all pages together can tell, which `small_substrings` does, and by shuffles `stages.repeats`.

1. Sketches: the anchors of each page's windows (`windows`). Those of one page alone have no shared window.
2. Contexts: the runs of the anchors that several pages have, with their bytes. Few, where pages share little.
3. Marks (`shared_windows`): which windows of these other pages have; then spans (`spans`), and the text without them.

A page is called by its node, the number of its split and its row there, and by its place in the order in which pages
are preferred: the highest quality, the longest text, the earlier date (unknown last), the smaller id.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config import DedupConfig
from pipeline.kernels.hash_table import HashTable
from pipeline.repeats import shared_windows, spans, windows
from pipeline.store.document_table import DocumentTable, labels_of, rows_of, schema_of
from pipeline.store.examples import Shown, example_order, example_rows
from pipeline.store.parquet_files import open_parquet
from pipeline.store.row_groups import RowGroupWriter
from pipeline.store.table_splits import BATCH_BYTES, Split, part_file
from schemas.records import EXAMPLES_A_REASON
from schemas.repeats import CUT_BYTES, SHARED_BYTES, SPANS

ROW_BITS = 32
FIGURES = ("spans", "shared_documents", "shared_bytes", "cut_bytes")
SKETCHES = pa.schema(  # a row a run of windows
    [("anchor", pa.int64()), ("node", pa.int64()), ("start", pa.int64()), ("windows", pa.int64())]
)
CONTEXTS = pa.schema(
    [
        ("anchor", pa.int64()),
        ("node", pa.int64()),
        ("page", pa.int64()),  # place in the order of preference
        ("start", pa.int64()),  # of the text's bytes
        ("bytes", pa.large_binary()),  # of a large split more than two gigabytes
    ]
)
MARKS = pa.schema(
    [
        ("node", pa.int64()),
        ("start", pa.int64()),  # the first window, by the byte of the text at which it begins
        ("end", pa.int64()),  # behind the last
        ("goes", pa.bool_()),  # a page has them that is preferred
        ("other", pa.int64()),  # the most preferred other page that has them, by its place
        ("pages", pa.int64()),  # that have them
    ]
)
RANKS = pa.schema([("row", pa.int64()), ("id", pa.string()), ("page", pa.int64())])
PAGE_MARKS = pa.schema(  # rows of MARKS of a split
    [("row", pa.int64()), *(MARKS.field(name) for name in MARKS.names[1:]), ("other_id", pa.string())]
)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)


class Piece(NamedTuple):
    """A row group of a file; None: all of it."""

    path: str
    group: int | None = None


class Searched(NamedTuple):
    """What is looked through. table: survivors, a file a split. base: of the windows' hashes."""

    table: DocumentTable
    config: DedupConfig
    base: int


class Finished(NamedTuple):
    """Of a split. labels: of the documents that stay; emptied: of those of which cutting left nothing. shown: rows of
    the documents that were asked for and stay; gone: the asked ones that do not; examples: of emptied ones. figures:
    `spans`, how many; of documents that have some `shared_documents`, `shared_bytes`, `cut_bytes`."""

    labels: Counter[str]
    emptied: Counter[str]
    shown: list[Shown]
    gone: list[str]
    examples: list[Shown]
    figures: Counter[str]


def read_pieces(pieces: Iterable[Piece], schema: pa.Schema, columns: Sequence[str] | None = None) -> pa.Table:
    names = schema.names if columns is None else list(columns)
    tables = [pa.schema([schema.field(name) for name in names]).empty_table()]
    for piece in pieces:
        with open_parquet(piece.path) as file:
            if piece.group is None:
                tables.append(file.read(names, use_threads=False))
            else:
                tables.append(file.read_row_group(piece.group, names, use_threads=False))
    return pa.concat_tables(tables)


def whole(split: Split) -> Split:
    """The split with all that its file has."""
    with open_parquet(split.path) as file:
        return split._replace(groups=tuple(range(file.num_row_groups)), rows=file.metadata.num_rows)


def buckets_of(anchors: np.ndarray, n_buckets: int) -> np.ndarray:
    """Anchors, least hashes, are small ones."""
    return ((anchors.view(np.uint64) * _SPREAD) >> np.uint64(32)) % np.uint64(n_buckets)


def in_buckets(path: str, rows: pa.Table, buckets: np.ndarray, n_buckets: int) -> int:
    """Writes rows to a file, a row group a bucket; its bytes."""
    order = np.argsort(buckets, kind="stable")
    edges = np.searchsorted(buckets[order], np.arange(n_buckets + 1))
    with RowGroupWriter(path, rows.schema, plain=rows.schema.names) as out:
        for bucket in range(n_buckets):
            out.write_group(rows.take(pa.array(order[edges[bucket] : edges[bucket + 1]])))
    return out.bytes


def sketch(split: Split, searched: Searched, n_buckets: int, folder: str) -> int:
    """Writes rows of SKETCHES, a row group a bucket of anchors; bytes of the file."""
    split, table = whole(split), searched.table
    parts, row = [SKETCHES.empty_table()], split.number << ROW_BITS
    for batch in rows_of(table, split, [table.text_column]):
        runs = windows.runs_of(batch.column(0), searched.config.substring_bytes, searched.base)
        parts.append(pa.table([runs.anchors, row + runs.texts, runs.starts, runs.windows], schema=SKETCHES))
        row += len(batch)
    rows = pa.concat_tables(parts).combine_chunks()
    buckets = buckets_of(rows["anchor"].to_numpy(), n_buckets)
    return in_buckets(part_file(folder, split), rows, buckets, n_buckets)


def contexts(
    split: Split, searched: Searched, sketched: str, shared: HashTable, ranks: Piece, n_buckets: int, folder: str
) -> int:
    """Writes rows of CONTEXTS, a row group a bucket of anchors, for the runs of the shared anchors; bytes of the
    file. sketched: the split's rows of SKETCHES; ranks: of RANKS, of all of its documents."""
    split, table, length = whole(split), searched.table, searched.config.substring_bytes
    with open_parquet(sketched) as file:
        groups = (file.read_row_group(number, use_threads=False) for number in range(file.num_row_groups))
        hits = [group.filter(pa.array(windows.are_in(group["anchor"].to_numpy(), shared))) for group in groups]
    runs = pa.concat_tables(hits).sort_by([("node", "ascending"), ("start", "ascending")])
    anchors, nodes, starts, sizes = (runs[name].to_numpy() for name in SKETCHES.names)
    known = read_pieces([ranks], RANKS)
    parts, node = [CONTEXTS.empty_table()], split.number << ROW_BITS
    for batch in rows_of(table, split, [table.id_column, table.text_column]):
        begin, end = np.searchsorted(nodes, [node, node + len(batch)])
        if begin < end:
            here = slice(begin, end)
            own = windows.Runs(nodes[here] - node, starts[here], sizes[here], anchors[here])
            places = pc.index_in(batch.column(table.id_column), value_set=known["id"].combine_chunks())
            pages = known["page"].combine_chunks().take(places).to_numpy()[own.texts]
            cells = windows.bytes_of(batch.column(table.text_column), own, length)
            parts.append(pa.table([own.anchors, nodes[here], pages, own.starts, cells], schema=CONTEXTS))
        node += len(batch)
    rows = pa.concat_tables(parts)
    buckets = buckets_of(rows["anchor"].to_numpy(), n_buckets)
    return in_buckets(part_file(folder, split), rows, buckets, n_buckets)


def marks_of(rows: pa.Table, config: DedupConfig, base: int) -> pa.Table:
    """Rows of MARKS. rows: of CONTEXTS, all of those of an anchor."""
    anchors, nodes, pages, starts = (rows[name].to_numpy() for name in CONTEXTS.names[:4])
    cells = rows["bytes"].combine_chunks()
    found = shared_windows.marks_of(anchors, pages, cells, config.substring_bytes, base)
    own, others = pages[found.runs], pages[found.others]
    begun = starts[found.runs]
    columns = [nodes[found.runs], begun + found.firsts, begun + found.ends, others < own, others, found.pages]
    return pa.table([pa.array(column) for column in columns], schema=MARKS)


def finish(
    item: tuple[Split, Sequence[Piece]], searched: Searched, wanted: tuple[str, ...], documents: str, folder: str
) -> Finished:
    """Writes the split's documents with SHARED_BYTES, if they are cut without their spans and with CUT_BYTES, and rows
    of SPANS to the folder. item: the split and its rows of PAGE_MARKS. wanted: ids of documents to be shown."""
    split, table, cuts = whole(item[0]), searched.table, searched.config.cut_substrings
    marks = read_pieces(item[1], PAGE_MARKS).sort_by([("row", "ascending"), ("start", "ascending")]).combine_chunks()
    added = [SHARED_BYTES, *([CUT_BYTES] if cuts else [])]
    own = [field for field in schema_of(table) if field not in added and field.name not in {one.name for one in added}]
    schema, names = pa.schema([*own, *added]), [field.name for field in own]
    rows = marks["row"].to_numpy()
    outcome = Finished(Counter(), Counter(), [], [], [], Counter())
    asked, first, examples = pa.array(wanted, pa.string()), 0, list[Shown]()
    plain = (table.id_column, table.text_column, "cluster_id")
    with (
        RowGroupWriter(part_file(documents, split), schema, plain=plain, most_bytes=BATCH_BYTES) as out,
        RowGroupWriter(part_file(folder, split), SPANS, plain=("id", "other_id")) as told,
    ):
        for batch in rows_of(table, split, names):
            begin, end = np.searchsorted(rows, [first, first + len(batch)])
            here = marks.slice(begin, end - begin)
            found = _spans(batch.column(table.text_column), here, first, searched.config.substring_bytes)
            told.write(_span_rows(found, here, batch.column(table.id_column)))
            first += len(batch)
            batch, shared, lost = _with_bytes(batch, found, table.text_column, cuts, schema)
            numbers = (len(found.texts), np.count_nonzero(shared), shared.sum(), lost.sum())
            outcome.figures.update(dict(zip(FIGURES, map(int, numbers), strict=True)))
            blank = pc.equal(pc.utf8_trim_whitespace(pc.fill_null(batch.column(table.text_column), "")), "")
            emptied = pc.and_(blank, pa.array(lost > 0))
            gone, batch = batch.filter(emptied), batch.filter(pc.invert(emptied))
            out.write(batch)
            outcome.labels.update(labels_of(batch))
            outcome.emptied.update(labels_of(gone))
            few = batch.filter(pc.is_in(batch.column(table.id_column), value_set=asked))
            outcome.shown.extend(example_rows(few, table.id_column, table.text_column))
            ids = gone.column(table.id_column)
            outcome.gone.extend(ids.filter(pc.is_in(ids, value_set=asked)).to_pylist())
            examples += example_rows(gone, table.id_column, table.text_column)
            examples = sorted(examples, key=lambda row: example_order(row["id"]))[:EXAMPLES_A_REASON]
    return outcome._replace(examples=examples)


def _spans(texts: pa.Array, marks: pa.Table, first: int, length: int) -> spans.Spans:
    """marks: those of the texts, the first of which is row `first` of the split."""
    names = ("row", "start", "end", "goes", "other", "pages")
    of, starts, ends, goes, others, pages = (marks[name].to_numpy() for name in names)
    return spans.spans_of(texts, of - first, starts, ends, goes, others, pages, length)


def _span_rows(found: spans.Spans, marks: pa.Table, ids: pa.Array) -> pa.Table:
    others = marks["other_id"].combine_chunks().take(pa.array(found.marks)) if len(found.marks) else []
    columns = [
        ids.take(pa.array(found.texts)), found.starts, found.ends, found.pages, found.kept,
        pa.array(others, pa.string()),
    ]  # fmt: skip
    return pa.table(columns, schema=SPANS)


def _with_bytes(
    batch: pa.RecordBatch, found: spans.Spans, text_column: str, cuts: bool, schema: pa.Schema
) -> tuple[pa.RecordBatch, np.ndarray, np.ndarray]:
    """The rows with the columns of the schema; and how many bytes each shares and has lost."""
    sizes = found.ends - found.starts
    shared, lost = (np.zeros(len(batch), np.int64) for _ in range(2))
    np.add.at(shared, found.texts, sizes)
    columns = [*batch.columns, pa.array(shared)]
    if cuts:
        goes = ~found.kept
        np.add.at(lost, found.texts[goes], sizes[goes])
        columns.append(pa.array(lost))
        if goes.any():
            place = batch.schema.get_field_index(text_column)
            texts = batch.column(place)
            columns[place] = spans.without(texts, found.texts[goes], found.starts[goes], found.ends[goes])
    return pa.RecordBatch.from_arrays(columns, schema=schema), shared, lost
