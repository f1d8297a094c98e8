"""Which files of a table hold a key, told without a look at the table: an index of hashes in buckets of bounded size.

A folder of it: `bucket-000000.parquet`, entries (hash, number of a file) by hash, each bucket a range of hashes, as
many buckets as the entries need; `names-00000.parquet`, the files' names, a thousand each; `_index.json` last, how
many buckets there are and how addresses are compared. A key costs three small objects, whatever there is of the table.

It may name files that hold a key no more, and by chance, once in 10^9 keys asked of 10^10, one that never did: who asks
looks into the file.
"""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
from xxhash import xxh3_64_intdigest, xxh3_128_hexdigest

from pipeline.lists.row_removal import key_columns
from pipeline.store import storage
from pipeline.store.parquet_files import read_parquet
from pipeline.store.row_groups import RowGroupWriter
from pipeline.web import addresses
from pipeline.workers.tasks import TaskRunner

T = TypeVar("T")
R = TypeVar("R")

INDEX = "_index.json"
ENTRIES_A_BUCKET = 1 << 14  # at most, about: 200 KB
NAMES_A_FILE = 1 << 10
FILES_A_TASK = 16
MOST_TASKS = 4096
MOST_RANGES = 256  # of hashes, a task each: with three billion keys it holds 150 MB
BUCKETS_A_TASK = 64  # looked at

_ENTRIES = pa.schema([("hash", pa.uint64()), ("file", pa.uint32())])
_NAMES = pa.schema([("name", pa.string())])
_HALF = np.uint64(32)


class _Gathered(NamedTuple):
    """Entries of some files by hash, written to `path`. ends: how many lie before each range of hashes, and all."""

    path: str
    ends: list[int]


def hashes_of(name: str, values: Iterable[str | bytes | None]) -> np.ndarray:
    """uint64 of the values of a column that are there; `url` as it is compared in lists of addresses."""
    given = (value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value for value in values)
    there: Iterable[bytes] = (value for value in given if value is not None)
    if name == "url":
        there = (addresses.page(value.decode("utf-8", "replace")) for value in there)
    return np.fromiter(map(xxh3_64_intdigest, there), np.uint64)


def digest(values: Iterable[str]) -> str:
    """32 hexadecimal digits that tell sequences of values apart."""
    return xxh3_128_hexdigest("\n".join(values).encode("utf-8", "surrogatepass"))


