"""What the mixture has to know of a document, a narrow row each: everything is planned from these, so texts are read
twice only, to measure them and to write them.

Chances are 32 bits of hashes of ids and a seed, so no choice depends on files, partitions or machines.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh3_64_intdigest

from pipeline.lists.url_lists import UrlLists
from pipeline.repeats.host_lines import ADDRESS
from pipeline.store.document_table import DocumentTable, column_or, labels_of, numbers_of, rows_of
from pipeline.store.parquet_files import read_parquet
from pipeline.store.row_groups import RowGroupWriter
from pipeline.store.table_splits import Split, part_file
from schemas.errors import UserError
from tokenizer.fast import open_encoder

Unit = Literal["bytes", "characters", "tokens"]
Encode = Callable[[list[str]], list[list[int]]]

ROWS = pa.schema(
    [
        ("label", pa.dictionary(pa.int32(), pa.string())),  # eng_Latn
        ("bytes", pa.int64()),  # of UTF-8
        ("units", pa.int64()),  # in the unit that the mixture is measured in
        ("keep", pa.uint32()),  # chance: below a language's threshold it is in the mixture
        ("order", pa.uint32()),  # chance: its place in the shards
        ("hold", pa.uint32()),  # chance of its cluster: below a threshold it is held out
        ("alone", pa.bool_()),  # its cluster is called by its own id: no row is a copy of it, or it is the kept one
        ("host", pa.dictionary(pa.int32(), pa.string())),  # of the URL, null without one
        ("listed", pa.bool_()),  # on a genre list
        ("cluster_size", pa.int64()),
        ("score_step", pa.uint8()),  # step of Measure.scores, 0 without a number
    ]
)
LONGEST_LABEL = 100  # bytes; a folder is named by it
READ = ("language", "language_script", "url", "cluster_id", "minhash_cluster_size")

_HOST = ADDRESS.replace("(\\[", "(?P<host>\\[", 1).replace("([^#]*)", "(?:[^#]*)")
_ODD = 0x9E3779B97F4A7C15


class Measured(NamedTuple):
    """What a task answers of its split: documents, bytes and units by label."""

    rows: int
    sizes: dict[str, tuple[int, int, int]]


class Measure(NamedTuple):
    """How documents are measured. tokenizer: a folder, of the unit `tokens`. listed: of the genre lists, or None.
    scores: a column of numbers and the values, ascending, from which on a step holds; "" for none."""

    unit: Unit
    tokenizer: str
    listed: UrlLists | None
    seed: int
    scores: tuple[str, tuple[float, ...]] = ("", ())


def write_rows(split: Split, table: DocumentTable, measure: Measure, folder: str) -> Measured:
    """Writes ROWS of a split's documents, in their order."""
    names = [name for name in (*READ, measure.scores[0]) if name in table.files.schema.names]
    sizes: dict[str, tuple[int, int, int]] = {}
    with RowGroupWriter(part_file(folder, split), ROWS, 1 << 20, compression="lz4") as out:
        for batch in rows_of(table, split, list(dict.fromkeys([table.id_column, table.text_column, *names]))):
            rows = _rows(batch, table, measure, split.path)
            out.write(rows)
            for label, documents, n_bytes, units in _totals(rows):
                before = sizes.get(label, (0, 0, 0))
                sizes[label] = (before[0] + documents, before[1] + n_bytes, before[2] + units)
    return Measured(out.rows, sizes)


def added(measured: Sequence[Measured]) -> dict[str, tuple[int, int, int]]:
    """Documents, bytes and units by label, of all parts."""
    sizes: dict[str, tuple[int, int, int]] = {}
    for part in measured:
        for label, (documents, n_bytes, units) in part.sizes.items():
            before = sizes.get(label, (0, 0, 0))
            sizes[label] = (before[0] + documents, before[1] + n_bytes, before[2] + units)
    return sizes


def _totals(rows: pa.Table) -> Iterator[tuple[str, int, int, int]]:
    plain = rows.select(["label", "bytes", "units"])
    plain = plain.set_column(0, "label", plain["label"].cast(pa.string()))
    totals = plain.group_by("label").aggregate([("bytes", "count"), ("bytes", "sum"), ("units", "sum")])
    names = ("label", "bytes_count", "bytes_sum", "units_sum")
    yield from zip(*(totals[name].to_pylist() for name in names), strict=True)


