"""Texts from arguments, files and standard input, each with its place, read one after another and checked.

A file is .txt, a text a line, or .jsonl or .parquet with named columns; .txt and .jsonl may end in .gz. What is asked
may have two parts (a pair; a question and its context): then there are two columns, with a tab between them in lines.
"""

import gzip
import json
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from schemas.errors import UserError

STANDARD_INPUT = "-"
MAX_BYTES = 1_000_000
ENDINGS = (".txt", ".txt.gz", ".jsonl", ".jsonl.gz", ".parquet")
AT_ONCE = 4096  # texts that are sorted by length together
BYTES_AT_ONCE = 4 << 20  # of their text: what is made of a text in memory is many times as large
ROWS_AT_ONCE = 1024  # of a Parquet file
JSON_ESCAPES = 6  # bytes of JSON for a byte of text at most, as \u001f


class BadText(UserError):
    """A text that a model cannot be asked. number: its place, from 0, among those given; problem: goes on from its
    name, as `has no [MASK]: write it where a word is asked for`."""

    def __init__(self, number: int, problem: str) -> None:
        self.number, self.problem = number, problem
        super().__init__(f"text {number + 1} {problem}")


@dataclass(frozen=True)
class Text:
    """parts: the text, or its two. row: from 1; file: "" where it is an argument."""

    parts: tuple[str, ...]
    file: str
    row: int

    @property
    def place(self) -> str:
        """As `news.txt:3`, for messages."""
        return f"{self.file}:{self.row}" if self.file else f"text {self.row}"


@dataclass(frozen=True)
class Texts:
    """What is asked, in order; iterated over as often as one likes, but for standard input.

    given: arguments. files: paths, or `-` for standard input. columns: their names in .jsonl and .parquet, one a part.
    skip_empty: rows with an empty part are left out, else they are errors.
    """

    given: Sequence[tuple[str, ...]]
    files: Sequence[str]
    columns: Sequence[str] = ("text",)
    max_bytes: int = MAX_BYTES
    skip_empty: bool = False

    def __iter__(self) -> Iterator[Text]:
        """UserError, one line that names file and row, at the first one that is not as it should be."""
        for number, parts in enumerate(self.given, 1):
            yield from self._checked(Text(parts, "", number))
        for file in self.files:
            found = False
            for text in self._of_file(file):
                found = True
                yield from self._checked(text)
            if not found:
                raise UserError(f"{_name(file)} is empty: there is nothing to ask")

    def count(self) -> int | None:
        """Reads them all, so that a bad row is found before the work begins; None where they can be read only once.

        UserError as above, and where no text is left.
        """
        if STANDARD_INPUT in self.files:
            return None
        for file in self.files:
            _check_file(file)
        count = sum(1 for _ in self)
        if not count:
            raise UserError("no text is left without the empty ones: there is nothing to ask")
        return count

    def _checked(self, text: Text) -> Iterator[Text]:
        if not all(part.strip() for part in text.parts):
            if self.skip_empty:
                return
            raise UserError(f"{text.place} is empty: fill it, or leave such rows out by --skip-empty")
        for part in text.parts:
            if len(part) > self.max_bytes // 4:  # else its bytes cannot be more
                self._check_size(text.place, _bytes_of(text.place, part))
            elif not part.isascii():
                _bytes_of(text.place, part)
        yield text

    def _check_size(self, place: str, size: int, most: int = 0) -> None:
        if size > (most or self.max_bytes):
            raise UserError(f"{place} has more than {self.max_bytes:,} bytes: cut it, or raise --max-bytes")

    def _of_file(self, file: str) -> Iterator[Text]:
        name = _name(file)
        if file == STANDARD_INPUT:
            yield from self._of_lines(name, sys.stdin.buffer)
            return
        _check_file(file)
        try:
            if file.endswith(".parquet"):
                yield from self._of_parquet(file)
                return
            with gzip.open(file) if file.endswith(".gz") else open(file, "rb") as lines:
                is_json = file.removesuffix(".gz").endswith(".jsonl")
                yield from (self._of_json if is_json else self._of_lines)(name, lines)
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(f"{name} cannot be read ({error}): is it whole?") from None

    def _of_lines(self, name: str, lines: BinaryIO | gzip.GzipFile) -> Iterator[Text]:
        most = (self.max_bytes + 2) * len(self.columns)
        for row, line in _lines(lines, most):
            place = f"{name}:{row}"
            self._check_size(place, len(line), most)
            text = _decoded(place, line)
            if len(self.columns) == 1:
                yield Text((text,), name, row)
                continue
            parts = tuple(text.split("\t"))
            if len(parts) != len(self.columns):
                if not text.strip() and self.skip_empty:
                    continue
                wanted = " and ".join(self.columns)
                raise UserError(f"{place} has {len(parts) - 1} tabs: write {wanted} with one tab between them")
            yield Text(parts, name, row)

    def _of_json(self, name: str, lines: BinaryIO | gzip.GzipFile) -> Iterator[Text]:
        most = JSON_ESCAPES * (self.max_bytes + 1024) * len(self.columns)
        for row, line in _lines(lines, most):
            place = f"{name}:{row}"
            self._check_size(place, len(line), most)
            text = _decoded(place, line)
            if not text.strip():
                if self.skip_empty:
                    continue
                raise UserError(f"{place} is empty: fill it, or leave such rows out by --skip-empty")
            try:
                values = json.loads(text)
            except (ValueError, RecursionError):
                values = None
            if not isinstance(values, dict):
                raise UserError(f'{place} is no JSON object: write {{"{self.columns[0]}": "..."}}, one a line')
            yield Text(tuple(_value(values, column, place) for column in self.columns), name, row)

    def _of_parquet(self, file: str) -> Iterator[Text]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            table = pq.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False)
            for column in self.columns:
                _check_column(file, table.schema_arrow, column)
            row = 0
            for batch in table.iter_batches(ROWS_AT_ONCE, columns=list(self.columns)):
                columns = [batch.column(column).cast(pa.large_binary()).to_pylist() for column in self.columns]
                for values in zip(*columns, strict=True):
                    row += 1
                    place = f"{file}:{row}"
                    for value in values:
                        self._check_size(place, len(value or b""))
                    yield Text(tuple(_decoded(place, value or b"") for value in values), file, row)
        except pa.ArrowException as error:
            why = " ".join(str(error).split())[:200]
            raise UserError(f"{file} cannot be read ({why}): is it a whole Parquet file?") from None


