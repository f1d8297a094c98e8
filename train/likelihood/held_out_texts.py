"""The texts that models are asked: of each language so many bytes, chosen by hash, the same for every vocabulary."""

import heapq
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import UserError
from tokenizer.sentences import sentence_ends
from train.benchmarks.files import json_lines, kind_of, lines
from train.corpus.hashing import HELD_OUT, combine, hash_id
from train.corpus.shards import ShardFile, holds_shards, open_shards

TEXT_BYTES = 256  # of a text at most: a sentence or three; each of its tokens costs a pass over it
LANGUAGE_BYTES = 4096
ENDINGS = (".jsonl", ".txt", ".jsonl.gz", ".txt.gz")
_LONE = re.compile("[\ud800-\udfff]")  # halves of characters, which JSON can hold and no tokenizer reads
_WORDS = re.compile(r"(?s)(.*\S)\s")
_JOINERS = "\u200c\u200d"


@dataclass(frozen=True)
class HeldOutText:
    """id: of its document; of a line without one, the line itself."""

    id: str
    text: str

    @property
    def bytes(self) -> int:
        return len(self.text.encode())


@dataclass(frozen=True)
class HeldOut:
    """texts: of each wanted language that has any, sorted. languages: all that there are, wanted or not."""

    texts: dict[str, list[HeldOutText]]
    languages: frozenset[str]


def held_out_texts(
    paths: Sequence[Path],
    wants: Callable[[str], bool] = lambda language: True,
    *,
    language_bytes: int = LANGUAGE_BYTES,
    text_bytes: int = TEXT_BYTES,
) -> HeldOut:
    """The beginnings of documents, those of the lowest hashes first, up to `language_bytes` of each language.

    paths: folders of shards (`data/<language>_<Script>/validation-*.parquet`), files `<language>.txt` (a text a line)
    and `<language>.jsonl` (`text`, and if they are there `id` and `language`), either with .gz, and folders of such
    files. UserError for what cannot be read, and where there is no text at all.
    """
    choice = _Choice(wants, language_bytes, text_bytes)
    for path in paths:
        if not path.exists():
            raise UserError(f"there is no file and no folder {path}: point to held-out texts that are there")
        _of_shards(path, choice) if holds_shards(path) else _of_files(path, choice)
    if not choice.languages:
        where = ", ".join(map(str, paths))
        raise UserError(f"{where} has no held-out text: give shards with validation-*.parquet, or files with texts")
    by_language = {language: choice.found[language].texts() for language in sorted(choice.found)}
    return HeldOut({name: texts for name, texts in by_language.items() if texts}, frozenset(choice.languages))


def excerpt(text: str, most: int) -> str:
    """The whole sentences at a text's beginning that have `most` bytes of UTF-8 together at most; where the first has
    more, its words; where a word has more, its characters, none cut from its marks."""
    text = _LONE.sub("\ufffd", text.strip())
    if len(text) <= most and len(text.encode()) <= most:
        return text
    limit = len(text[:most].encode()[:most].decode("utf-8", "ignore"))
    ends = [end for end in sentence_ends(text[: limit + 1]) if end <= limit]
    if ends and (whole := text[: ends[-1]].rstrip()):
        return whole
    if words := _WORDS.match(text, 0, limit + 1):
        return words[1]
    while limit > 1 and (unicodedata.category(text[limit])[0] == "M" or text[limit] in _JOINERS):
        limit -= 1
    return text[:limit]


class _Lowest:
    """The texts of the lowest hashes that fill so many bytes; no more than these are kept."""

    def __init__(self, room: int) -> None:
        self.room, self.bytes = room, 0
        self._heap: list[tuple[int, HeldOutText]] = []  # the highest hash first
        self._hashes: set[int] = set()

    def wants(self, key: int) -> bool:
        return key not in self._hashes and (self.bytes < self.room or key < -self._heap[0][0])

    def add(self, key: int, text: HeldOutText) -> None:
        if not text.text or not self.wants(key):
            return
        heapq.heappush(self._heap, (-key, text))
        self._hashes.add(key)
        self.bytes += text.bytes
        while self.bytes - self._heap[0][1].bytes >= self.room:
            highest, dropped = heapq.heappop(self._heap)
            self._hashes.remove(-highest)
            self.bytes -= dropped.bytes

    def texts(self) -> list[HeldOutText]:
        """By hash; the last one shortened to what room there is."""
        found, left = [], self.room
        for _, one in sorted(self._heap, key=lambda entry: -entry[0]):
            if text := excerpt(one.text, left):
                found.append(HeldOutText(one.id, text))
                left -= len(text.encode())
        return found


