"""Documents without the paragraphs that repeat, a file a split, and what was seen of these: in how many documents they
went or stayed, and pages that have them."""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.kernels.compiling import kernel
from pipeline.kernels.hash_table import HashTable, find, hash_table, may_have
from pipeline.repeats import page_lines, paragraph_counts, paragraphs
from pipeline.repeats.paragraph_counts import HERE, LISTED, Pages, pages_of
from pipeline.repeats.paragraphs import Paragraphs, Parted
from pipeline.store import storage
from pipeline.store.document_table import DocumentTable, column_or, rows_of, schema_of
from pipeline.store.parquet_files import read_parquet
from pipeline.store.row_groups import RowGroupWriter
from pipeline.store.table_splits import BATCH_BYTES, Split, SplitTable, part_file, split_table
from schemas.repeats import (
    CUT_PARAGRAPHS,
    EXAMPLE_CHARACTERS,
    EXAMPLES,
    PARAGRAPH_EXAMPLES,
    PARAGRAPHS,
)

SHOWN = pa.schema([("page", pa.int64()), *PARAGRAPH_EXAMPLES])
FOLDERS = ("cut", "seen", "shown")  # of a split's documents, of rows of PARAGRAPHS and of SHOWN
_NUMBERS = PARAGRAPHS.names[1:5]


class Repeated(NamedTuple):
    """Paragraphs that repeat. `rows` of LISTED; `table`: key -> row; `is_cut` bool, `examples` int64 of shape (n,
    EXAMPLES), by row."""

    rows: pa.Table
    table: HashTable
    is_cut: np.ndarray
    examples: np.ndarray


def repeated(rows: pa.Table) -> Repeated:
    """rows: of LISTED."""
    rows = rows.combine_chunks()
    keys, sizes = rows["paragraph"].to_numpy(), pc.list_value_length(rows["examples"]).to_numpy()
    examples = np.zeros((len(rows), EXAMPLES), np.int64)
    place = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    owner = np.repeat(np.arange(len(rows)), sizes)
    flat = pc.list_flatten(rows["examples"]).to_numpy()
    examples[:] = flat[np.cumsum(sizes) - sizes][:, None] if len(rows) else 0  # the first again where there are fewer
    examples[owner, place] = flat
    table = hash_table(keys.view(np.uint64), np.arange(len(rows)))
    return Repeated(rows, table, rows["is_cut"].to_numpy(), examples)


@functools.lru_cache(maxsize=1)
def _repeated_of(files: tuple[str, ...], identity: str) -> Repeated:
    """Once a worker. identity: of the files, so that a worker of an engine knows new ones from old."""
    return repeated(pa.concat_tables([LISTED.empty_table(), *map(read_parquet, files)]))


def count_split(table: DocumentTable, split: Split, min_letters: int) -> pa.Table:
    """Rows of paragraph_counts.HERE."""
    parts, first = [HERE.empty_table()], 0
    columns = [name for name in (table.id_column, "url", table.text_column) if name in table.files.schema.names]
    for batch in rows_of(table, split, list(dict.fromkeys(columns))):
        found = paragraphs.paragraphs_of(batch.column(table.text_column), min_letters)
        here = paragraph_counts.occurrences(found, _pages(batch, table), split.number, first)
        parts.append(pa.Table.from_batches([here]))
        first += len(batch)
    return pa.concat_tables(parts)


def _pages(batch: pa.RecordBatch, table: DocumentTable) -> Pages:
    return pages_of(column_or(batch, "url", ""), batch.column(table.id_column))


def write_here(rows: pa.Table, path: str) -> None:
    """rows: of HERE. Of hashes nothing is said shorter."""
    with RowGroupWriter(path, HERE, 1 << 20, compression="lz4", plain=HERE.names[2:6]) as out:
        out.write(rows)


