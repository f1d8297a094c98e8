"""Translations: files of one language each, aligned line by line, as token ids.

A folder holds `<language>.txt` or `<language>.txt.gz`, UTF-8; line i of all files says the same. A language is named as
in the shards, `eng_Latn`, or by its code alone, `eng`, where one label of the shards has that code.
"""

import gzip
import hashlib
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.errors import UserError
from train.corpus.hashing import U64, hash_id
from train.corpus.vocabulary import Vocabulary

FILE_NAME = re.compile(r"([^.].*)\.txt(?:\.gz)?")
ENCODED = 4096  # lines that are tokenised at a time


@dataclass(frozen=True)
class ParallelText:
    """languages: numbers of those that files and shards have, ascending. texts: of each, its lines, as many as the
    others'. digest: SHA-256 over names and lines."""

    folder: Path
    languages: tuple[int, ...]
    texts: tuple[list[str], ...]
    digest: str


@dataclass(frozen=True)
class ParallelLines:
    """languages: int64 [k], numbers of the corpus' languages. counts: int64 [lines, k], tokens of each line in each,
    0 where it is empty there. begins: int64 [lines, k], where they lie in the `ids` of the language. texts: uint64
    [lines, k], a hash of each text."""

    languages: NDArray[np.int64]
    counts: NDArray[np.int64]
    begins: NDArray[np.int64]
    ids: tuple[NDArray[Any], ...]
    texts: U64

    def tokens(self, line: int, column: int, longest: int) -> NDArray[np.int64]:
        """Of a line in the language `languages[column]`, the first `longest`."""
        begin = int(self.begins[line, column])
        found: NDArray[np.int64] = self.ids[column][begin : begin + min(int(self.counts[line, column]), longest)]
        return found.astype(np.int64)


def read_parallel(folder: Path, languages: Sequence[str], say: Callable[[str], None]) -> ParallelText:
    """languages: labels of the corpus; files of others are left out, and said. UserError, one line, where fewer than
    two are there, or files differ in length or cannot be read."""
    if not folder.is_dir():
        raise UserError(
            f"there is no folder {folder}: point --parallel_text to one with <language>.txt or <language>.txt.gz"
        )
    paths = dict[int, Path]()
    others = list[str]()
    for path in sorted(folder.iterdir()):
        match = FILE_NAME.fullmatch(path.name)
        if match is None or not path.is_file():
            continue
        labels = labels_of(match[1], languages)
        if len(labels) != 1:
            others.append(f"{match[1]} ({' or '.join(labels)}?)" if labels else match[1])
            continue
        number = languages.index(labels[0])
        if number in paths:
            raise UserError(f"{paths[number]} and {path} are both of {labels[0]}: take one of them out")
        paths[number] = path
    if others:
        say(f"parallel text: left out, since no one language of the shards is named so: {', '.join(others)}")
    if len(paths) < 2:
        there = f"one language of the shards alone, {languages[next(iter(paths))]}" if paths else "no such language"
        raise UserError(
            f"{folder} holds lines of {there}: give files of two or more, named as the shards name them, as "
            f"{languages[0]}.txt or {languages[0]}.txt.gz"
        )
    numbers = tuple(sorted(paths))
    texts = [_lines(paths[number]) for number in numbers]
    for number, text in zip(numbers, texts, strict=True):
        if len(text) != len(texts[0]):
            raise UserError(
                f"{paths[numbers[0]]} has {len(texts[0])} lines and {paths[number]} has {len(text)}: line by line all "
                "files must say the same; mend the one that is wrong"
            )
    digest = hashlib.sha256()
    for number, text in zip(numbers, texts, strict=True):
        digest.update("\n".join([languages[number], str(len(text)), *text, ""]).encode())
    return ParallelText(folder, numbers, tuple(texts), digest.hexdigest())


def labels_of(name: str, languages: Sequence[str]) -> list[str]:
    """The labels that a file's name may stand for."""
    return [name] if name in languages else [label for label in languages if label.partition("_")[0] == name]


def tokenise(text: ParallelText, vocabulary: Vocabulary) -> ParallelLines:
    kind = np.uint16 if vocabulary.size <= 1 << 16 else np.int32
    counts, ids = list[NDArray[np.int64]](), list[NDArray[Any]]()
    for lines in text.texts:
        sizes, parts = list[int](), list[NDArray[Any]]()
        for first in range(0, len(lines), ENCODED):
            some = lines[first : first + ENCODED]
            encoded = [found if line else [] for found, line in zip(vocabulary.encode(some), some, strict=True)]
            sizes += map(len, encoded)
            parts.append(np.fromiter(chain.from_iterable(encoded), kind))
        counts.append(np.array(sizes, np.int64))
        ids.append(np.concatenate(parts) if parts else np.empty(0, kind))
    by_line = np.stack(counts, 1)
    hashes = np.array([[hash_id(line) for line in lines] for lines in text.texts], np.uint64).T
    begins = np.cumsum(by_line, 0) - by_line
    return ParallelLines(np.array(text.languages, np.int64), by_line, begins, tuple(ids), hashes)


def _lines(path: Path) -> list[str]:
    """Without the spaces around them. Only a line feed ends one: other signs that Python takes for the end of a line
    stand inside texts."""
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no UTF-8 from byte {error.start} on: write it again") from None
    except (EOFError, zlib.error, OSError) as error:
        raise UserError(f"{path} cannot be read ({error}): write it again") from None
    lines = text.split("\n")
    return [line.strip() for line in (lines if lines[-1] else lines[:-1])]
