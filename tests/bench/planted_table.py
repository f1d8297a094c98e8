"""A table of made-up texts with planted near-duplicates, and the truth about them, on disk.

FOLDER/texts/part-*.parquet    TEXTS, rows in no order that tells families
FOLDER/pairs.parquet           PAIRS: every pair inside a family, and of a template's pages those in a row
FOLDER/plan.json               the Plan, written last

Everything follows from the plan. Words of planted texts wait in a file, all others are drawn as they are written, so
that memory does not grow with the texts.
"""

import json
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from bench import near_copies
from bench.near_copies import Pair
from bench.zipf_texts import LANGUAGES, Tongue, draw_languages, draw_lengths

from schemas.errors import UserError

TEXTS = pa.schema([(name, pa.string()) for name in ("id", "text", "url", "date", "language", "language_script")])
PAIRS = pa.schema(
    [  # ids of two documents, and the kind of what they belong to: `family` or `template`
        ("a", pa.string()),
        ("b", pa.string()),
        ("jaccard", pa.float64()),
        ("kind", pa.string()),
    ]
)
GROUP = 2_000  # rows
FILE_BYTES = 64 << 20
N_HOSTS, N_DAYS = 400, 700
PLANTING, LANGUAGE, ORDER, WRITING = range(4)  # streams of chance, beside the seed
RANK = np.dtype("<u2")


class Plan(NamedTuple):
    """`share` of the documents are in families, `template` of them pages of one template; `words`: mean of a text."""

    documents: int
    words: int = 500
    seed: int = 0
    share: float = 0.3
    template: int = 0
    template_jaccard: float = 0.65


class Planted(NamedTuple):
    """Documents 0 to n - 1: `languages` int64 (n,); the ranks of document i are ranks[offsets[i] : offsets[i + 1]]."""

    languages: np.ndarray
    offsets: np.ndarray
    ranks: np.ndarray


def make(folder: Path, plan: Plan) -> None:
    """Writes the table, or leaves it alone where it is of the same plan. UserError for a plan that cannot be."""
    _check(plan)
    made = folder / "plan.json"
    said = json.dumps(plan._asdict())
    if made.is_file() and made.read_text() == said:
        return
    made.unlink(missing_ok=True)
    shutil.rmtree(folder / "texts", ignore_errors=True)
    (folder / "texts").mkdir(parents=True)
    tongue = Tongue()
    waiting = folder / "_planted.ranks"
    planted = _plant(plan, tongue, waiting, folder / "pairs.parquet")
    _write(plan, tongue, planted, folder / "texts")
    waiting.unlink()
    made.write_text(said)


def _check(plan: Plan) -> None:
    if plan.documents < 1 or plan.seed < 0:
        raise UserError(f"--documents {plan.documents} --seed {plan.seed}: take 1 or more, and 0 or more")
    if plan.words < 50:
        raise UserError(f"--words {plan.words}: shorter texts have no room for planted edits; take 50 or more")
    if not 0 <= plan.share <= 1:
        raise UserError(f"--share {plan.share}: give a number between 0 and 1")
    if plan.template and not 0 < plan.template_jaccard <= 0.9:
        raise UserError(f"--template-jaccard {plan.template_jaccard}: give a number above 0 and at most 0.9")
    if plan.template < 0 or round(plan.share * plan.documents) + plan.template > plan.documents:
        raise UserError(f"--template {plan.template}: families and template are more than --documents; take fewer")


def ids_of(numbers: np.ndarray, seed: int) -> pa.Array:
    """`doc-` and 16 hex digits of each number, mixed one to one, so that the order of ids says nothing. string."""
    mixed = numbers.astype(np.uint64) + np.uint64(seed * 0x9E3779B97F4A7C15 % (1 << 64))
    for factor in (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(31))) * factor
    nibbles = (mixed[:, None] >> np.arange(60, -4, -4, dtype=np.uint64)) & np.uint64(15)
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)[nibbles.astype(np.int64)]
    letters = np.concatenate([np.broadcast_to(np.frombuffer(b"doc-", np.uint8), (len(numbers), 4)), digits], axis=1)
    offsets = np.arange(len(numbers) + 1, dtype=np.int32) * letters.shape[1]
    return pa.Array.from_buffers(
        pa.string(), len(numbers), [None, pa.py_buffer(offsets), pa.py_buffer(letters.tobytes())]
    )


