"""vocab: the sentences that the shared vocabulary is learnt from, by tasks: a sample of the documents by their hash,
weighted by temperature, in a fixed order; and texts that nothing is learnt from, to measure it on.
"""

import functools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa

from pipeline.config import VocabConfig
from pipeline.mixture import drawing
from pipeline.mixture.document_rows import Measure, added, write_rows
from pipeline.mixture.drawing import Drawn, LanguageShards
from pipeline.mixture.manifest import read_manifest
from pipeline.mixture.planning import row_files
from pipeline.store import storage
from pipeline.store.document_table import DocumentTable
from pipeline.store.generations import Generation
from pipeline.store.table_splits import part_file
from pipeline.workers.tasks import Step, TaskRunner
from schemas.errors import UserError
from schemas.records import Counts
from schemas.sample import SPLITS

VERSION = 2

_NO_TEXT = "no text to learn a vocabulary from: the table holds none"


class Sample(NamedTuple):
    """documents: rows of drawing.DRAWN, in order. counts: of all documents, None for drawn ones. read, kept: bytes of
    text decoded to draw, and drawn. held_out: texts by label, as many as there are up to 50."""

    documents: pa.Table
    counts: Counts
    read: int
    kept: int
    held_out: dict[str, list[str]]


def sample_shards(shards: Generation, config: VocabConfig, scratch: str, run_tasks: TaskRunner) -> Sample:
    """From the shards of stage sample, of which only what is kept is read."""
    languages = read_manifest(shards.place)["languages"]
    sizes = {label: (entry["characters"], entry["bytes"]) for label, entry in languages.items()}
    wanted = drawing.wanted_bytes(sizes, config.sample_characters, config.temperature, _least(config))
    if not wanted:
        raise UserError(_NO_TEXT)
    files: dict[tuple[str, str], list[str]] = {}
    for name, path in shards.files("data").items():
        label, _, file = name.partition("/")
        files.setdefault((label, file.partition("-")[0]), []).append(path)
    items = [
        LanguageShards(label, files.get((label, SPLITS[0]), []), files.get((label, SPLITS[1]), []), wanted[label])
        for label in sorted(wanted)
    ]
    drawing_ = functools.partial(drawing.draw_from_shards, seed=config.seed, folder=scratch)
    step = Step("vocab: drawn", [int(item.wanted) for item in items], "bytes")
    drawn = run_tasks(drawing_, items, step)
    files_drawn = [drawing.drawn_file(scratch, item.label) for item in items]
    return _sample(drawn, {label: entry["documents"] for label, entry in languages.items()}, files_drawn)


def sample_table(table: DocumentTable, config: VocabConfig, scratch: str, run_tasks: TaskRunner) -> Sample:
    """From any table: its texts are read twice, to be measured and to be drawn from."""
    rows, splits = storage.join(scratch, "rows"), table.files.splits
    sizes = [split.rows for split in splits]
    measuring = functools.partial(
        write_rows, table=table, measure=Measure("characters", "", None, config.seed), folder=rows
    )
    measured = run_tasks(measuring, splits, Step("vocab: measured", sizes, "documents"))
    there = added(measured)
    sizes_of = {label: (characters, n_bytes) for label, (_, n_bytes, characters) in there.items()}
    wanted = drawing.wanted_bytes(sizes_of, config.sample_characters, config.temperature, _least(config))
    if not wanted:
        raise UserError(_NO_TEXT)
    below = drawing.thresholds(row_files(rows, splits), sorted(there), wanted)
    folder = storage.join(scratch, "drawn")
    drawing_ = functools.partial(
        drawing.draw_from_split, table=table, rows=rows, below=below, seed=config.seed, folder=folder
    )
    drawn = run_tasks(drawing_, splits, Step("vocab: drawn", sizes, "documents"))
    files_drawn = [part_file(folder, split) for split in splits]
    return _sample(drawn, {label: documents for label, (documents, _, _) in there.items()}, files_drawn)


def _least(config: VocabConfig) -> int:
    return drawing.CHARACTERS_A_PIECE * config.vocab_size


def _sample(drawn: Sequence[Drawn], there: dict[str, int], files: Sequence[str]) -> Sample:
    documents = drawing.in_order(files)
    counts: Counts = {}
    held: dict[str, list[tuple[int, str, str]]] = {}
    for label, number in sorted(there.items()):
        taken = sum(part.documents.get(label, 0) for part in drawn)
        counts[label] = {None: taken, **({"not_sampled": number - taken} if number > taken else {})}
    for part in drawn:
        for label, texts in part.held_out.items():
            held.setdefault(label, []).extend(texts)
    texts_of = {
        label: [text for _, _, text in sorted(held[label])[: drawing.HELD_OUT_TEXTS]]
        for label in sorted(held)
        if held[label]
    }
    kept = sum(documents["bytes"].to_pylist())
    return Sample(documents, counts, sum(part.read for part in drawn), kept, texts_of)


def sentences(sample: Sample) -> Iterator[str]:
    """All sentences of the drawn documents, a few thousand as strings at a time."""
    for batch in sample.documents.select(["sentences"]).to_batches(max_chunksize=1024):
        for of_one in batch.column(0).to_pylist():
            yield from of_one
