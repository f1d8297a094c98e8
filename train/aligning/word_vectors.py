"""Word vectors out of texts, by the fastText library: skip-gram with subwords (Bojanowski et al. 2017, arXiv
1607.04606), as those that MUSE maps."""

import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import UserError
from train.aligning.words import Cutter
from train.checkpoints.files import digest
from train.corpus.shards import Shards
from train.likelihood.held_out_texts import texts_of_files
from train.maps.vec_files import END, WordVectors
from train.telemetry.progress import Progress

AT_ONCE = 1000  # texts


@dataclass(frozen=True)
class Training:
    """fastText's options of skip-gram by its own defaults, but for the dimensions, which are MUSE's. buckets: of
    n-grams of characters; each has a row, so that 2,000,000 of 300 dimensions take 2.4 GB."""

    dim: int = 300
    min_count: int = 5
    epochs: int = 5
    buckets: int = 2_000_000
    threads: int = 1
    seed: int = 0
    window: int = 5
    negatives: int = 5
    rate: float = 0.05
    shortest: int = 3
    longest: int = 6


def library() -> Any:
    """UserError where it is not installed, or a part that only predicts is."""
    try:
        module = import_module("fasttext")
    except ImportError:
        module = None
    if not hasattr(module, "train_unsupervised"):
        raise UserError("align.py vectors needs the fastText library: pip install fasttext-community")
    return module


def train_vectors(sentences: Iterable[list[str]], settings: Training, counted: dict[str, int]) -> WordVectors | None:
    """Words, the most frequent first, equal ones by the alphabet; None where no word is frequent enough. counted:
    tokens are told there. With one thread the same for the same sentences and seed."""
    fasttext = library()
    with tempfile.TemporaryDirectory(prefix="wanyu-vectors-") as folder:
        path = Path(folder) / "words.txt"
        tokens = 0
        with path.open("w", encoding="utf-8", errors="ignore") as file:
            for sentence in sentences:
                file.write(" ".join(sentence) + "\n")
                tokens += len(sentence)
        counted["tokens"] = tokens
        try:
            with _seeded(settings.seed):
                model = fasttext.train_unsupervised(
                    str(path), model="skipgram", dim=settings.dim, minCount=settings.min_count, epoch=settings.epochs,
                    bucket=settings.buckets, thread=settings.threads, ws=settings.window, neg=settings.negatives,
                    lr=settings.rate, minn=settings.shortest, maxn=settings.longest,
                    verbose=2 if sys.stderr.isatty() else 0,
                )  # fmt: skip
        except ValueError as error:  # what its C++ throws
            if "vocabulary" in str(error):
                return None
            raise UserError(f"fastText cannot train: {' '.join(str(error).split())}") from None
    found, counts = model.get_words(include_freq=True)
    rows = [(-int(count), word) for word, count in zip(found, counts, strict=True) if word != END]
    listed = [word for _, word in sorted(rows)]
    if not listed:
        return None
    vectors = np.stack([model.get_word_vector(word) for word in listed])
    if not np.isfinite(vectors).all():
        raise UserError("fastText's vectors are not finite: train with fewer --epochs")
    return WordVectors(listed, np.asarray(vectors, np.float32))


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """The library's call for skip-gram takes every option but this one, which its table of defaults has."""
    defaults = import_module("fasttext.FastText").unsupervised_default
    before = defaults.get("seed", 0)
    defaults["seed"] = seed
    try:
        yield
    finally:
        defaults["seed"] = before


def sentences(texts: Iterable[str], cutter: Cutter, progress: Progress) -> Iterator[list[str]]:
    """Words of each line that has any: contexts do not reach over its end."""
    every = iter(texts)
    while some := list(islice(every, AT_ONCE)):
        lines = [line for text in some for line in text.splitlines() if line.strip()]
        yield from (found for found in cutter(lines) if found)
        progress.add(len(some))


def texts_of_shards(shards: Shards, language: str) -> Iterator[str]:
    """Of the training files. UserError where one cannot be read."""
    for file in shards.files:
        if file.language != language or file.split != "train":
            continue
        try:
            with pq.ParquetFile(file.path) as opened:
                for batch in opened.iter_batches(AT_ONCE, columns=["text"], use_threads=False):
                    yield from (one or "" for one in batch.column(0).to_pylist())
        except (pa.ArrowException, OSError) as error:
            raise UserError(
                f"{file.path} cannot be read ({str(error).splitlines()[0]}): give back the shards"
            ) from None


def digests(paths: Iterable[Path]) -> list[str]:
    """Of files, and of the files in folders."""
    return [digest(one) for path in paths for one in (sorted(path.iterdir()) if path.is_dir() else [path])]


def texts_by_language(paths: Iterable[Path]) -> dict[str, list[str]]:
    """Of files LANGUAGE.txt or .jsonl. UserError as `texts_of_files`, and where there is no such path."""
    found = dict[str, list[str]]()
    for path in paths:
        if not path.exists():
            raise UserError(f"there is no file and no folder {path}: name texts that are there")
        for _, text, language in texts_of_files(path):
            found.setdefault(language, []).append(text)
    return found
