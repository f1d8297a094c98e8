"""How many pages, documents and texts the whole has, by what the sample's archives have."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config import Config
from pipeline.estimates.richness import Richness, alone, richness
from pipeline.mixture.drawing import CHARACTERS_A_PIECE, wanted_bytes
from pipeline.mixture.phases import epochs_of
from pipeline.store import generations, storage
from pipeline.store.parquet_files import read_parquet
from schemas.errors import UserError


class Piece(NamedTuple):
    """An archive of the sample, or a part of one: bytes as stored, pages that gave a document and that gave none, what
    clean kept."""

    size: int
    documents: int
    skipped: int
    kept: int


class Language(NamedTuple):
    """Of the texts that dedup kept."""

    characters: int
    bytes: int
    documents: int


class Sample(NamedTuple):
    """texts: of each text that dedup kept, the pieces that have a copy."""

    pieces: Sequence[Piece]
    texts: Sequence[frozenset[int]]
    languages: Mapping[str, Language]


class Counts(NamedTuple):
    """Of the whole, or of a sample."""

    archives: float
    bytes: float
    documents: float
    skipped: float
    kept: float  # by clean
    texts: float  # kept by dedup
    copied: float  # documents that have a copy
    written: float  # by sample
    drawn: float  # bytes that vocab learns from


def sample_of(root: str, sizes: Mapping[str, int]) -> Sample:
    """Of a finished root. sizes: file_path -> bytes of each archive in it."""
    numbers = {name: number for number, name in enumerate(sizes)}
    documents, skipped, kept = ([0] * len(numbers) for _ in range(3))
    piece_of: dict[str, int] = {}
    for table, counts in (("documents", documents), ("skipped", skipped)):
        for path in generations.files(storage.join(root, "extract"), table).values():
            for entry in pc.value_counts(_column(read_parquet(path, ["file_path"]))).to_pylist():
                counts[numbers[entry["values"]]] += entry["counts"]
    for path in generations.files(storage.join(root, "clean"), "documents").values():
        rows = read_parquet(path, ["id", "file_path", "drop_reason"])
        rows = rows.filter(pc.is_null(rows["drop_reason"]))
        for name, archive in zip(rows["id"].to_pylist(), rows["file_path"].to_pylist(), strict=True):
            piece_of[name] = numbers[archive]
            kept[numbers[archive]] += 1
    having = {name: {number} for name, number in piece_of.items()}
    for path in generations.files(storage.join(root, "dedup"), "clusters").values():
        rows = read_parquet(path, ["id", "kept_id", "drop_reason"])
        for name, copy, gone in zip(*(rows[column].to_pylist() for column in rows.column_names), strict=True):
            if gone is not None:
                if copy != name and copy in having:
                    having[copy].add(piece_of[name])
                having.pop(name, None)
    pieces = [Piece(*row) for row in zip(sizes.values(), documents, skipped, kept, strict=True)]
    return Sample(pieces, [frozenset(archives) for archives in having.values()], languages_of(root))


def languages_of(root: str) -> dict[str, Language]:
    """In the shards."""
    found = generations.required(storage.join(root, "sample")).read_json("mixture.json")["languages"]
    return {
        label: Language(one["characters"], one["bytes"], one["documents"] + one["validation_documents"])
        for label, one in found.items()
    }


def _column(table: pa.Table) -> pa.Array:
    return table.column(0).combine_chunks().cast(pa.string())


def counted(
    pieces: Sequence[Piece], texts: float, archives: float, size: float, sample: Sample, config: Config
) -> Counts:
    """Of `archives` archives of `size` bytes together, with as many pages a byte as these pieces have, and `texts`
    texts that differ."""
    scale = size / max(1, sum(piece.size for piece in pieces))
    documents, skipped, kept = (scale * sum(piece[place] for piece in pieces) for place in range(1, 4))
    texts = min(texts, kept)
    growth = texts / max(1, len(sample.texts))
    written = texts * written_share(sample, growth, config)
    drawn = drawn_bytes(sample.languages, growth, config)
    return Counts(archives, size, documents, skipped, kept, texts, max(0.0, kept - alone(texts, kept)), written, drawn)


def drawn_bytes(languages: Mapping[str, Language], growth: float, config: Config) -> float:
    """What vocab learns from, where there is so many times as much of each language."""
    sizes = {label: (round(one.characters * growth), round(one.bytes * growth)) for label, one in languages.items()}
    settings = config.vocab
    least = CHARACTERS_A_PIECE * settings.vocab_size
    return sum(wanted_bytes(sizes, settings.sample_characters, settings.temperature, least).values())


def written_share(sample: Sample, growth: float, config: Config) -> float:
    """Of the texts, how many the mixture writes: of a language that a budget shows less than once only so many, and of
    one with fewer than `min_documents` none."""
    settings = config.sample
    there = {label: one for label, one in sample.languages.items() if one.documents * growth >= settings.min_documents}
    total = sum(one.documents for one in sample.languages.values())
    if not there or not total:
        return 0.0
    labels = sorted(there)
    if settings.unit == "tokens" and settings.budget is not None:
        units = {label: there[label].characters / CHARACTERS_A_TOKEN for label in labels}
    else:
        units = {label: float(there[label][1 if settings.unit == "bytes" else 0]) for label in labels}
    if settings.budget is None:
        return sum(one.documents for one in there.values()) / total
    sizes = {number: units[label] * growth for number, label in enumerate(labels) if units[label]}
    try:
        epochs = epochs_of(labels, sizes, settings)[2]
    except UserError:  # the run will say what its languages cannot give; all of it is written by then
        return sum(one.documents for one in there.values()) / total
    seen = {labels[number]: min(1.0, sum(by_phase)) for number, (_, by_phase) in epochs.items()}
    return sum(there[label].documents * seen.get(label, 0.0) for label in labels) / total


CHARACTERS_A_TOKEN = 4.0  # of a budget in tokens, about


def whole_texts(sample: Sample, archives: float, kept: float) -> Richness:
    """How many texts of the whole differ."""
    drawn = sum(piece.kept for piece in sample.pieces)
    return richness(sample.texts, len(sample.pieces), archives, kept, drawn)
