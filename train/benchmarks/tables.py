"""Tables in TSV, CSV, JSON lines and Parquet: their columns, and their rows one after the other."""

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import UserError
from train.benchmarks.columns import listed
from train.benchmarks.files import LONGEST, json_lines, kind_of, lines, unreadable

PEEKED = 100  # records of JSON lines whose keys are the columns
BATCH = 1024  # records of Parquet in memory at a time
DAMAGED = (pa.ArrowException, OSError, UnicodeDecodeError)  # what pyarrow raises
TABLES = {".tsv", ".csv", ".txt", ".jsonl", ".ndjson", ".json", ".parquet"}


@dataclass(frozen=True)
class Table:
    """rows: (row, its cells in the order of `names`), once; of plain text as they stand, so they may be too few.
    classes: names of the numbers in a column, as `datasets` writes them beside the table. typed: cells are not all
    text."""

    path: Path
    names: tuple[str, ...]
    rows: Iterator[tuple[int, Sequence[Any]]]
    classes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    typed: bool = False


def open_table(path: Path, value: Any = None) -> Table:
    """value: of a .json file, what `json_value` read. UserError where it cannot be read, holds no row or no header."""
    kind = kind_of(path)
    if kind == ".parquet":
        return _parquet(path)
    if kind in (".jsonl", ".ndjson"):
        return _records(path, json_lines(path))
    if kind == ".json":
        return _records(path, json_lines(path) if value is None else _objects(path, value))
    rows = _csv(path) if kind == ".csv" else _tsv(path)
    first = next(rows, None)
    if first is None:
        raise UserError(f"{path} is empty: give a file with a header and rows")
    return Table(path, tuple(name.strip() for name in first[1]), rows)


def _tsv(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Quotes are text. Empty lines are rows, but for those at the end."""
    empty = list[int]()
    for row, line in lines(path):
        if not line.strip():
            empty.append(row)
            continue
        yield from ((one, [""]) for one in empty)
        empty.clear()
        yield row, line.split("\t")


def _objects(path: Path, value: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    """Of a list of objects, or a list with a name, or one alone."""
    records = value.get("data", [value]) if isinstance(value, dict) else value
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise UserError(f"{path} holds no list of records: write a list of objects, or one object a line")
    yield from enumerate(records, 1)


def _records(path: Path, records: Iterator[tuple[int, dict[str, Any]]]) -> Table:
    first = list(islice(records, PEEKED))
    if not first:
        raise UserError(f"{path} is empty: give a file with records")
    names = tuple(dict.fromkeys(chain.from_iterable(record for _, record in first)))
    rows = ((row, [record.get(name) for name in names]) for row, record in chain(first, records))
    return Table(path, names, rows, typed=True)


def _csv(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Quotes are CSV's. A row is where its record begins. Semicolons divide where the header has them and no comma."""
    csv.field_size_limit(max(csv.field_size_limit(), 4 * LONGEST))
    source = lines(path)
    header = next(source, None)
    if header is None:
        return
    delimiter = ";" if ";" in header[1] and "," not in header[1] else ","
    reader = csv.reader((line + "\n" for _, line in chain([header], source)), delimiter=delimiter, strict=True)
    row = 1
    try:
        for cells in reader:
            if cells:
                yield row, cells
            row = reader.line_num + 1
    except csv.Error as error:
        raise UserError(f"{path}:{row} is no CSV ({error}): close its quotes, and double those inside") from None


def _parquet(path: Path) -> Table:
    try:
        file = pq.ParquetFile(path)
        schema = file.schema_arrow
    except DAMAGED as error:
        raise unreadable(path, error) from None
    if not file.metadata.num_rows:
        raise UserError(f"{path} is empty: give a table with rows")
    return Table(path, tuple(schema.names), _parquet_rows(path, file), _classes(schema), typed=True)


def _parquet_rows(path: Path, file: pq.ParquetFile) -> Iterator[tuple[int, Sequence[Any]]]:
    row = 1
    try:
        for batch in file.iter_batches(batch_size=BATCH):
            for cells in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                yield row, cells
                row += 1
    except DAMAGED as error:
        raise unreadable(path, error) from None


def _classes(schema: pa.Schema) -> dict[str, tuple[str, ...]]:
    """Of columns that are ClassLabel of `datasets`, or lists of it."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        items = list(features.items())
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}
    found = {}
    for column, feature in items:
        while (isinstance(feature, list) and len(feature) == 1) or (isinstance(feature, dict) and "feature" in feature):
            feature = feature[0] if isinstance(feature, list) else feature["feature"]
        if (
            isinstance(feature, dict)
            and feature.get("_type") == "ClassLabel"
            and isinstance(feature.get("names"), list)
        ):
            found[column] = tuple(map(str, feature["names"]))
    return found


def short_row(table: Table, row: int, cells: Sequence[Any]) -> str:
    """What is wrong with a row of another width than the header's."""
    return f"has {len(cells)} columns where the header has {len(table.names)} ({listed(table.names)})"
