"""`scope = "substring"` of a small table: its survivors with what they share, by tasks over files. Anchors and windows
meet by buckets of anchors, which are row groups of each split's file; one task ranks the pages."""

import functools
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config import DedupConfig
from pipeline.kernels.hash_table import HashTable
from pipeline.repeats import substring_tasks, windows
from pipeline.repeats.small_lines import step
from pipeline.repeats.substring_tasks import (
    FIGURES,
    MARKS,
    PAGE_MARKS,
    RANKS,
    ROW_BITS,
    SKETCHES,
    Finished,
    Piece,
    Searched,
)
from pipeline.store import storage
from pipeline.store.document_table import DocumentTable
from pipeline.store.examples import Shown, first_examples
from pipeline.store.parquet_files import read_parquet
from pipeline.store.row_groups import RowGroupWriter
from pipeline.store.table_splits import Split, part_file
from pipeline.workers.tasks import TaskRunner
from schemas.records import Counts

SPLITS_A_BUCKET = 16  # windows of so many splits, of some 16 MB each, are compared in one task
ANCHORS = pa.schema([("anchor", pa.int64())])
IDS = pa.schema([("id", pa.string())])
PREFERENCE = [
    ("quality", "descending"), ("n_chars", "descending"), ("unknown", "ascending"), ("date", "ascending"),
    ("id", "ascending"),
]  # fmt: skip


class SharedSpans(NamedTuple):
    """Of a table. labels, emptied: documents that stay and that were emptied, by label. shown: of those asked for the
    ones that stay, and `first_examples` of the emptied ones; gone: ids of the asked ones that do not.
    figures: of FIGURES."""

    labels: Counter[str]
    emptied: Counter[str]
    shown: list[Shown]
    gone: set[str]
    examples: list[str]
    figures: dict[str, int]


def gathered(parts: Sequence[Finished]) -> SharedSpans:
    examples = first_examples(row["id"] for part in parts for row in part.examples)
    return SharedSpans(
        sum((part.labels for part in parts), Counter()),
        sum((part.emptied for part in parts), Counter()),
        [row for part in parts for row in (*part.shown, *part.examples)],
        {name for part in parts for name in part.gone},
        examples,
        {name: sum(part.figures[name] for part in parts) for name in FIGURES},
    )


def recount(counts: Counts, found: SharedSpans) -> None:
    """The kept documents of an account less those that were emptied, who have a reason of their own."""
    for label, number in found.emptied.items():
        counts[label][None] -= number
        counts[label]["substring"] = number


def reexamine(candidates: dict[str | None, list[str]], seen: list[Shown], found: SharedSpans) -> list[Shown]:
    """What is shown of documents, as they are in the end. candidates: ids by reason, None for kept ones; these change
    as well."""
    candidates[None] = [name for name in candidates.get(None, []) if name not in found.gone]
    if found.examples:
        candidates["substring"] = found.examples
    return [*seen, *found.shown]


def survivors_searched(table: DocumentTable, schema: pa.Schema, folder: str, config: DedupConfig) -> Searched:
    """The survivors of a table's splits, in a file each of the folder."""
    splits = [Split(split.number, part_file(folder, split), (), split.rows) for split in table.files.splits]
    files = table.files._replace(folder=folder, schema=schema, splits=splits)
    base = windows.base_of(storage.digest(splits[0].path))  # whoever writes a page does not know what becomes of it
    return Searched(DocumentTable(files, table.id_column, table.text_column, kept_only=False), config, base)


def share(
    searched: Searched, signatures: Sequence[str], wanted: tuple[str, ...], documents: str, folder: str, scratch: str,
    run_tasks: TaskRunner,
) -> SharedSpans:  # fmt: skip
    """Writes the documents, and rows of SPANS to `folder`. signatures: the files of the splits, in their order, which
    have a row for each document and more. wanted: ids of documents to be shown."""
    bare, splits = searched._replace(table=_bare(searched.table)), searched.table.files.splits
    place = {name: storage.join(scratch, name) for name in ("sketches", "anchors", "ranks", "contexts", "marks")}
    n_buckets = 1 + len(splits) // SPLITS_A_BUCKET
    sketching = functools.partial(substring_tasks.sketch, searched=bare, n_buckets=n_buckets, folder=place["sketches"])
    run_tasks(sketching, splits, step("passages", splits))
    sketches = [part_file(place["sketches"], split) for split in splits]
    choosing = functools.partial(_shared_anchors, sketches=sketches, folder=place["anchors"])
    anchors = tuple(run_tasks(choosing, range(n_buckets)))
    (ranks,) = run_tasks(functools.partial(_rank, folder=place["ranks"]), [list(signatures)])
    identity = "".join(map(storage.digest, anchors))
    reading = functools.partial(
        _contexts, searched=bare, sketches=place["sketches"], anchors=anchors, identity=identity, ranks=ranks.by_split,
        n_buckets=n_buckets, folder=place["contexts"],
    )  # fmt: skip
    run_tasks(reading, splits, step("contexts", splits))
    contexts = [part_file(place["contexts"], split) for split in splits]
    marking = functools.partial(
        _mark, contexts=contexts, searched=bare, ids=ranks.ids, n_splits=len(splits), folder=place["marks"]
    )
    marks = run_tasks(marking, range(n_buckets))
    finishing = functools.partial(
        substring_tasks.finish, searched=bare, wanted=wanted, documents=documents, folder=folder
    )
    items = [(split, [Piece(path, split.number) for path in marks]) for split in splits]
    return gathered(run_tasks(finishing, items, step("spans", splits)))


