"""dedup of a table of up to a million documents by the processes of one machine: no engine to start, no shuffle.

The tables, their rows and the counts are those of `pipeline.stages.dedup`; a test holds one against the other.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, as_completed
from functools import cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from xxhash import xxh64_intdigest

from pipeline.config import DedupConfig
from pipeline.duplicates import clustering
from pipeline.duplicates.signature_table import signature_rows
from pipeline.duplicates.stored_signatures import StoredSignatures
from pipeline.store import storage, table_splits
from pipeline.workers import processes
from schemas.dedup import CLUSTERS, SIGNATURES
from schemas.errors import UserError
from schemas.records import EXAMPLE_CHARACTERS, EXAMPLES_A_REASON, UNLABELLED, Counts, Example

Progress = Callable[[str, int, int], None]  # of which step, how many documents of how many are done

ADDED = ("cluster_id", "minhash_cluster_size")
BATCH = 10_000


class Given(NamedTuple):
    """The table to work on. kept_only: it has a drop_reason, rows with one do not count, and the column goes."""

    path: str
    table: table_splits.Table
    id_column: str
    text_column: str
    kept_only: bool


class Outcome(NamedTuple):
    rows_in: int
    counts: Counts
    tables: dict[str, int]
    examples: list[Example]


def given(path: str, id_column: str, text_column: str, kept_only: bool, config: DedupConfig) -> Given | None:
    """None for what is the engine's: too large, of other kinds of columns, or to be refused with its message."""
    if config.against or config.scope != "document":
        return None
    table = table_splits.table(path) if storage.exists(path) else None
    if table is None or table.rows > config.one_task_documents:
        return None
    types = {field.name: field.type for field in table.schema}
    if len(types) < len(table.schema) or {id_column, text_column} - types.keys():
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
    return Given(path, table, id_column, text_column, kept_only)


def dedup(
    table: Given, config: DedupConfig, paths: Mapping[str, str], workers: int, progress: Progress
) -> Outcome | None:
    """Writes `signatures`, `clusters` and `documents` to `paths`. None where several rows have one id, which is the
    engine's to solve. UserError for a row without an id."""
    work = table.table.splits
    # Forked before any thread is started here; the kernels are loaded once a process, side by side.
    pool = processes.pool(min(workers, len(work)))
    try:
        signing = {pool.submit(_sign, table, one, config, _part(paths["signatures"], one)): one for one in work}
        rows = _done(signing, "signatures", progress)
        stored = StoredSignatures(paths["signatures"])
        narrow = stored.narrow()
        if narrow["id"].null_count:
            raise UserError(f"{table.path} has rows without {table.id_column!r}: fill them or name another --id-column")
        progress("clusters", 0, rows)
        salt = 0
        if len(np.unique(clustering.node_hashes(narrow["id"].combine_chunks(), salt))) < rows:
            return None
        found = clustering.cluster(
            narrow, stored.shingles, config.threshold, config.verify, config.max_bucket, salt
        ).combine_chunks()
        table_splits.write(
            f"{paths['clusters']}/part-00000.parquet", CLUSTERS, found.to_batches(BATCH), ("id", "cluster_id")
        )
        keeping = {
            pool.submit(_keep, table, one, paths["clusters"], _part(paths["documents"], one)): one for one in work
        }
        kept = _done(keeping, "documents", progress)
        counts = _counts(paths, table)
        chosen = _choose(found, counts)
        showing = [pool.submit(_show, table, one, list(chosen)) for one in work] if chosen else []
        shown = {one["id"]: one for future in showing for one in future.result()}
    finally:
        pool.shutdown(cancel_futures=True)
    examples = [Example(**shown[name], reason=reason) for name, reason in chosen.items()]  # type: ignore[typeddict-item]
    return Outcome(rows, counts, {"signatures": rows, "clusters": len(found), "documents": kept}, examples)


def _part(folder: str, split: table_splits.Split) -> str:
    return f"{folder}/part-{split.number:05d}.parquet"


def _done(work: Mapping["Future[int]", table_splits.Split], step: str, progress: Progress) -> int:
    """The sum of what the tasks answer."""
    total, rows, done = sum(one.rows for one in work.values()), 0, 0
    progress(step, 0, total)
    for future in as_completed(work):
        rows += future.result()
        done += work[future].rows
        progress(step, done, total)
    return rows