def cut_split(
    split: Split,
    here: Sequence[str],
    files: tuple[str, ...],
    identity: str,
    table: DocumentTable,
    min_letters: int,
    folder: str,
) -> int:
    """Writes the split's documents without what repeats, with CUT_PARAGRAPHS, and what was seen, to the FOLDERS of the
    folder; how many documents. here: the split's rows of HERE; files: rows of LISTED, all that the split has at least.
    Only documents that have one of these are looked at again."""
    listed = _repeated_of(files, identity)
    rows, first = _rows_with(here, listed), 0
    own = [field for field in schema_of(table) if field.name != CUT_PARAGRAPHS.name]
    names, schema = [field.name for field in own], pa.schema([*own, CUT_PARAGRAPHS])
    plain, place = (table.id_column, table.text_column), {name: storage.join(folder, name) for name in FOLDERS}
    went, stayed = np.zeros((2, len(listed.rows)), np.int64)
    with (
        RowGroupWriter(
            part_file(place["cut"], split), schema, compression="lz4", plain=plain, most_bytes=BATCH_BYTES
        ) as out,
        RowGroupWriter(part_file(place["shown"], split), SHOWN) as shown,
    ):
        for batch in rows_of(table, split, names):
            n_cut = np.zeros(len(batch), np.int32)
            begin, end = np.searchsorted(rows, [first, first + len(batch)])
            at = rows[begin:end] - first
            first += len(batch)
            if len(at):
                some = batch.take(pa.array(at))
                texts = some.column(table.text_column)
                found = paragraphs.paragraphs_of(texts, min_letters)
                parted = paragraphs.part(found, listed.table, listed.is_cut)
                _tally(found, parted, went, stayed)
                shown.write(_shown(some, table, found, parted, listed))
                n_cut[at] = parted.n_cut
                whole = batch.column(table.text_column)
                cut = page_lines.without(texts, found.lines, parted.marks).texts
                batch = batch.set_column(names.index(table.text_column), table.text_column, _replaced(whole, at, cut))
            out.write(pa.RecordBatch.from_arrays([*batch.columns, pa.array(n_cut)], schema=schema))
    some_of = np.flatnonzero(went + stayed)
    seen = listed.rows.select(PARAGRAPHS.names[:5]).take(pa.array(some_of))
    with RowGroupWriter(part_file(place["seen"], split), PARAGRAPHS) as tallies:
        tallies.write(
            pa.Table.from_arrays([*seen.columns, pa.array(went[some_of]), pa.array(stayed[some_of])], schema=PARAGRAPHS)
        )
    return out.rows


def _rows_with(here: Sequence[str], listed: Repeated) -> np.ndarray:
    """Rows of a split that have a paragraph of the list, ascending, int64."""
    rows = pa.concat_tables(read_parquet(path, ["row", "paragraph"]) for path in here)
    known = _known(rows["paragraph"].to_numpy().view(np.uint64), listed.table)
    return np.unique(rows["row"].to_numpy()[known]).astype(np.int64)


@kernel
def _known(keys: np.ndarray, table: HashTable) -> np.ndarray:
    known = np.zeros(len(keys), np.bool_)
    for place in range(len(keys)):
        known[place] = may_have(keys[place], table.seen) and find(keys[place], table) >= 0
    return known


def _replaced(texts: pa.Array, at: np.ndarray, new: pa.Array) -> pa.Array:
    """The texts, with new ones at these places."""
    places = np.arange(len(texts))
    places[at] = len(texts) + np.arange(len(at))
    return pa.concat_arrays([texts, new]).take(pa.array(places))


def _tally(found: Paragraphs, parted: Parted, went: np.ndarray, stayed: np.ndarray) -> None:
    """Adds up by listed paragraph the documents from which it goes, and those in which it stays."""
    some = np.flatnonzero(parted.places >= 0)
    pairs = paragraphs.owners(found, some) * (len(went) + 1) + parted.places[some]
    each, first = np.unique(pairs, return_index=True)
    goes = np.zeros(len(each), np.bool_)
    np.logical_or.at(goes, np.searchsorted(each, pairs), parted.goes[some])
    places = parted.places[some][first]
    np.add.at(went, places[goes], 1)
    np.add.at(stayed, places[~goes], 1)