def write(run_tasks: TaskRunner, files: Mapping[str, str], columns: Sequence[str], folder: str) -> None:
    """Indexes the columns' values in the files (name -> path) to the folder, in place of what is there."""
    storage.remove(folder)
    names = sorted(files)
    size = max(FILES_A_TASK, -(-len(names) // MOST_TASKS))
    chunks = [(at, [files[name] for name in names[at : at + size]]) for at in range(0, len(names), size)]
    if len(chunks) <= 1:  # a task would cost more than its work
        hashes, numbers = _entries(*chunks[0], columns) if chunks else (np.empty(0, np.uint64), np.empty(0, np.uint32))
        buckets = _buckets_of(len(hashes))
        _write_buckets(hashes, numbers, range(buckets), buckets, folder)
    else:
        ranges, scratch = min(MOST_RANGES, len(chunks)), storage.join(folder, "_scratch")
        gathering = functools.partial(_gather, columns=columns, ranges=ranges, scratch=scratch)
        gathered = run_tasks(gathering, chunks)
        a_range = _buckets_of(sum(part.ends[-1] for part in gathered) // ranges)
        buckets = a_range * ranges
        merging = functools.partial(_merge, buckets=buckets, a_range=a_range, folder=folder)
        run_tasks(
            merging,
            [(place, [(part.path, part.ends[place : place + 2], part.ends[-1]) for part in gathered])
             for place in range(ranges)],
        )  # fmt: skip
        storage.remove(scratch)
    for at in range(0, len(names), NAMES_A_FILE):
        with RowGroupWriter(_names_file(folder, at // NAMES_A_FILE), _NAMES) as out:
            out.write(pa.table([names[at : at + NAMES_A_FILE]], _NAMES))
    _write_end(folder, buckets)


def write_empty(folder: str) -> None:
    """Of files whose keys another index has."""
    storage.remove(folder)
    _write_end(folder, 0)


def _write_end(folder: str, buckets: int) -> None:
    storage.write_json(storage.join(folder, INDEX), {"buckets": buckets, "addresses": addresses.VERSION})


def there(folder: str, columns: Sequence[str]) -> bool:
    """Whether the columns are indexed, and addresses as they are compared now."""
    return _index(folder, columns) is not None


def _index(folder: str, columns: Sequence[str]) -> dict[str, Any] | None:
    index: dict[str, Any] | None = storage.read_json(storage.join(folder, INDEX))
    if index and index["buckets"] and "url" in columns and index.get("addresses") != addresses.VERSION:
        return None  # by an older version, whose hashes are of other spellings
    return index


def files_with(run_tasks: TaskRunner, folder: str, name: str, hashes: np.ndarray) -> set[str] | None:
    """Names of the files that may hold one of the keys in the column `name`; None where no index tells."""
    index = _index(folder, [name])
    if index is None:
        return None
    if not index["buckets"] or not len(hashes):
        return set()
    asked = np.unique(hashes)
    places = _bucket_numbers(asked, index["buckets"])
    starts = np.flatnonzero(np.diff(places, prepend=-1)).tolist()
    wanted = [(int(places[start]), part) for start, part in zip(starts, np.split(asked, starts[1:]), strict=True)]
    numbers = np.unique(np.concatenate(_by_tasks(run_tasks, functools.partial(_look, folder=folder), wanted)))
    chunks = sorted({int(number) // NAMES_A_FILE for number in numbers})
    names = {chunk: read_parquet(_names_file(folder, chunk)).column(0) for chunk in chunks}
    return {names[number // NAMES_A_FILE][number % NAMES_A_FILE].as_py() for number in numbers.tolist()}


def _by_tasks(run_tasks: TaskRunner, function: Callable[[Sequence[T]], R], items: Sequence[T]) -> list[R]:
    chunks = [items[at : at + BUCKETS_A_TASK] for at in range(0, len(items), BUCKETS_A_TASK)]
    return [function(chunks[0])] if len(chunks) == 1 else run_tasks(function, chunks)


def _look(wanted: Sequence[tuple[int, np.ndarray]], folder: str) -> np.ndarray:
    found = [np.empty(0, np.uint32)]
    for bucket, hashes in wanted:
        entries = read_parquet(_bucket_file(folder, bucket))
        found.append(entries["file"].to_numpy()[np.isin(entries["hash"].to_numpy(), hashes)])
    return np.unique(np.concatenate(found))


def _entries(first: int, paths: Sequence[str], columns: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """By hash, then file, each once. first: number of the first file."""
    hashes, numbers = [np.empty(0, np.uint64)], [np.empty(0, np.uint32)]
    for number, path in enumerate(paths, first):
        for piece in key_columns(path, columns):
            for name in piece.column_names:
                hashes.append(hashes_of(name, piece[name].cast(pa.binary()).to_pylist()))
                numbers.append(np.full(len(hashes[-1]), number, np.uint32))
    return _sorted(np.concatenate(hashes), np.concatenate(numbers))


def _sorted(hashes: np.ndarray, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.lexsort((numbers, hashes))
    hashes, numbers = hashes[order], numbers[order]
    new = np.ones(len(hashes), np.bool_)
    new[1:] = (hashes[1:] != hashes[:-1]) | (numbers[1:] != numbers[:-1])
    return hashes[new], numbers[new]


def _gather(chunk: tuple[int, Sequence[str]], columns: Sequence[str], ranges: int, scratch: str) -> _Gathered:
    hashes, numbers = _entries(*chunk, columns)
    path = storage.join(scratch, f"{chunk[0]:07d}.entries")
    storage.write_bytes(path, hashes.astype("<u8").tobytes() + numbers.astype("<u4").tobytes())
    return _Gathered(path, np.searchsorted(_bucket_numbers(hashes, ranges), np.arange(ranges + 1)).tolist())


def _merge(item: tuple[int, Sequence[tuple[str, Sequence[int], int]]], buckets: int, a_range: int, folder: str) -> None:
    """Writes the buckets of a range of hashes."""
    place, parts = item
    hashes, numbers = [np.empty(0, np.uint64)], [np.empty(0, np.uint32)]
    for path, (begin, end), rows in parts:
        if end > begin:
            fs, inside = storage.filesystem(path)
            hashes.append(np.frombuffer(fs.cat_file(inside, start=8 * begin, end=8 * end), "<u8"))
            numbers.append(
                np.frombuffer(fs.cat_file(inside, start=8 * rows + 4 * begin, end=8 * rows + 4 * end), "<u4")
            )
    entries = _sorted(np.concatenate(hashes), np.concatenate(numbers))
    _write_buckets(*entries, range(place * a_range, (place + 1) * a_range), buckets, folder)


def _write_buckets(hashes: np.ndarray, numbers: np.ndarray, mine: range, buckets: int, folder: str) -> None:
    ends = np.searchsorted(_bucket_numbers(hashes, buckets), np.arange(mine.start, mine.stop + 1)).tolist()
    for place, bucket in enumerate(mine):
        here = slice(ends[place], ends[place + 1])
        path = _bucket_file(folder, bucket)
        with RowGroupWriter(path, _ENTRIES, max(1, ends[place + 1] - ends[place]), plain=("hash",)) as out:
            out.write(pa.table([hashes[here], numbers[here]], _ENTRIES))


def _buckets_of(entries: int) -> int:
    return max(1, -(-entries // ENTRIES_A_BUCKET))


def _bucket_numbers(hashes: np.ndarray, buckets: int) -> np.ndarray:
    """Of sorted hashes sorted numbers."""
    return (((hashes >> _HALF) * np.uint64(buckets)) >> _HALF).astype(np.int64)


def _bucket_file(folder: str, bucket: int) -> str:
    return storage.join(folder, f"bucket-{bucket:06d}.parquet")


def _names_file(folder: str, chunk: int) -> str:
    return storage.join(folder, f"names-{chunk:05d}.parquet")
