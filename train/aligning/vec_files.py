"""Word vectors in fastText's and word2vec's text format: `n d` on the first line, then a word and d numbers a line."""

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.errors import UserError
from train.benchmarks.files import unreadable
from train.checkpoints.files import WholeFile

MOST_WORDS = 200_000  # MUSE's --max_vocab
WRONG = 0.01  # share of rows that may be broken
END = "</s>"  # fastText's word for the end of a line
_NUMBER = re.compile(rb"[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?")
Say = Callable[[str], None]


class WordVectors(NamedTuple):
    """words: the most frequent first, each once. vectors: float32 [words, d], finite, none of zeros alone."""

    words: list[str]
    vectors: NDArray[np.float32]


def read_vec(path: Path, most: int = MOST_WORDS, say: Say = lambda line: None) -> WordVectors:
    """The first `most` words; .gz is unpacked. Rows that are broken, repeat a word, or are of zeros are left out, and
    said. A word may hold spaces: what stands before the last d numbers.

    UserError where there is no header, a number is not finite, more than a hundredth of the rows is broken, or none is
    whole."""
    rows = _rows(path)
    count, width = _header(path, next(rows, b""))
    words = dict[str, None]()
    vectors = np.empty((min(count, most), width), np.float32)
    left_out = Counter[str]()
    read = 0
    for read, line in enumerate(rows, 1):
        if len(words) == len(vectors):
            break
        found = _row(line, width)
        if found is None:
            left_out["broken"] += 1
            continue
        word, vector = found
        if not np.isfinite(vector).all():
            raise UserError(f"--vectors {path}:{read + 1} has numbers that are not finite: train the vectors again")
        if word in words or word == END or not vector.any():
            left_out["a word again" if word in words else "no word" if word == END else "zeros alone"] += 1
            continue
        vectors[len(words)] = vector
        words[word] = None
    if left_out["broken"] > WRONG * read or not words:
        raise UserError(f"--vectors {path}: {left_out['broken']} of {read} rows are no word with {width} numbers")
    if left_out:
        say(f"{path}: left out {', '.join(f'{number:,} rows ({what})' for what, number in left_out.items())}")
    if read < min(count, most):
        say(f"{path} has {read:,} rows, and its first line says {count:,}: it may have been cut off")
    return WordVectors(list(words), vectors[: len(words)])


def write_vec(path: Path, words: Sequence[str], vectors: NDArray[np.float32]) -> None:
    """With five digits, as fastText does. UserError where the disk is full."""
    with WholeFile(path) as file, file.part.open("w", encoding="utf-8", newline="\n") as out:
        out.write(f"{len(words)} {vectors.shape[1]}\n")
        for word, vector in zip(words, vectors, strict=True):
            out.write(f"{word} {' '.join(f'{value:.5g}' for value in vector.tolist())}\n")


def _rows(path: Path) -> Iterator[bytes]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for line in file:
                yield line.rstrip(b" \r\n")
    except (EOFError, zlib.error, OSError) as error:
        raise unreadable(path, error) from None


def _header(path: Path, line: bytes) -> tuple[int, int]:
    match = re.fullmatch(rb"(?:\xef\xbb\xbf)?(\d{1,12}) (\d{1,6})", line)
    if match is None or not int(match[1]) or not int(match[2]):
        raise UserError(
            f"--vectors {path} does not begin with a line of two numbers, of words and of dimensions: give vectors in "
            "fastText's text format"
        )
    return int(match[1]), int(match[2])


def _row(line: bytes, width: int) -> tuple[str, NDArray[np.float32]] | None:
    """None of a row that is none: too few numbers, or too many, which would make one of them part of the word."""
    parts = line.rsplit(b" ", width)
    word = parts[0]
    if len(parts) != width + 1 or not word.strip() or (b" " in word and _NUMBER.fullmatch(word.rsplit(b" ", 1)[1])):
        return None
    try:
        return word.decode("utf-8"), np.array(parts[1:], np.float32)
    except ValueError:
        return None
