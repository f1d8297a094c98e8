"""What is read of an object, counted at the store."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from counted_store import CountedStore, counted_store

from pipeline.store import storage
from pipeline.store.parquet_files import read_parquet

PATH = "s3://corpus/table.parquet"
GROUPS = 25


@pytest.fixture(scope="module")
def table() -> pa.Table:
    draw = np.random.default_rng(0)
    numbers = draw.integers(0, 1 << 60, 50_000)
    return pa.table({"narrow": numbers, "text": [draw.bytes(100) for _ in numbers], "last": numbers[::-1]})


@pytest.fixture(scope="module")
def store(table: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CountedStore]:
    path = tmp_path_factory.mktemp("ranges") / "table.parquet"
    pq.write_table(table, path, row_group_size=len(table) // GROUPS)
    with counted_store({"table.parquet": path.read_bytes()}) as running:
        yield running


@pytest.mark.parametrize("name", ["narrow", "last"])
def test_a_column_costs_its_own_bytes(store: CountedStore, table: pa.Table, name: str) -> None:
    store.behave()
    assert read_parquet(PATH, [name]).equals(table.select([name]))
    counts = store.counts()
    assert counts.read < 2 * 8 * len(table) and counts.requests["GET"] < 2 * GROUPS


def test_a_whole_table_costs_few_requests(store: CountedStore, table: pa.Table, tmp_path: Path) -> None:
    store.behave()
    assert read_parquet(PATH).equals(table)
    counts = store.counts()
    assert counts.requests["GET"] < GROUPS / 2
    assert counts.read < 1.1 * storage.listing("s3://corpus")["table.parquet"]


def test_pieces_are_those_of_the_file(store: CountedStore) -> None:
    fs, inside = storage.filesystem(PATH)
    data, draw = storage.read_bytes(PATH), np.random.default_rng(1)
    assert data
    with fs.open(inside, "rb") as file:
        for _ in range(60):
            start, size = int(draw.integers(0, len(data))), int(draw.integers(0, 1 << draw.integers(1, 20)))
            if draw.random() < 0.5:
                file.seek(start)
            start = file.tell()
            assert file.read(size) == data[start : start + size]
        file.seek(-5, 2)
        assert file.read() == data[-5:] and file.read() == b"" and file.read(3) == b""
    with fs.open(inside, "rb") as file:
        assert file.read() == data
    with pytest.raises(FileNotFoundError), fs.open("corpus/nothing", "rb") as file:
        file.read()