def batches(items: Iterable[Text], most: int = AT_ONCE, most_bytes: int = BYTES_AT_ONCE) -> Iterator[list[Text]]:
    """As many at a time as are worth sorting by length, and no more than memory is sure to have room for."""
    found: list[Text] = []
    size = 0
    for item in items:
        length = sum(map(len, item.parts))
        if found and (len(found) == most or size + length > most_bytes):
            yield found
            found, size = [], 0
        found.append(item)
        size += length
    if found:
        yield found


def _check_file(file: str) -> None:
    path = Path(file)
    if path.is_dir():
        raise UserError(f"{file} is a folder: name the files in it")
    if not path.exists():
        raise UserError(f"{file} is not there: name a file, or - for standard input")
    if not file.endswith(ENDINGS):
        raise UserError(f"{file} is none of {', '.join(ENDINGS)}: give it on standard input, a text a line, < {file}")


def _check_column(file: str, schema: object, column: str) -> None:
    import pyarrow as pa

    assert isinstance(schema, pa.Schema)
    if column not in schema.names:
        raise UserError(f"{file} has no column {column}, but {', '.join(schema.names)}: name one by --columns")
    kind = schema.field(column).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        raise UserError(f"{file}: column {column} is {kind}, no text: name another by --columns")


def _value(values: dict[str, object], column: str, place: str) -> str:
    if column not in values:
        raise UserError(f"{place} has no {column}, but {', '.join(values) or 'nothing'}: name another by --columns")
    value = values[column]
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UserError(f"{place}: {column} is no text, but {json.dumps(value)[:40]}: write it between quotes")
    return value


def _lines(lines: BinaryIO | gzip.GzipFile, most: int) -> Iterator[tuple[int, bytes]]:
    """(row, line without its end); of a line of more than `most` bytes only one more, and it is the last."""
    row = 0
    while line := lines.readline(most + 1):
        row += 1
        if row == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        yield row, line.removesuffix(b"\n").removesuffix(b"\r")
        if len(line) > most:
            return


def _decoded(place: str, line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{place} is not UTF-8 (byte {error.start + 1}): convert it, or take the row out") from None


def _bytes_of(place: str, text: str) -> int:
    try:
        return len(text.encode("utf-8"))
    except UnicodeEncodeError:  # half a pair of surrogates, from JSON or from the command line
        raise UserError(f"{place} is not UTF-8: convert it, or take it out") from None


def _name(file: str) -> str:
    return "standard input" if file == STANDARD_INPUT else file