def _rows(table: Given, split: table_splits.Split, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The rows that count, id and text as strings, columns under the table's own names."""
    names = [*columns, "drop_reason"] if table.kept_only else columns
    for batch in table_splits.batches(table.path, split, names):
        if table.kept_only:
            batch = batch.filter(pc.is_null(batch.column("drop_reason"))).drop_columns(["drop_reason"])
        if not len(batch):
            continue
        for name in (table.id_column, table.text_column):
            if name in batch.schema.names and not pa.types.is_string(batch.schema.field(name).type):
                at = batch.schema.get_field_index(name)
                batch = batch.set_column(at, name, batch.column(at).cast(pa.string()))
        yield batch


def _sign(table: Given, split: table_splits.Split, config: DedupConfig, path: str) -> int:
    hasher, names = config.hasher(), set(table.table.schema.names)
    optional = [name for name in (config.quality_column, "date", *UNLABELLED) if name in names]

    def signed() -> Iterator[pa.RecordBatch]:
        for batch in _rows(table, split, list(dict.fromkeys([table.id_column, table.text_column, *optional]))):
            yield from signature_rows(_to_sign(batch, table, config.quality_column), hasher, config.min_shingles)

    return table_splits.write(path, SIGNATURES, signed(), ("id", "text_hash", "bands", "shingles", "n_chars"))


def _to_sign(batch: pa.RecordBatch, table: Given, quality_column: str) -> pa.RecordBatch:
    names = set(batch.schema.names)

    def text_of(name: str, missing: str) -> pa.Array:
        return batch.column(name).cast(pa.string()) if name in names else pa.array([missing] * len(batch))

    if quality_column:
        given_quality = batch.column(quality_column).cast(pa.float64(), safe=False)
        unknown = pc.or_kleene(pc.is_null(given_quality), pc.is_nan(given_quality))
        quality = pc.if_else(pc.fill_null(unknown, True), float("-inf"), given_quality)
    else:
        quality = pa.array(np.zeros(len(batch)))
    columns = {
        "id": batch.column(table.id_column),
        "text": pc.fill_null(batch.column(table.text_column), ""),
        "quality": quality,
        "date": pc.fill_null(text_of("date", ""), ""),
        **{name: text_of(name, missing) for name, missing in UNLABELLED.items()},
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


@cache
def _verdicts(clusters: str) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Once a process: ids of all that have a copy, whether they go, how many they are."""
    fs, inside = storage.filesystem(clusters)
    with fs.open(f"{inside}/part-00000.parquet", "rb") as file:
        known = pq.read_table(file, columns=["id", "minhash_cluster_size", "drop_reason"]).combine_chunks()
    columns = (known["id"], pc.is_valid(known["drop_reason"]), known["minhash_cluster_size"])
    ids, goes, sizes = (column.combine_chunks() for column in columns)
    return ids, goes, sizes


def _keep(table: Given, split: table_splits.Split, clusters: str, path: str) -> int:
    """Writes the split's survivors with all their columns."""
    ids, goes, sizes = _verdicts(clusters)
    schema = _kept_schema(table)
    columns = [name for name in schema.names if name not in ADDED]
    here = [batch.column(0) for batch in _rows(table, split, [table.id_column])]
    place = pc.index_in(pa.chunked_array(here, pa.string()), value_set=ids).combine_chunks()  # one lookup, not many

    def survivors() -> Iterator[pa.RecordBatch]:
        begin = 0
        for batch in _rows(table, split, columns):
            at = place.slice(begin, len(batch))
            begin += len(batch)
            stays = pc.invert(pc.fill_null(goes.take(at), False))
            batch, at = batch.filter(stays), at.filter(stays)
            cells = [batch.column(name) for name in columns]
            size = pc.fill_null(sizes.take(at), 1)
            yield pa.RecordBatch.from_arrays([*cells, batch.column(table.id_column), size], schema=schema)

    return table_splits.write(path, schema, survivors(), (table.id_column, table.text_column, "cluster_id"))


def _kept_schema(table: Given) -> pa.Schema:
    """The table's own columns, id and text as strings, then ADDED."""
    strings = (table.id_column, table.text_column)
    left_out = (*ADDED, "drop_reason") if table.kept_only else ADDED
    own = [
        field.with_type(pa.string()) if field.name in strings else field
        for field in table.table.schema
        if field.name not in left_out
    ]
    return pa.schema([*own, pa.field("cluster_id", pa.string()), pa.field("minhash_cluster_size", pa.int64(), False)])


def _counts(paths: Mapping[str, str], table: Given) -> Counts:
    """Rows by language and reason, kept ones as written."""
    counts: Counts = {}
    names = [name for name in UNLABELLED if name in table.table.schema.names]
    for folder, columns in ((paths["documents"], names), (paths["clusters"], [*UNLABELLED, "drop_reason"])):
        fs, inside = storage.filesystem(folder)
        for name in storage.listing(folder):
            with fs.open(f"{inside}/{name}", "rb") as file:
                parquet = pq.ParquetFile(file)
                if not columns:
                    label = "_".join(UNLABELLED.values())
                    counts.setdefault(label, {})
                    counts[label][None] = counts[label].get(None, 0) + parquet.metadata.num_rows
                    continue
                rows = parquet.read(columns)
            labels = zip(*(_filled(rows, name, missing) for name, missing in UNLABELLED.items()), strict=True)
            reasons = rows["drop_reason"].to_pylist() if "drop_reason" in columns else [None] * len(rows)
            for (label, reason), n in Counter(zip(map("_".join, labels), reasons, strict=True)).items():
                if reason is not None or folder == paths["documents"]:
                    of = counts.setdefault(label, {})
                    of[reason] = of.get(reason, 0) + n
    return {label: reasons for label, reasons in counts.items() if any(reasons.values())}


def _filled(rows: pa.Table, name: str, missing: str) -> list[str]:
    if name not in rows.schema.names:
        return [missing] * len(rows)
    filled: list[str] = pc.fill_null(rows[name].cast(pa.string()), missing).to_pylist()
    return filled


def _choose(clusters: pa.Table, counts: Counts) -> dict[str, str | None]:
    """A few ids of each reason (None: kept), the smallest by a hash: the order of `pipeline.spark.tables.examples`."""
    seed = xxh64_intdigest(b"examples", xxh64_intdigest(bytes(4), 42))
    of: dict[str | None, list[tuple[int, str]]] = {}
    for name, reason in zip(clusters["id"].to_pylist(), clusters["drop_reason"].to_pylist(), strict=True):
        of.setdefault(reason, []).append((xxh64_intdigest(name.encode("utf-8", "surrogatepass"), seed) >> 11, name))
    chosen: dict[str, str | None] = {}
    for reason in sorted(of, key=lambda one: (one is not None, one or "")):
        rows = sum(reasons.get(reason, 0) for reasons in counts.values())
        share = min(1.0, 20 * EXAMPLES_A_REASON / max(1, rows))
        few = sorted(one for one in of[reason] if one[0] / (1 << 53) < share)[:EXAMPLES_A_REASON]
        chosen.update((name, reason) for _, name in few)
    return chosen


def _show(table: Given, split: table_splits.Split, wanted: list[str]) -> list[dict[str, str]]:
    """What the report shows of the wanted documents that are in the split."""
    names, found = set(table.table.schema.names), []
    here = (batch.column(0) for batch in _rows(table, split, [table.id_column]))
    if not any(pc.any(pc.is_in(ids, value_set=pa.array(wanted))).as_py() for ids in here):
        return []
    columns = [name for name in ("url", *UNLABELLED) if name in names]
    for batch in _rows(table, split, list(dict.fromkeys([table.id_column, table.text_column, *columns]))):
        for row in batch.filter(pc.is_in(batch.column(table.id_column), value_set=pa.array(wanted))).to_pylist():
            label = [row.get(name, missing) for name, missing in UNLABELLED.items()]
            text = (row[table.text_column] or "")[:EXAMPLE_CHARACTERS]
            found.append(
                {
                    "id": row[table.id_column],
                    "url": row.get("url") or "",
                    "language": "_".join(one for one in label if one is not None),
                    "text": text,
                }
            )
    return found
