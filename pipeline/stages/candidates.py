"""Pairs of texts that share an LSH band, and how alike the two of a pair really are."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipeline.config import DedupConfig
from pipeline.duplicates import buckets
from pipeline.duplicates.clustering import text_hashes
from pipeline.duplicates.similarity import similarities as similarities_of
from pipeline.stages.signed import READ_ROWS, ROW_BITS, TASK_BYTES, SignatureFile, by_file, mapped, with_shingles
from pipeline.store import storage
from pipeline.store.parquet_files import batches_of, read_parquet

Parts = tuple[np.ndarray, np.ndarray]
BLOCK_ROWS = 1 << 12  # of texts, whose entries are sorted at once by the task that they go to
PAIR_BYTES = 2 << 10  # of shingles, about


def sampled_buckets(files: Sequence[SignatureFile]) -> tuple[np.ndarray, np.ndarray]:
    """Of the sampled texts that have bands, each once: names, uint64, and buckets of all bands, int64 (n, bands)."""
    names, found = [np.empty(0, np.uint64)], []
    for file in files:
        for batch in batches_of(file.path, READ_ROWS, ["text_hash", "bands"]):
            name, bands, rows = _bands_of(batch)
            chosen = np.flatnonzero(buckets.is_sampled(name[rows]))
            if len(chosen):
                names.append(name[rows[chosen]])
                found.append(bands[chosen])
    every, once = np.unique(np.concatenate(names), return_index=True)
    return every, np.concatenate(found)[once] if found else np.empty((0, 0), np.int64)


def hot_buckets(samples: Sequence[tuple[np.ndarray, np.ndarray]]) -> Parts:
    """`buckets.hot` of what all files' samples say."""
    some = [(names, found) for names, found in samples if len(names)]
    if not some:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    _, once = np.unique(np.concatenate([names for names, _ in some]), return_index=True)
    return buckets.hot(np.concatenate([found for _, found in some])[once].ravel())


def _bands_of(batch: pa.RecordBatch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Names of all rows, 0 where there is none; the bands of those that have some, and which these are."""
    cells = batch.column("text_hash").fill_null(bytes(16))
    names = text_hashes(pa.chunked_array([cells]))[:, 0].copy()
    lists = batch.column("bands")
    places = lists.offsets.to_numpy()
    counts = np.diff(places)
    rows = np.flatnonzero(counts)
    n_bands = int(counts.max(initial=0))
    values = lists.values.to_numpy()[places[0] : places[-1]]
    return names, values.reshape(len(rows), n_bands) if len(rows) else np.empty((0, 0), np.int64), rows


def candidates(
    spark: SparkSession,
    files: Sequence[SignatureFile],
    left_out: tuple[str, frozenset[int]],
    parts: Parts,
    config: DedupConfig,
) -> DataFrame:
    """Distinct pairs `a` < `b` of nodes that share a band, linear in the size of any bucket.

    left_out: a folder with rows of these files that have the text of another one or are `earlier`, see `dedup.FOLDED`.
    parts: from `hot_buckets`. Pairs of two earlier texts are left out, and pairs whose sizes say that they are unlike.
    """
    max_bucket, least = config.max_bucket, config.threshold if config.verify == "jaccard" else 0.0
    folder, numbers = left_out
    rows, new_age = sum(file.rows for file in files), max(file.age for file in files)
    entry_bytes = rows * config.shape()[0] * buckets.PACKED.itemsize
    n_parts = max(spark.sparkContext.defaultParallelism, entry_bytes // TASK_BYTES)

    def emit(number: int, file: SignatureFile) -> Iterator[pa.RecordBatch]:
        is_rep, earlier = np.ones(file.rows, np.bool_), np.full(file.rows, file.age < new_age)
        if number in numbers:
            said = read_parquet(storage.join(folder, f"{number}.parquet"))
            places = said["row"].to_numpy()
            is_rep[places] = said["is_rep"].to_numpy()
            earlier[places] = said["earlier"].to_numpy()
        first = 0
        for batch in batches_of(file.path, BLOCK_ROWS, ["text_hash", "bands", "n_shingles"]):
            names, bands, here = _bands_of(batch)
            chosen = np.flatnonzero(is_rep[first + here])
            here, bands = here[chosen], bands[chosen]
            sizes = batch.column("n_shingles").to_numpy()[here]
            if len(here):
                entries = np.empty((bands.shape[1], len(here)), buckets.PACKED)
                for band in range(bands.shape[1]):
                    one = entries[band]
                    one["bucket"] = buckets.cut(band, bands[:, band], names[here], parts)
                    one["order"] = bands[:, (band + 1) % bands.shape[1]]
                    one["name"], one["size"], one["earlier"] = names[here], sizes, earlier[first + here]
                    one["node"] = (number << ROW_BITS) + first + here
                yield _blocks(entries.ravel(), n_parts)
            first += len(batch)

    def pair(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        blocks = [
            np.frombuffer(cell.as_buffer(), buckets.PACKED) for batch in batches for cell in batch.column("block")
        ]
        if not blocks:
            return
        every = np.concatenate(blocks)
        del blocks
        entries = buckets.in_buckets(
            *(np.ascontiguousarray(every[name]) for name in ("bucket", "order", "name", "node", "size", "earlier"))
        )
        del every
        for found in buckets.pairs([entries], max_bucket, least):
            yield pa.RecordBatch.from_arrays([pa.array(found[:, 0]), pa.array(found[:, 1])], ["a", "b"])

    blocks = mapped(spark, files, 0, emit, pa.schema([("part", pa.int32()), ("block", pa.binary())]))
    return blocks.repartitionById(n_parts, F.col("part")).mapInArrow(pair, "a long, b long").distinct()


def _blocks(entries: np.ndarray, n_parts: int) -> pa.RecordBatch:
    """A row for each part that has some of the entries: its number, and these."""
    part = (entries["bucket"].view(np.uint64) >> np.uint64(8)) % np.uint64(n_parts)
    order = np.argsort(part, kind="stable")
    ends = np.cumsum(np.bincount(part.astype(np.int64), minlength=n_parts))
    places = np.concatenate([[0], ends]) * entries.itemsize
    cells = pa.Array.from_buffers(
        pa.binary(), n_parts, [None, pa.py_buffer(places.astype(np.int32)), pa.py_buffer(entries[order])]
    )
    some = pa.array(np.flatnonzero(np.diff(places)))
    return pa.RecordBatch.from_arrays([some.cast(pa.int32()), cells.take(some)], ["part", "block"])


def similarities(pairs: DataFrame, n_pairs: int, files: Sequence[SignatureFile], measure: str) -> DataFrame:
    """`a`, `b` and `similarity` of pairs of nodes. Shingles are read from their files, by tasks that have the pairs of
    a file each; those of the first of a pair go to the task that has the second's."""
    paths = [file.path for file in files]
    tasks = max(pairs.sparkSession.sparkContext.defaultParallelism, n_pairs * PAIR_BYTES // TASK_BYTES)

    def attach(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for piece, first in with_shingles(batch, "a", paths):
                yield pa.RecordBatch.from_arrays([*piece.columns, first], ["a", "b", "first"])

    def compare(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for piece, second in with_shingles(batch, "b", paths):
                shares = similarities_of(piece.column("first"), second, measure)
                yield pa.RecordBatch.from_arrays([*piece.columns[:2], pa.array(shares)], ["a", "b", "similarity"])

    attached = by_file(pairs.select("a", "b"), "a", tasks).mapInArrow(attach, "a long, b long, first binary")
    return by_file(attached, "b", tasks).mapInArrow(compare, "a long, b long, similarity double")
