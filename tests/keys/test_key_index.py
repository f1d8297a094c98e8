"""An index of keys: it names every file that holds a key, hardly any other, and costs little to ask."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.keys import key_index
from pipeline.store import storage
from pipeline.web import addresses
from pipeline.workers.processes import process_runner

HERE = process_runner(1)


def in_this_process(function: Callable[[Any], Any], items: Sequence[Any], /, step: object = None) -> list[Any]:
    return [function(item) for item in items]


def files(folder: Path, n_files: int, rows: int, seed: int = 1) -> dict[str, str]:
    """Ids of which some are in several files, and some are not there."""
    draw, folder = random.Random(seed), folder / "table"
    folder.mkdir()
    for number in range(n_files):
        ids = [None if draw.random() < 0.05 else f"id-{draw.randrange(n_files * rows)}" for _ in range(rows)]
        urls = [f"https://www.example.org/{name}/" for name in ids]
        pq.write_table(pa.table({"id": ids, "url": urls}), folder / f"part-{number:05d}.parquet")
    return {path.name: str(path) for path in sorted(folder.iterdir())}


def holders(table: dict[str, str], keys: set[str]) -> set[str]:
    return {name for name, path in table.items() if keys & set(pq.read_table(path)["id"].to_pylist())}


@pytest.mark.parametrize(("n_files", "rows"), [(1, 30), (40, 50), (3, 20_000)])
def test_every_file_with_a_key_is_named(
    tmp_path: Path, n_files: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By one task, by several with ranges of hashes, with many buckets; and the parts are the same either way."""
    monkeypatch.setattr(key_index, "ENTRIES_A_BUCKET", 64)
    monkeypatch.setattr(key_index, "NAMES_A_FILE", 7)
    table, index = files(tmp_path, n_files, rows), str(tmp_path / "index")
    key_index.write(HERE, table, ["id"], index)
    for keys in ({"id-3"}, {"id-5", "id-9", "nobody"}, {f"id-{n}" for n in range(0, n_files * rows, 7)}, {"nobody"}):
        found = key_index.files_with(in_this_process, index, "id", key_index.hashes_of("id", keys))
        assert found == holders(table, keys)
    assert key_index.files_with(HERE, index, "id", key_index.hashes_of("id", [])) == set()


def test_an_address_is_found_however_it_is_written(tmp_path: Path) -> None:
    table, index = files(tmp_path, 2, 20), str(tmp_path / "index")
    key_index.write(HERE, table, ["url"], index)
    name, path = next(iter(table.items()))
    known = next(one for one in pq.read_table(path)["id"].to_pylist() if one)
    asked = key_index.hashes_of("url", [f"http://EXAMPLE.org:80/{known}#part"])
    assert name in (key_index.files_with(HERE, index, "url", asked) or ())


def test_no_index_and_an_empty_one(tmp_path: Path) -> None:
    assert key_index.files_with(HERE, str(tmp_path / "none"), "id", np.empty(0, np.uint64)) is None
    key_index.write_empty(str(tmp_path / "empty"))
    assert key_index.files_with(HERE, str(tmp_path / "empty"), "id", key_index.hashes_of("id", ["a"])) == set()
    key_index.write(HERE, {}, ["id"], str(tmp_path / "nothing"))
    assert key_index.files_with(HERE, str(tmp_path / "nothing"), "id", key_index.hashes_of("id", ["a"])) == set()


def test_what_a_key_costs_does_not_grow_with_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_index, "ENTRIES_A_BUCKET", 128)
    monkeypatch.setattr(key_index, "NAMES_A_FILE", 16)
    costs = []
    for n_files in (20, 200):
        folder = tmp_path / str(n_files)
        folder.mkdir()
        key_index.write(HERE, files(folder, n_files, 40), ["id"], str(folder / "index"))
        sizes = {path.name: path.stat().st_size for path in (folder / "index").iterdir()}
        assert len(sizes) > n_files * 40 / 128
        costs.append(sum(max(size for name, size in sizes.items() if name.startswith(kind)) for kind in "bn_"))
    assert costs[1] < costs[0] * 1.3


def test_an_index_of_older_rules_of_addresses_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its hashes are of other spellings, so it would miss a page; ids are what they were."""
    table, index = files(tmp_path, 2, 20), str(tmp_path / "index")
    key_index.write(HERE, table, ["id", "url"], index)
    said = storage.read_json(f"{index}/{key_index.INDEX}")
    for version in (None, addresses.VERSION - 1, addresses.VERSION + 1):
        older = {name: value for name, value in {**said, "addresses": version}.items() if value is not None}
        storage.write_json(f"{index}/{key_index.INDEX}", older)
        assert not key_index.there(index, ["url"]) and key_index.there(index, ["id"])
        hashes = key_index.hashes_of("url", ["http://example.org/id-1"])
        assert key_index.files_with(HERE, index, "url", hashes) is None
        assert key_index.files_with(HERE, index, "id", key_index.hashes_of("id", ["nobody"])) == set()
    key_index.write_empty(index)
    assert key_index.there(index, ["url"]) and key_index.files_with(HERE, index, "url", hashes) == set()
