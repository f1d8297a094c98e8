"""The documents that a vocabulary learns from: a sample of each language, first by documents' hash, in whole documents.

Shards stand in the order of a hash, so the first rows of a language are a sample of it and no others are read. Of any
other table the sizes of its documents are measured first, and those below a threshold on their hash are taken.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from xxhash import xxh3_64_intdigest

from pipeline.mixture.allotment import Phase, allot
from pipeline.mixture.document_rows import chances, read_rows
from pipeline.mixture.shares import shares
from pipeline.mixture.sums import BINS, bin_of, merged, summed, unit
from pipeline.store import storage
from pipeline.store.document_table import DocumentTable, rows_of
from pipeline.store.parquet_files import damage_named
from pipeline.store.row_groups import RowGroupWriter
from pipeline.store.table_splits import Split, part_file
from tokenizer.sentences import sentences_of

HELD_OUT_TEXTS = 50  # a language, to measure the vocabulary on
ORDER_SALT = 5
MOST_AMISS = 0.2  # of a sample
CHARACTERS_A_PIECE = 100  # of a sample at least, where there are so many
_BATCH_ROWS = 64  # of shards: no more is decoded than is needed

DRAWN = pa.schema(
    [("order", pa.uint32()), ("id", pa.string()), ("sentences", pa.list_(pa.string())), ("bytes", pa.int64())]
)


class Drawn(NamedTuple):
    """What a task drew. documents: by label. read: bytes of text that it decoded. held_out: (order, id, text) of
    documents that nothing is learnt from, by label, the first in order."""

    documents: dict[str, int]
    read: int
    held_out: dict[str, list[tuple[int, str, str]]]


def wanted_bytes(
    sizes: Mapping[str, tuple[int, int]], sample_characters: int, temperature: float, least: int = 0
) -> dict[str, float]:
    """Bytes of documents to draw of each language, no document twice. sizes: characters and bytes that there are.
    least: characters, where there are so many, however they are shared.

    Shares are of characters: a language whose letters take three bytes needs as many words as another.
    """
    there = {label: float(characters) for label, (characters, _) in sizes.items() if characters}
    if not there:
        return {}
    phase = Phase(1.0, shares(there, "temperature", temperature))
    whole = min(float(max(least, whole_sample(there, phase.shares))), sum(there.values()))
    budget = min(float(sample_characters), whole)
    (epochs,) = allot(there, dict.fromkeys(there, 1.0), [phase], budget)
    return {label: seen * sizes[label][1] for label, seen in epochs.items()}


def whole_sample(sizes: Mapping[str, float], wanted: Mapping[str, float]) -> float:
    """The largest sample, no document twice, of which at most a fifth (MOST_AMISS) is of other languages than wanted.

    A sample of all there is would be shared as found, whatever the temperature.
    """
    phase, caps, everything = Phase(1.0, wanted), dict.fromkeys(sizes, 1.0), sum(sizes.values())

    def amiss(budget: float) -> float:
        (epochs,) = allot(sizes, caps, [phase], budget)
        return sum(abs(epochs[label] * size / budget - wanted[label]) for label, size in sizes.items()) / 2

    low, high = 0.0, everything
    if amiss(everything) <= MOST_AMISS:
        return everything
    while high - low > everything * 1e-6:
        middle = (low + high) / 2
        low, high = (middle, high) if amiss(middle) <= MOST_AMISS else (low, middle)
    return low


class LanguageShards(NamedTuple):
    """A language's shards, in their order; wanted: bytes of documents."""

    label: str
    train: list[str]
    validation: list[str]
    wanted: float


def draw_from_shards(language: LanguageShards, seed: int, folder: str) -> Drawn:
    """The first documents of the training shards, until their bytes come nearest to what is wanted; one at least."""
    drawn = read = rows = 0
    held: list[tuple[int, str, str]] = []
    with RowGroupWriter(drawn_file(folder, language.label), DRAWN, plain=("id", "sentences")) as out:
        for batch in _shard_rows(language.train):
            sizes = pc.fill_null(pc.binary_length(batch.column("text")), 0).to_numpy(zero_copy_only=False)
            ends = drawn + np.cumsum(sizes, dtype=np.int64)
            taken = max(int(np.searchsorted(ends - sizes / 2, language.wanted, side="left")), 0 if rows else 1)
            out.write(_with_sentences(batch.slice(0, taken), seed))
            drawn, read, rows = (int(ends[taken - 1]) if taken else drawn), read + int(sizes.sum()), rows + taken
            if taken < len(batch):
                if not language.validation:
                    held = _held_out(batch.slice(taken), seed)
                break
    for batch in _shard_rows(language.validation):
        held += _held_out(batch, seed)
        if len(held) >= HELD_OUT_TEXTS:
            break
    return Drawn({language.label: rows}, read, {language.label: held[:HELD_OUT_TEXTS]})