def _plant(plan: Plan, tongue: Tongue, waiting: Path, truth: Path) -> Planted:
    """Draws all families and the template; their ranks go to the file `waiting`, their pairs to `truth`."""
    rng = np.random.default_rng([plan.seed, PLANTING])
    sizes = near_copies.family_sizes(rng, round(plan.share * plan.documents))
    of_family = draw_languages(rng, len(sizes))
    lengths: list[int] = []
    pairs: list[Pair] = []

    def fresh(language: int, n: int) -> np.ndarray:
        words = tongue.draw(rng, np.full(n, language))
        return np.asarray(words - tongue.base[language], RANK)

    def keep(member: np.ndarray, file: BinaryIO) -> None:
        member.tofile(file)
        lengths.append(len(member))

    with open(waiting, "wb") as file, pq.ParquetWriter(truth, PAIRS) as table:
        for size, language, words in zip(
            sizes.tolist(), of_family.tolist(), draw_lengths(rng, len(sizes), plan.words).tolist(), strict=True
        ):
            base = fresh(language, words)
            members = list(near_copies.family(rng, base, size, partial(fresh, language)))
            pairs += near_copies.pairs_of(members, len(lengths))
            for member in members:
                keep(member, file)
        _write_pairs(table, pairs, "family", plan.seed)
        if plan.template:
            pages = near_copies.template_pages(rng, plan.template, plan.words, plan.template_jaccard, partial(fresh, 0))
            ring: list[Pair] = []
            for member, pair in near_copies.ring_of(pages, len(lengths)):
                keep(member, file)
                ring += [pair] if pair else []
            _write_pairs(table, ring, "template", plan.seed)
    ranks = np.memmap(waiting, RANK, "r") if lengths else np.empty(0, RANK)
    languages = np.concatenate([np.repeat(of_family, sizes), np.zeros(plan.template, np.uint8)]).astype(np.int64)
    return Planted(languages, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), ranks)


def _write_pairs(table: pq.ParquetWriter, pairs: list[Pair], kind: str, seed: int) -> None:
    numbers = np.array([(pair.a, pair.b) for pair in pairs], np.int64).reshape(-1, 2)
    similarities = pa.array([pair.jaccard for pair in pairs], pa.float64())
    kinds = pa.array([kind] * len(pairs), pa.string())
    columns = [ids_of(numbers[:, 0], seed), ids_of(numbers[:, 1], seed), similarities, kinds]
    table.write_table(pa.Table.from_arrays(columns, schema=PAIRS))


def _write(plan: Plan, tongue: Tongue, planted: Planted, folder: Path) -> None:
    batches = _batches(plan, tongue, planted)
    batch, n_files = next(batches, None), 0
    while batch is not None:
        with (
            open(folder / f"part-{n_files:05}.parquet", "wb") as sink,
            pq.ParquetWriter(sink, TEXTS, compression="zstd", use_dictionary=["date", *TEXTS.names[4:]]) as writer,
        ):
            while batch is not None and sink.tell() < FILE_BYTES:
                writer.write_batch(batch)
                batch = next(batches, None)
        n_files += 1


def _batches(plan: Plan, tongue: Tongue, planted: Planted) -> Iterator[pa.RecordBatch]:
    """The rows in their order, GROUP at a time."""
    n_planted = len(planted.languages)
    languages = draw_languages(np.random.default_rng([plan.seed, LANGUAGE]), plan.documents).astype(np.int64)
    languages[:n_planted] = planted.languages
    order = np.random.default_rng([plan.seed, ORDER]).permutation(plan.documents)
    for start in range(0, plan.documents, GROUP):
        numbers = order[start : start + GROUP]
        rng = np.random.default_rng([plan.seed, WRITING, start])
        of, lengths = languages[numbers], draw_lengths(rng, len(numbers), plan.words)
        known = np.flatnonzero(numbers < n_planted)
        lengths[known] = np.diff(planted.offsets)[numbers[known]]
        words = tongue.draw(rng, np.repeat(of, lengths))
        begins = np.cumsum(lengths) - lengths
        for row in known.tolist():
            begin, end = planted.offsets[numbers[row]], planted.offsets[numbers[row] + 1]
            words[begins[row] : begins[row] + lengths[row]] = planted.ranks[begin:end] + tongue.base[of[row]]
        yield _rows(plan, rng, numbers, of, tongue.write(rng, words, lengths, of))


def _rows(plan: Plan, rng: np.random.Generator, numbers: np.ndarray, of: np.ndarray, texts: pa.Array) -> pa.RecordBatch:
    ids = ids_of(numbers, plan.seed)
    hosts = pa.array([f"https://site-{host}.example/" for host in range(N_HOSTS)])
    days = np.datetime64("2023-01-01") + np.arange(N_DAYS)
    dates = pa.array([f"{day}T00:00:00Z" for day in days])
    urls = pc.binary_join_element_wise(hosts.take(pa.array(rng.integers(0, N_HOSTS, len(numbers)))), ids, "")
    columns = [
        ids,
        texts.cast(pa.string()),
        urls,
        dates.take(pa.array(rng.integers(0, N_DAYS, len(numbers)))),
        pa.array([one.code for one in LANGUAGES]).take(pa.array(of)),
        pa.array([one.script for one in LANGUAGES]).take(pa.array(of)),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=TEXTS)