def _bare(table: DocumentTable) -> DocumentTable:
    """What each task needs to know."""
    return table._replace(files=table.files._replace(splits=[]))


def _shared_anchors(bucket: int, sketches: Sequence[str], folder: str) -> str:
    """Writes rows of ANCHORS, those that several pages have; where."""
    pieces = [Piece(path, bucket) for path in sketches]
    rows = substring_tasks.read_pieces(pieces, SKETCHES, ["anchor", "node"])
    path = storage.join(folder, f"{bucket}.parquet")
    with RowGroupWriter(path, ANCHORS, plain=ANCHORS.names) as out:
        out.write(pa.table([several(rows["anchor"].to_numpy(), rows["node"].to_numpy())], schema=ANCHORS))
    return path


def several(anchors: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """The anchors that have several nodes."""
    order = np.argsort(anchors, kind="stable")
    anchors, nodes = anchors[order], nodes[order]
    starts = np.flatnonzero(np.concatenate([[len(anchors) > 0], anchors[1:] != anchors[:-1]]))
    if not len(starts):
        return anchors
    least, most = np.minimum.reduceat(nodes, starts), np.maximum.reduceat(nodes, starts)
    return anchors[starts[least != most]]


class _Ranks(NamedTuple):
    """Paths of rows of RANKS, a row group a split, and of the ids in the order of preference."""

    by_split: str
    ids: str


def _rank(signatures: Sequence[str], folder: str) -> _Ranks:
    names = ["id", "quality", "n_chars", "date"]
    parts = [read_parquet(path, names) for path in signatures]
    pages = pa.concat_tables(parts).combine_chunks()
    pages = pages.append_column("unknown", pc.equal(pages["date"], ""))
    order = pc.sort_indices(pages, PREFERENCE)
    place = np.empty(len(pages), np.int64)
    place[order.to_numpy()] = np.arange(len(pages))
    paths = _Ranks(storage.join(folder, "by_split.parquet"), storage.join(folder, "ids.parquet"))
    first = 0
    with RowGroupWriter(paths.by_split, RANKS, plain=RANKS.names) as out:
        for part in parts:
            here = slice(first, first + len(part))
            out.write_group(pa.table([np.arange(len(part)), part["id"], place[here]], schema=RANKS))
            first += len(part)
    with RowGroupWriter(paths.ids, IDS, plain=IDS.names) as out:
        out.write(pa.table([pages["id"].take(order)], schema=IDS))
    return paths


@functools.lru_cache(maxsize=1)
def _anchors_of(files: tuple[str, ...], identity: str) -> HashTable:
    """Once a worker. identity: of the files, so that a worker of an engine knows new ones from old."""
    return windows.anchor_set(pa.concat_tables(list(map(read_parquet, files)))["anchor"].to_numpy())


def _contexts(
    split: Split,
    searched: Searched,
    sketches: str,
    anchors: tuple[str, ...],
    identity: str,
    ranks: str,
    n_buckets: int,
    folder: str,
) -> None:
    known = _anchors_of(anchors, identity)
    sketched = part_file(sketches, split)
    substring_tasks.contexts(split, searched, sketched, known, Piece(ranks, split.number), n_buckets, folder)


def _mark(bucket: int, contexts: Sequence[str], searched: Searched, ids: str, n_splits: int, folder: str) -> str:
    """Writes rows of PAGE_MARKS, a row group a split; where."""
    rows = substring_tasks.read_pieces([Piece(path, bucket) for path in contexts], substring_tasks.CONTEXTS)
    marks = substring_tasks.marks_of(rows, searched.config, searched.base)
    nodes = marks["node"].to_numpy()
    cells = [pa.array(nodes & ((1 << ROW_BITS) - 1)), *(marks[name] for name in MARKS.names[1:])]
    named = pa.table([*cells, read_parquet(ids)["id"].take(marks["other"])], schema=PAGE_MARKS)
    path = storage.join(folder, f"{bucket}.parquet")
    substring_tasks.in_buckets(path, named, nodes >> ROW_BITS, n_splits)
    return path
