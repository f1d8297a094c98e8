"""Tables put together by chance from what the world does to tables: whatever it is, the answer is pyarrow's, or one
line and exit status 2. Jobs run whole, their tasks in this process."""

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from copies import family
from odd_tables import ODD_TYPES, read, run_tasks_here

from jobs import clean, dedup

TEXTS = [family(f"t{n}", [0], n, length=30)[0]["text"] for n in range(12)]
OUR_NAMES = ("language", "language_script", "date", "url", "quality", "opt_out", "n_words", "drop_reason", "cluster_id")
SPOILT = {"nulls in ids", "no ids", "ids no UTF-8", "no texts", "a name twice", "lists as texts"}
Columns = dict[str, Any]


class Mutated:
    """A table in a folder. spoilt: it must be refused. may_fail: bytes were changed, so it may be, if pyarrow agrees
    or not."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.rng, self.folder = random.Random(seed), folder
        self.spoilt, self.may_fail = False, False
        changes = self.rng.sample([*CHANGES, *sorted(SPOILT), "damage"], self.rng.randint(1, 3))
        self.changes = changes
        files = [self.columns(number) for number in range(self.rng.randint(1, 3))]
        for change in changes:
            if change in CHANGES:
                CHANGES[change](self, files, self.rng.choice(files))
        for change in SPOILT.intersection(changes[:1]):
            self.spoilt = True
            self.spoil(change, self.rng.choice(files))
        hive = "hive" in changes
        for number, columns in enumerate(files):
            place = folder / (self.rng.choice(["k=1", "k=a%2Fb", "k=__HIVE_DEFAULT_PARTITION__"]) if hive else "")
            place.mkdir(parents=True, exist_ok=True)
            names = [*columns, "id"] if columns.pop("twice", None) is not None else list(columns)
            table = pa.table([columns[name] for name in names], names)
            options: dict[str, Any] = {
                "compression": self.rng.choice(["none", "snappy", "zstd", "gzip", "lz4"]),
                "data_page_version": self.rng.choice(["1.0", "2.0"]),
                "use_dictionary": self.rng.random() < 0.5,
                "row_group_size": self.rng.choice([2, 100]),
                "write_page_checksum": self.rng.random() < 0.3,
            }
            with open(
                place / f"{number}{self.rng.choice(['.parquet', '.snappy.parquet', '.PARQUET', ''])}", "wb"
            ) as out:
                pq.write_table(table, out, **options)
        if "damage" in changes:
            self.may_fail = True
            self.damage(self.rng.choice(visible(folder)))

    def columns(self, number: int) -> Columns:
        size = self.rng.randint(0, 6) if number else self.rng.randint(1, 6)
        texts = self.rng.choices(TEXTS, k=size)
        return {"id": pa.array([f"{number}-{n}" for n in range(size)]), "text": pa.array(texts, pa.string())}

    def odd(self, size: int) -> pa.Array:
        cells = self.rng.choice(list(ODD_TYPES.values()))
        return cells.take(pa.array([self.rng.randrange(6) for _ in range(size)], pa.int64()))

    def spoil(self, how: str, columns: Columns) -> None:
        size = len(columns["id"])
        if how == "nulls in ids":
            columns["id"] = pa.nulls(size + 1, pa.string())
            columns["text"] = pa.array(["x"] * (size + 1))
            for name in set(columns) - {"id", "text"}:
                columns[name] = pa.nulls(size + 1)
        elif how in ("no ids", "ids no UTF-8"):
            for name in columns:
                columns[name] = pa.nulls(1) if name not in ("id", "text") else pa.array(["x"])
            if how == "no ids":
                del columns["id"]
            else:
                columns["id"] = pa.array([b"\xfe"])
        elif how == "a name twice":
            columns["twice"] = True
        elif how == "lists as texts":
            columns["text"] = pa.array([["x"]] * size, pa.list_(pa.string()))
        else:
            columns["text"] = pa.array([{"x": 1}] * size, pa.struct([("x", pa.int8())]))

    def damage(self, file: Path) -> None:
        data = bytearray(file.read_bytes())
        how, at = self.rng.randrange(3), self.rng.randrange(len(data))
        if how == 0:
            data = data[:at]
        elif how == 1:
            data[at : at + 40] = bytes(len(data[at : at + 40]))
        else:
            for _ in range(5):
                data[self.rng.randrange(len(data))] ^= 1 << self.rng.randrange(8)
        file.write_bytes(data)


def add_column(table: Mutated, files: list[Columns], victim: Columns) -> None:
    victim[table.rng.choice([*OUR_NAMES, "x", "a.b", "ID", "Text"])] = table.odd(len(victim["id"]))


def add_column_everywhere(table: Mutated, files: list[Columns], victim: Columns) -> None:
    name, kind = table.rng.choice([*OUR_NAMES, "x", "text.x", "Url"]), table.rng.choice(list(ODD_TYPES))
    for columns in files:
        columns[name] = ODD_TYPES[kind].take(pa.array([table.rng.randrange(6) for _ in columns["id"]], pa.int64()))


def numbers_of_two_sizes(table: Mutated, files: list[Columns], victim: Columns) -> None:
    for columns in files:
        kind = table.rng.choice([pa.int8(), pa.int32(), pa.int64(), pa.float32(), pa.float64(), pa.null()])
        columns["n"] = (
            pa.array([1] * len(columns["id"])).cast(kind) if kind != pa.null() else pa.nulls(len(columns["id"]))
        )


def retyped(name: str, *kinds: pa.DataType) -> Any:
    def change(table: Mutated, files: list[Columns], victim: Columns) -> None:
        victim[name] = victim[name].cast(table.rng.choice(kinds))

    return change


def another_order(table: Mutated, files: list[Columns], victim: Columns) -> None:
    names = list(victim)
    table.rng.shuffle(names)
    for name in names:
        victim[name] = victim.pop(name)


def with_nulls(table: Mutated, files: list[Columns], victim: Columns) -> None:
    victim["text"] = pa.array([None] * len(victim["id"]), pa.string())


def beside_others(table: Mutated, files: list[Columns], victim: Columns) -> None:
    for name in ("_SUCCESS", ".0.parquet.crc", "_old/1.parquet", "notes.txt", "empty.parquet"):
        (table.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (table.folder / name).write_bytes(b"" if name == "empty.parquet" else b"not Parquet")


DICTIONARY = pa.dictionary(pa.int32(), pa.string())
CHANGES: dict[str, Any] = {
    "a column": add_column,
    "a column everywhere": add_column_everywhere,
    "numbers": numbers_of_two_sizes,
    "ids": retyped("id", pa.large_string(), pa.binary(), DICTIONARY, pa.string_view(), pa.large_binary()),
    "texts": retyped("text", pa.large_string(), pa.binary(), DICTIONARY, pa.string_view()),
    "order": another_order,
    "null texts": with_nulls,
    "others": beside_others,
    "hive": lambda *_: None,
}


def visible(folder: Path) -> list[Path]:
    """Files that count, by rules of their own."""
    found = []
    for file in sorted(folder.rglob("*")):
        hidden = any(part[0] in "._" and "=" not in part for part in file.relative_to(folder).parts)
        if file.is_file() and not hidden and file.stat().st_size:
            named = file.name.lower().endswith(".parquet")
            if named or file.read_bytes()[:4] == b"PAR1":
                found.append(file)
    return found


def by_pyarrow(folder: Path) -> pa.Table | None:
    """The table as pyarrow has it, dictionaries and views as their values; None for what it cannot read as one."""
    pieces = []
    try:
        for file in visible(folder):
            piece = read([file])
            for place, field in enumerate(piece.schema):
                plain = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
                plain = pa.string() if plain == pa.string_view() else plain
                piece = piece.set_column(place, field.name, piece[field.name].cast(plain))
            pieces.append(piece)
        return pa.concat_tables(pieces, promote_options="permissive")
    except (pa.ArrowException, OSError, KeyError):
        return None


def check(seed: int, folder: Path, job: Any, capfd: pytest.CaptureFixture[str]) -> str:
    table = Mutated(seed, folder / "table")
    where = (seed, table.changes)
    expected = by_pyarrow(folder / "table")
    capfd.readouterr()
    status = job.main(["--input", str(folder / "table"), "--output", str(folder / "out")])
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    if status:
        assert status == 2 and len(lines) == 1 and ("table" in lines[0] or "column" in lines[0]), (where, lines)
        assert table.spoilt or table.may_fail or expected is None, (where, lines)
        return "refused"
    assert not table.spoilt or table.may_fail, where
    assert expected is not None, where
    ledger = json.loads((folder / "out" / "_ledger.json").read_text())
    assert ledger["rows_in"] == len(expected), where
    found = read(sorted((folder / "out" / "documents").glob("*.parquet")))
    if job is dedup:
        if not table.may_fail:
            assert len(found) == len(set(expected["text"].cast(pa.string()).fill_null("").to_pylist())), where
        assert len(found) == ledger["rows_out"], where
        passed = [name for name in expected.column_names if name not in ("id", "text", "cluster_id")]
    else:
        assert len(found) == len(expected), where
        passed = [name for name in expected.column_names if name not in clean.clean.CLEANED.names]
    assert set(passed) <= set(found.column_names), where
    places = {name: place for place, name in enumerate(expected["id"].cast(pa.string()).to_pylist())}
    rows = expected.take(pa.array([places[name] for name in found["id"].to_pylist()], pa.int64()))
    for name in passed:
        cells = found[name].cast(rows[name].type)
        assert cells.combine_chunks().equals(rows[name].combine_chunks()), (where, name)
    return "answered"


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    run_tasks_here(monkeypatch)


@pytest.mark.parametrize("job", [dedup, clean])
def test_some_mutated_tables(
    in_this_process: None, tmp_path: Path, capfd: pytest.CaptureFixture[str], job: Any
) -> None:
    ends = Counter(check(seed, tmp_path / str(seed), job, capfd) for seed in range(12))
    assert ends["answered"] > 3 and ends["refused"] > 1


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(0, 500, 25))
def test_500_mutated_tables(
    in_this_process: None, tmp_path: Path, capfd: pytest.CaptureFixture[str], seed: int
) -> None:
    for one in range(1000 + seed, 1025 + seed):
        check(one, tmp_path / str(one), clean if one % 4 == 0 else dedup, capfd)
