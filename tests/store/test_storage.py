import errno
import gzip
import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from pipeline.archive.manifest import manifest
from pipeline.lists import list_files
from pipeline.store import storage
from schemas.errors import UserError


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A folder that is not there yet, on a disk and in a store that shows a file as soon as it is opened."""
    if request.param == "local":
        yield str(tmp_path / "new")
        return
    name = uuid.uuid4().hex
    yield f"memory://{name}/new"
    fsspec.filesystem("memory").rm(f"/{name}", recursive=True)


@pytest.fixture
def tree(folder: str) -> str:
    for name, data in {"a.parquet": b"12", "deep/er/b.parquet": b"123", "_run.json": b"1", ".a.crc": b"1",
                       "_scratch/c.parquet": b"1", "deep/.hidden/d.parquet": b"1"}.items():  # fmt: skip
        storage.write_bytes(storage.join(folder, name), data)
    return folder


def read(path: str) -> bytes:
    fs, inside = storage.filesystem(path)
    return bytes(fs.cat_file(inside))


def test_a_file_appears_when_its_block_ends(folder: str) -> None:
    path = storage.join(folder, "deep", "data.bin")
    with storage.whole_file(path) as file:
        file.write(b"first half, ")
        file.flush()
        assert not storage.exists(path)
        file.write(b"second half")
    assert read(path) == b"first half, second half"
    assert list(storage.listing(folder, hidden=True)) == ["deep/data.bin"]


class Stop(BaseException):
    """Neither an Exception nor an error: as KeyboardInterrupt."""


@pytest.mark.parametrize("error", [RuntimeError, Stop])
def test_a_file_whose_block_fails_never_was(folder: str, error: type[BaseException]) -> None:
    path = storage.join(folder, "data.bin")
    with pytest.raises(error), storage.whole_file(path) as file:
        file.write(b"half")
        raise error
    assert storage.listing(folder, hidden=True) == {}


def test_a_failed_block_leaves_the_file_that_was_there(folder: str) -> None:
    path = storage.join(folder, "data.bin")
    storage.write_bytes(path, b"old")
    with pytest.raises(RuntimeError), storage.whole_file(path) as file:
        file.write(b"new and longer")
        raise RuntimeError
    assert read(path) == b"old"
    storage.write_bytes(path, b"new")
    assert read(path) == b"new"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last bytes may fail to reach the disk only when the file is closed."""
    real = open

    def on_a_full_disk(path: str, mode: str) -> object:
        os.symlink("/dev/full", path)
        return real(path, mode)

    monkeypatch.setattr("builtins.open", on_a_full_disk)
    with pytest.raises(OSError, match="No space left"):
        storage.write_bytes(str(tmp_path / "data.bin"), b"short: stays in the buffer")
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []


def test_temporary_files_lie_in_the_engines_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPARK_LOCAL_DIRS", raising=False)
    monkeypatch.setenv("LOCAL_DIRS", f"{tmp_path}/yarn")
    assert storage.scratch_folder() == f"{tmp_path}/yarn"
    monkeypatch.setenv("SPARK_LOCAL_DIRS", f"{tmp_path}/one, {tmp_path}/two")
    monkeypatch.setattr(os, "getpid", iter((6, 7)).__next__)
    assert [storage.scratch_folder() for _ in range(2)] == [f"{tmp_path}/one", f"{tmp_path}/two"]
    monkeypatch.undo()
    assert storage.scratch_folder()


def test_a_full_disk_of_temporary_files_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_LOCAL_DIRS", f"{tmp_path}/small")
    said = rf"No space left on device in {tmp_path}/small, .* spark\.local\.dir"
    with pytest.raises(UserError, match=said), storage.whole_file("memory://full/a") as file:
        assert os.path.dirname(file.name) == f"{tmp_path}/small"
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert not storage.exists("memory://full/a") and os.listdir(tmp_path / "small") == []