@dataclass(frozen=True)
class _Choice:
    """What is chosen so far, by language."""

    wants: Callable[[str], bool]
    language_bytes: int
    text_bytes: int
    found: dict[str, _Lowest] = field(default_factory=dict)
    languages: set[str] = field(default_factory=set)

    def of(self, language: str) -> _Lowest | None:
        """None where it is not wanted."""
        self.languages.add(language)
        return self.found.setdefault(language, _Lowest(self.language_bytes)) if self.wants(language) else None


def _key(identity: str) -> int:
    return int(combine(HELD_OUT, np.uint64(hash_id(identity)))[0])


def _of_shards(root: Path, choice: _Choice) -> None:
    """Ids first, then the row groups that the chosen ones lie in."""
    files: dict[str, list[ShardFile]] = {}
    for file in open_shards(root).files:
        if file.split == "validation" and any(file.groups):
            files.setdefault(file.language, []).append(file)
    for language, of_language in files.items():
        lowest = choice.of(language)
        if lowest is None:
            continue
        read, places = cache(_column), []
        for file in of_language:
            for group in range(len(file.groups)):
                ids = _column(file.path, group, "id")
                places += [(_key(one), one, file.path, group, row) for row, one in enumerate(ids)]
        for key, identity, path, group, row in sorted(places):
            if lowest.bytes >= lowest.room and not lowest.wants(key):
                break
            lowest.add(key, HeldOutText(identity, excerpt(read(path, group, "text")[row], choice.text_bytes)))


def _column(path: Path, group: int, name: str) -> list[str]:
    try:
        with pq.ParquetFile(path) as file:
            return [one or "" for one in file.read_row_group(group, [name], use_threads=False).column(0).to_pylist()]
    except (pa.ArrowException, OSError, IndexError) as error:
        raise UserError(f"{path} cannot be read ({str(error).splitlines()[0]}): give back the shards") from None


def _of_files(path: Path, choice: _Choice) -> None:
    for identity, text, language in texts_of_files(path):
        lowest = choice.of(language)
        if lowest is not None:
            lowest.add(_key(identity), HeldOutText(identity, excerpt(text, choice.text_bytes)))


def texts_of_files(path: Path) -> Iterator[tuple[str, str, str]]:
    """(id, text, language) of a file or of those in a folder. UserError where there is none, or it is of no such
    kind."""
    paths = sorted(one for one in path.iterdir() if one.name.endswith(ENDINGS)) if path.is_dir() else [path]
    if not paths:
        raise UserError(f"{path} holds neither shards (data/) nor files {' '.join(ENDINGS)}: point to texts")
    for one in paths:
        if not one.name.endswith(ENDINGS):
            raise UserError(f"{one} is none of {' '.join(ENDINGS)}: name it so, <language>.jsonl or <language>.txt")
        of_name = one.name.partition(".")[0]
        yield from _records(one, of_name) if kind_of(one) == ".jsonl" else _texts(one, of_name)


def _texts(path: Path, language: str) -> Iterator[tuple[str, str, str]]:
    """(id, text, language)."""
    return ((line, line, language) for _, line in lines(path) if line.strip())


def _records(path: Path, language: str) -> Iterator[tuple[str, str, str]]:
    for row, values in json_lines(path):
        text = values.get("text")
        if not isinstance(text, str):
            raise UserError(f'{path}:{row} has no "text": write a line as {{"text": "..."}}')
        yield str(values.get("id", text)), text, str(values.get("language", language))