def _rows(batch: pa.RecordBatch, table: DocumentTable, measure: Measure, path: str) -> pa.Table:
    ids, texts = batch.column(table.id_column), batch.column(table.text_column)
    n_bytes = pc.fill_null(pc.binary_length(texts), 0).cast(pa.int64())
    own = _hashes(ids)
    clusters = batch.column("cluster_id") if "cluster_id" in batch.schema.names else None
    cluster_ids = ids if clusters is None else pc.coalesce(column_or(batch, "cluster_id", None), ids)
    cluster = own if clusters is None else _hashes(cluster_ids)
    urls = column_or(batch, "url", None)
    listed = np.zeros(len(batch), np.bool_)
    if measure.listed is not None:
        listed = np.array([found is not None for found in measure.listed.match(urls)], np.bool_)
    cluster_size = pa.array(np.ones(len(batch), np.int64))
    if "minhash_cluster_size" in batch.schema.names:
        numbers = numbers_of(batch, "minhash_cluster_size", path)
        cluster_size = pc.max_element_wise(pc.fill_null(numbers, 1.0), 1.0).cast(pa.int64(), safe=False)
    labels = pa.array(labels_of(batch), pa.string()).dictionary_encode()
    _check_labels(labels.dictionary)
    cells = [
        labels,
        n_bytes,
        _units(texts, n_bytes, measure),
        pa.array(chances(own, measure.seed, 1)),
        pa.array(chances(own, measure.seed, 2)),
        pa.array(chances(cluster, measure.seed, 3)),
        pc.equal(cluster_ids, ids),
        hosts_of(urls).dictionary_encode(),
        pa.array(listed),
        cluster_size,
        pa.array(_score_steps(batch, measure.scores, path)),
    ]
    return pa.Table.from_arrays(cells, ROWS.names).cast(ROWS)


def _score_steps(batch: pa.RecordBatch, scores: tuple[str, tuple[float, ...]], path: str) -> np.ndarray:
    """uint8: how many of the values a document has come to; 0 too where it has no number."""
    column, values = scores
    if not column:
        return np.zeros(len(batch), np.uint8)
    numbers = numbers_of(batch, column, path).to_numpy(zero_copy_only=False)
    steps = np.searchsorted(np.array(values), numbers, side="right")
    return np.where(np.isnan(numbers), 0, steps).astype(np.uint8)


def _check_labels(labels: pa.Array) -> None:
    for label in labels.to_pylist():
        named = all(part.isalnum() for part in label.split("_", 1)) and "_" in label
        if not named or len(label.encode()) > LONGEST_LABEL:
            raise UserError(f"{label[:80]!r} cannot name a folder of shards: use ISO 639-3 and ISO 15924 codes")


def _units(texts: pa.Array, n_bytes: pa.Array, measure: Measure) -> pa.Array:
    if measure.unit == "bytes":
        return n_bytes
    if measure.unit == "characters":
        return pc.fill_null(pc.utf8_length(texts), 0).cast(pa.int64())
    encoded = _encoder(measure.tokenizer)([text or "" for text in texts.to_pylist()])
    return pa.array([len(ids) for ids in encoded], pa.int64())


@functools.lru_cache(maxsize=1)
def _encoder(folder: str) -> Encode:
    """Once a worker."""
    return open_encoder(Path(folder))


def _hashes(ids: pa.Array) -> np.ndarray:
    cells = ids.cast(pa.binary()).to_pylist()
    return np.fromiter(map(xxh3_64_intdigest, cells), np.uint64, len(cells))


def chances(hashes: np.ndarray, seed: int, salt: int) -> np.ndarray:
    """uint32, even over all; independent between salts. The finaliser is SplitMix64's (Steele, Lea and Flood 2014)."""
    start = np.uint64((seed * 4 + salt) * _ODD & 0xFFFFFFFFFFFFFFFF)
    value = hashes ^ _mixed(np.full(1, start, np.uint64))
    return (_mixed(value) >> np.uint64(32)).astype(np.uint32)


def _mixed(value: np.ndarray) -> np.ndarray:
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def hosts_of(urls: pa.Array) -> pa.Array:
    """The authority in lower case, without user, port, a leading `www.` and dots at the end; null without one."""
    found = pc.struct_field(pc.extract_regex(urls, _HOST), "host")
    plain = pc.utf8_rtrim(pc.utf8_lower(found), ".")
    hosts = pc.replace_substring_regex(plain, r"^www\.([^.]*\.)", r"\1")
    return pc.if_else(pc.equal(hosts, ""), pa.scalar(None, pa.string()), hosts)


def read_rows(paths: Sequence[str]) -> pa.Table:
    """Rows of several files, whose labels and hosts share their dictionaries."""
    return pa.concat_tables(map(read_parquet, paths)).unify_dictionaries().combine_chunks()