def _shown(
    batch: pa.RecordBatch, table: DocumentTable, found: Paragraphs, parted: Parted, listed: Repeated
) -> pa.RecordBatch:
    """Rows of SHOWN: listed paragraphs on the pages to take them from, each once a document."""
    some = np.flatnonzero(parted.places >= 0)
    if len(some):
        pages = _pages(batch, table).pages
        wanted = (listed.examples[parted.places[some]] == pages[paragraphs.owners(found, some), None]).any(axis=1)
        some = some[wanted]
        pairs = np.stack([paragraphs.owners(found, some), parted.places[some]])
        some = some[np.sort(np.unique(pairs, axis=1, return_index=True)[1])]
    if not len(some):
        return pa.RecordBatch.from_pylist([], schema=SHOWN)
    own = pa.array(paragraphs.owners(found, some))
    texts = paragraphs.written(batch.column(table.text_column), found, some)
    columns = [
        pa.array(pages).take(own),
        pa.array(found.keys[some]),
        batch.column(table.id_column).take(own),
        pc.fill_null(column_or(batch, "url", ""), "").take(own),
        pc.utf8_slice_codeunits(texts, 0, EXAMPLE_CHARACTERS).cast(pa.string()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SHOWN)


def summed(seen: pa.Table) -> pa.Table:
    """Rows of PARAGRAPHS, one a paragraph, ascending, of those of splits."""
    sums = seen.group_by(["paragraph", *_NUMBERS], use_threads=False).aggregate(
        [("cut_documents", "sum"), ("kept_documents", "sum")]
    )
    sums = sums.select(["paragraph", *_NUMBERS, "cut_documents_sum", "kept_documents_sum"])
    return sums.rename_columns(PARAGRAPHS.names).sort_by("paragraph").cast(PARAGRAPHS)


def one_a_page(shown: pa.Table) -> pa.Table:
    """Rows of PARAGRAPH_EXAMPLES in their order. shown: rows of SHOWN; of the fetches of a page the least id stays."""
    ordered = shown.sort_by([(name, "ascending") for name in ("paragraph", "page", "id", "url", "text")])
    keys, pages = ordered["paragraph"].to_numpy(), ordered["page"].to_numpy()
    new = np.ones(len(ordered), np.bool_)
    new[1:] = (keys[1:] != keys[:-1]) | (pages[1:] != pages[:-1])
    chosen = ordered.filter(pa.array(new)).select(PARAGRAPH_EXAMPLES.names)
    return chosen.sort_by([("paragraph", "ascending"), ("id", "ascending")])


def write_seen(seen: pa.Table, bucket: int, folder: str) -> int:
    """Writes the bucket's file of PARAGRAPHS; its rows. seen: those of splits."""
    with RowGroupWriter(storage.join(folder, bucket_file(bucket)), PARAGRAPHS) as out:
        out.write(summed(seen))
    return out.rows


def write_shown(shown: pa.Table, bucket: int, folder: str) -> int:
    """Writes the bucket's file of PARAGRAPH_EXAMPLES; its rows."""
    with RowGroupWriter(storage.join(folder, bucket_file(bucket)), PARAGRAPH_EXAMPLES) as out:
        out.write(one_a_page(shown))
    return out.rows


def bucket_file(bucket: int) -> str:
    return f"part-{bucket:05d}.parquet"


def cut_table(folder: str, splits: Sequence[Split]) -> SplitTable:
    """Of what `cut_split` wrote of these."""
    place = storage.join(folder, "cut")
    return split_table(place, {path.rpartition("/")[2]: path for path in (part_file(place, one) for one in splits)})
