"""From tables to shards in two steps of tasks, as a shuffle does it: each of some pieces of the table is sorted by
shard into one file, and each shard is read from all of them. Memory is that of a piece, and of a shard.

Rows of a shard stand in the order of a hash, whatever the pieces were.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import ipc

from pipeline.mixture import sweeps
from pipeline.mixture.document_rows import read_rows
from pipeline.mixture.planning import REASONS, Plan
from pipeline.store import storage
from pipeline.store.document_table import DocumentTable, column_or, numbers_of, rows_of
from pipeline.store.examples import Shown, example_rows, first_examples
from pipeline.store.row_groups import RowGroupWriter
from pipeline.store.table_splits import Split, part_file
from schemas.records import UNLABELLED
from schemas.sample import SHARD, SPLITS, shard_path

SCORE_STEPS = 1_000_000
PIECE_BYTES = 96 << 20  # of text, about, that a task sorts at a time
SORTED = SHARD.append(pa.field("_order", pa.uint32()))
_OPTIONS = ipc.IpcWriteOptions(compression="lz4")

# Where a table does not say.
_MISSING = {"language_score": 0.0, "minhash_cluster_size": 1, "top_langs": "{}", **UNLABELLED}


class Stratum(NamedTuple):
    """Number of a language, and 0 for train, 1 for held out."""

    language: int
    split: int


class Shard(NamedTuple):
    """number: over all, in the order of strata. part: of those of its stratum. pieces: (file, batch) that have rows of
    it."""

    number: int
    stratum: Stratum
    part: int
    parts: int
    pieces: list[tuple[str, int]]


class Sorted(NamedTuple):
    """What a task answers: its file, the shard of each batch in it, and examples by reason."""

    path: str
    shards: list[int]
    first: dict[str | None, list[Shown]]


class Written(NamedTuple):
    """A shard as it was written. path: below the dataset's folder. scores: sum of language_score in
    SCORE_STEPS, whole numbers, which add up alike in any order. dumps: rows by
    crawl."""

    label: str
    split: str
    path: str
    rows: int
    bytes: int
    characters: int
    scores: int
    dumps: dict[str, int]


def pieces_of(splits: Sequence[Split], rows: int, n_bytes: int) -> list[list[Split]]:
    """Splits in their order, about PIECE_BYTES of text together."""
    rows_a_piece = max(1, PIECE_BYTES * rows // max(1, n_bytes))
    pieces: list[list[Split]] = [[]]
    held = 0
    for split in splits:
        if pieces[-1] and held + split.rows > rows_a_piece:
            pieces.append([])
            held = 0
        pieces[-1].append(split)
        held += split.rows
    return pieces


def shards_of(plan: Plan) -> list[Shard]:
    """All shards, also those that no row falls into."""
    shards: list[Shard] = []
    for stratum, cuts in sorted(plan.cuts.items()):
        for index in range(len(cuts)):
            shards.append(Shard(len(shards), Stratum(*stratum), index, len(cuts), []))
    return shards


def sort_piece(piece: Sequence[Split], table: DocumentTable, plan: Plan, rows: str, folder: str) -> Sorted:
    """Writes the rows of these splits that are kept, sorted by shard, to one file."""
    starts = np.zeros((len(plan.languages), 2), np.int64)
    for shard in shards_of(plan):
        if shard.part == 0:
            starts[shard.stratum] = shard.number
    kept: list[pa.Table] = []
    shards: list[np.ndarray] = []
    seen: dict[str | None, list[Shown]] = {}
    for split_ in piece:
        found = sweeps.documents(read_rows([part_file(rows, split_)]), plan.decisions)
        fates, weights = sweeps.fate(found, plan.decisions), plan.weights(found)
        at = 0
        for batch in rows_of(table, split_, _columns(table)):
            here = slice(at, at + len(batch))
            at += len(batch)
            stays = fates[here] <= sweeps.HELD_OUT
            _note_examples(seen, batch, fates[here], table)
            written = batch.filter(pa.array(stays))
            order = found.column("order")[here][stays]
            kept.append(pa.Table.from_batches([_shard_rows(written, table, split_.path, weights[here][stays], order)]))
            shards.append(_shard_numbers(plan, starts, found.label[here][stays], fates[here][stays], order))
    numbers = np.concatenate(shards) if shards else np.empty(0, np.int64)
    whole = pa.concat_tables(kept) if kept else SORTED.empty_table()
    path = storage.join(folder, f"piece-{piece[0].number:06d}.arrow") if piece else ""
    there = _write_sorted(path, whole, numbers)
    return Sorted(path, there, seen)


def _write_sorted(path: str, whole: pa.Table, numbers: np.ndarray) -> list[int]:
    order = np.argsort(numbers, kind="stable")
    ends = np.flatnonzero(np.diff(numbers[order], append=-1)) + 1 if len(order) else np.empty(0, np.int64)
    there: list[int] = []
    begin = 0
    combined = whole.combine_chunks()
    with storage.whole_file(path) as sink, ipc.new_file(sink, SORTED, options=_OPTIONS) as file:
        for end in ends:
            run = combined.take(pa.array(order[begin:end])).combine_chunks()
            file.write_batch(run.to_batches(max_chunksize=max(1, len(run)))[0])
            there.append(int(numbers[order[begin]]))
            begin = int(end)
    return there


def _shard_numbers(
    plan: Plan, starts: np.ndarray, label: np.ndarray, fates: np.ndarray, order: np.ndarray
) -> np.ndarray:  # fmt: skip
    numbers = np.zeros(len(label), np.int64)
    for language, split in {*zip(label.tolist(), fates.tolist(), strict=True)}:
        its = (label == language) & (fates == split)
        index = np.searchsorted(plan.cuts[language, split], order[its].astype(np.uint64), side="right")
        numbers[its] = starts[language, split] + index
    return numbers


def _columns(table: DocumentTable) -> list[str]:
    wanted = [table.id_column, table.text_column, *SHARD.names]
    return [name for name in dict.fromkeys(wanted) if name in table.files.schema.names]


def _shard_rows(
    batch: pa.RecordBatch, table: DocumentTable, path: str, weights: np.ndarray, order: np.ndarray
) -> pa.RecordBatch:  # fmt: skip
    own = {"id": table.id_column, "text": table.text_column}
    cells: list[pa.Array] = []
    for field in SHARD:
        if field.name == "weight":
            cells.append(pa.array(weights, pa.float32()))
        elif field.name in own:
            cells.append(batch.column(own[field.name]))
        elif field.name not in batch.schema.names:
            missing = _MISSING.get(field.name, "" if pa.types.is_string(field.type) else None)
            cells.append(pa.repeat(pa.scalar(missing, field.type), len(batch)))
        elif pa.types.is_string(field.type):
            values = column_or(batch, field.name, None)
            cells.append(pc.fill_null(values, UNLABELLED[field.name]) if field.name in UNLABELLED else values)
        else:
            cells.append(numbers_of(batch, field.name, path).cast(field.type, safe=False))
    return pa.RecordBatch.from_arrays([*cells, pa.array(order, pa.uint32())], schema=SORTED)


def _note_examples(
    seen: dict[str | None, list[Shown]], batch: pa.RecordBatch, fates: np.ndarray, table: DocumentTable
) -> None:  # fmt: skip
    """Keeps the few of each reason that come first in the order of examples."""
    for code in np.unique(fates).tolist():
        reason = REASONS.get(code)
        ids = batch.column(table.id_column).filter(pa.array(fates == code))
        before = [row["id"] for row in seen.get(reason, [])]
        chosen = first_examples([*before, *_lowest(ids)])
        new = [name for name in chosen if name not in before]
        if new:
            rows = batch.filter(pc.is_in(batch.column(table.id_column), value_set=pa.array(new, pa.string())))
            known = {
                row["id"]: row
                for row in [*seen.get(reason, []), *example_rows(rows, table.id_column, table.text_column)]
            }
            seen[reason] = [known[name] for name in chosen]


def _lowest(ids: pa.Array) -> list[str]:
    return first_examples(ids.to_pylist())


def with_pieces(shards: Sequence[Shard], answers: Sequence[Sorted]) -> list[Shard]:
    pieces: dict[int, list[tuple[str, int]]] = {}
    for answer in answers:
        for batch, number in enumerate(answer.shards):
            pieces.setdefault(number, []).append((answer.path, batch))
    return [shard._replace(pieces=pieces.get(shard.number, [])) for shard in shards]


def write_shard(shard: Shard, labels: Sequence[str], row_group_rows: int, folder: str) -> Written:
    """One file of row groups of exactly so many rows, in the order of their hash."""
    language, script = labels[shard.stratum.language].split("_", 1)
    path = shard_path(language, script, SPLITS[shard.stratum.split], shard.part, shard.parts)
    rows = pa.Table.from_batches(list(_batches(shard.pieces)), SORTED)
    order = pc.sort_indices(rows, [("_order", "ascending"), ("id", "ascending"), ("text", "ascending")])
    n_bytes, characters = (pc.sum(length(rows["text"])).as_py() or 0 for length in (pc.binary_length, pc.utf8_length))
    rows = rows.drop_columns(["_order"]).combine_chunks()
    out = RowGroupWriter(
        storage.join(folder, path), SHARD, row_group_rows, plain=("text", "id", "url"), page_index=True
    )
    with out as shard_file:
        for begin in range(0, len(order), row_group_rows):
            shard_file.write(rows.take(order.slice(begin, row_group_rows)))
    scores = pc.sum(pc.round(pc.multiply(rows["language_score"], SCORE_STEPS)).cast(pa.int64())).as_py() or 0
    dumps = {entry["values"] or "": entry["counts"] for entry in pc.value_counts(rows["dump"]).to_pylist()}
    return Written(
        f"{language}_{script}", SPLITS[shard.stratum.split], path, len(rows), n_bytes, characters, scores, dumps
    )


def _batches(pieces: Sequence[tuple[str, int]]) -> Iterator[pa.RecordBatch]:
    for path, number in pieces:
        with storage.read_file(path) as source, ipc.open_file(source) as file:
            yield file.get_batch(number)