def test_json_is_whole_canonical_and_read_back(folder: str) -> None:
    path = storage.join(folder, "_run.json")
    assert storage.read_json(path) is None
    value = {"b": [1, 2.5, None], "a": "语言"}
    storage.write_json(path, value)
    assert storage.read_json(path) == value
    written = read(path)
    assert written == (json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()
    with pytest.raises(TypeError):
        storage.write_json(path, {"now": object()})
    assert read(path) == written


def test_damaged_json_is_named_with_the_way_out(folder: str) -> None:
    path = storage.join(folder, "_run.json")
    for data in (b'{"stage": ', b"", b"\xff\xfe\x00"):
        storage.write_bytes(path, data)
        with pytest.raises(UserError, match=r"_run\.json is damaged: remove its folder") as caught:
            storage.read_json(path)
        assert type(caught.value) is UserError


def test_listing_hides_what_engines_hide(tree: str) -> None:
    assert storage.listing(tree) == {"a.parquet": 2, "deep/er/b.parquet": 3}
    assert list(storage.listing(tree)) == sorted(storage.listing(tree))
    assert set(storage.listing(tree, hidden=True)) == {
        ".a.crc", "_run.json", "_scratch/c.parquet", "a.parquet", "deep/.hidden/d.parquet", "deep/er/b.parquet",
    }  # fmt: skip
    assert storage.listing(storage.join(tree, "absent")) == {}


def test_listing_looks_only_below_the_folder(tree: str) -> None:
    """A hidden folder above is where the user chose to be."""
    assert storage.listing(storage.join(tree, "_scratch")) == {"c.parquet": 1}
    assert storage.listing(storage.join(tree, "_scratch", "c.parquet")) == {"c.parquet": 1}
    assert storage.listing(storage.join(tree, "deep") + "/") == {"er/b.parquet": 3}


def test_remove(tree: str) -> None:
    for _ in range(2):  # the second time it is gone already
        storage.remove(storage.join(tree, "deep"))
        assert storage.listing(tree) == {"a.parquet": 2}


def test_create_writes_where_nothing_is(tree: str) -> None:
    path = storage.join(tree, "new", "lease.json")
    assert storage.create(path, b"1")
    assert not storage.create(path, b"2")
    assert storage.read_bytes(path) == b"1"
    assert storage.read_bytes(path + ".absent") is None


@pytest.mark.parametrize(
    ("parts", "joined"),
    [
        (("/data", "a", "b.json"), "/data/a/b.json"),
        (("/data/", "a"), "/data/a"),
        (("/", "a"), "/a"),
        (("s3://bucket/", "a"), "s3://bucket/a"),
        (("file:///data", "a"), "file:///data/a"),
    ],
)
def test_join(parts: tuple[str, ...], joined: str) -> None:
    assert storage.join(*parts) == joined


def test_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert storage.absolute("x/../y") == str(tmp_path / "y")
    assert storage.absolute("file:///data/x") == "/data/x"
    assert storage.absolute("s3://bucket/x/../y") == "s3://bucket/x/../y"
    assert [storage.is_local(path) for path in ("x", "/x", "file:///x", "s3://x", "https://x")] == [True] * 3 + [
        False
    ] * 2


def test_a_packed_file_that_swells_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = gzip.compress(bytes(1 << 20)) * 3
    assert len(storage.unpacked(bomb, "x")) == 3 << 20
    assert storage.unpacked(b"plain", "x") == b"plain"
    monkeypatch.setattr(storage, "MOST_UNPACKED", 2 << 20)
    for name in ("bomb.paths.gz", "bomb.txt"):
        (tmp_path / name).write_bytes(bomb)
    for read in (
        lambda: manifest([str(tmp_path / "bomb.paths.gz")]),
        lambda: list_files.read(str(tmp_path / "bomb.txt")),
    ):
        with pytest.raises(UserError, match=r"bomb\.\w+.*: unpacked it has more than 2,097,152 bytes") as caught:
            read()
        assert "\n" not in str(caught.value)