def _shard_rows(paths: Sequence[str]) -> Iterator[pa.RecordBatch]:
    for path in paths:
        with damage_named(path), storage.read_file(path) as opened:
            yield from pq.ParquetFile(opened).iter_batches(_BATCH_ROWS, columns=["id", "text"], use_threads=False)


def thresholds(rows: Sequence[str], labels: Sequence[str], wanted: Mapping[str, float]) -> dict[str, int]:
    """Of each language the bin of its documents' chance below which they are drawn. rows: files of narrow rows."""
    parts = []
    for path in rows:
        table = read_rows([path])
        parts.append(summed(_codes(table, labels) * BINS + _bins(table), table["bytes"].to_numpy()))
    sums, below = merged(parts), {}
    for number, label in enumerate(labels):
        here = sums.of(number * BINS, (number + 1) * BINS)
        ends = np.cumsum(here.values[:, 0])
        taken = max(1, int(np.searchsorted(ends - here.values[:, 0] / 2, wanted.get(label, 0.0), side="left")))
        below[label] = int(here.keys[taken]) if taken < len(here.keys) else BINS
    return below


def _codes(table: pa.Table, labels: Sequence[str]) -> np.ndarray:
    return pc.index_in(table["label"].cast(pa.string()), value_set=pa.array(labels)).to_numpy().astype(np.int64)


def _bins(table: pa.Table) -> np.ndarray:
    return bin_of(unit(table["keep"].to_numpy()))


def draw_from_split(
    split: Split, table: DocumentTable, rows: str, below: Mapping[str, int], seed: int, folder: str
) -> Drawn:
    """The documents of a split below their language's threshold; of those above it, some to measure on."""
    narrow = read_rows([part_file(rows, split)])
    labels = sorted(below)
    limits = np.array([below[label] for label in labels], np.int64)
    codes = _codes(narrow, labels)
    is_drawn = _bins(narrow) < limits[codes]
    at = read = 0
    documents: dict[str, int] = {}
    held: dict[str, list[tuple[int, str, str]]] = {}
    with RowGroupWriter(part_file(folder, split), DRAWN, plain=("id", "sentences")) as out:
        for batch in rows_of(table, split, list(dict.fromkeys([table.id_column, table.text_column]))):
            here = slice(at, at + len(batch))
            at += len(batch)
            read += pc.sum(pc.binary_length(batch.column(table.text_column))).as_py() or 0
            plain = pa.RecordBatch.from_arrays(
                [batch.column(table.id_column), batch.column(table.text_column)], ["id", "text"]
            )
            out.write(_with_sentences(plain.filter(pa.array(is_drawn[here])), seed))
            for code in np.unique(codes[here]).tolist():
                its = codes[here] == code
                label = labels[code]
                documents[label] = documents.get(label, 0) + int((its & is_drawn[here]).sum())
                others = _held_out(plain.filter(pa.array(its & ~is_drawn[here])), seed)
                held[label] = sorted([*held.get(label, []), *others])[:HELD_OUT_TEXTS]
    return Drawn(documents, read, held)


def _held_out(batch: pa.RecordBatch, seed: int) -> list[tuple[int, str, str]]:
    ids, texts = (batch.column(name).to_pylist() for name in ("id", "text"))
    order = _order(batch, seed).tolist()
    return sorted((place, id_, text) for place, id_, text in zip(order, ids, texts, strict=True) if text)[
        :HELD_OUT_TEXTS
    ]


def _order(batch: pa.RecordBatch, seed: int) -> np.ndarray:
    cells = batch.column("id").cast(pa.binary()).to_pylist()
    return chances(np.fromiter(map(xxh3_64_intdigest, cells), np.uint64, len(cells)), seed, ORDER_SALT)


def _with_sentences(batch: pa.RecordBatch, seed: int) -> pa.RecordBatch:
    texts = [text or "" for text in batch.column("text").to_pylist()]
    sentences = pa.array(map(sentences_of, texts), pa.list_(pa.string()))
    sizes = pa.array([len(text.encode("utf-8", "replace")) for text in texts], pa.int64())
    return pa.RecordBatch.from_arrays(
        [pa.array(_order(batch, seed)), batch.column("id"), sentences, sizes], schema=DRAWN
    )


def drawn_file(folder: str, label: str) -> str:
    """Where `draw_from_shards` puts a language's documents."""
    return storage.join(folder, f"{label}.parquet")


def in_order(files: Sequence[str]) -> pa.Table:
    """DRAWN of all files, in the order of the documents' hash: what is learnt depends on the order."""
    tables = []
    for path in files:
        with storage.read_file(path) as opened:
            tables.append(pq.ParquetFile(opened).read(use_threads=False))
    whole = pa.concat_tables([DRAWN.empty_table(), *tables])
    return whole.take(pc.sort_indices(whole, [("order", "ascending"), ("id", "ascending")]))
