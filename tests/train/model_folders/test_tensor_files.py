"""Files of tensors, one at a time: what the library writes is read, what is written the library reads."""

import json
import os
import resource
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from schemas.errors import UserError
from train.model_folders import tensor_files
from train.model_folders.tensor_files import DTYPES, Described, TensorReader, TensorWriter


def some() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    found = {f"of.{name}": (torch.randn(5, 3, generator=generator) * 9).to(dtype) for name, dtype in DTYPES.items()}
    return found | {"schön/语.weight": torch.randn(2, 3, 4), "scalar": torch.tensor(1.5), "empty": torch.empty(0, 7)}


def described(tensors: dict[str, Tensor]) -> list[Described]:
    return [Described(name, one.dtype, tuple(one.shape)) for name, one in tensors.items()]


def write(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    with TensorWriter(path, described(tensors), metadata) as file:
        for name, one in tensors.items():
            file.write(name, one)


def same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    return {*found} == {*expected} and all(
        found[name].dtype == one.dtype and torch.equal(found[name], one) for name, one in expected.items()
    )


def test_the_library_reads_what_is_written(tmp_path: Path) -> None:
    tensors = some()
    write(tmp_path / "x.safetensors", tensors, {"format": "pt", "lineage": '{"a": 1}'})
    assert same(load_file(tmp_path / "x.safetensors"), tensors)
    with safe_open(tmp_path / "x.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt", "lineage": '{"a": 1}'}
    assert [*tmp_path.iterdir()] == [tmp_path / "x.safetensors"]


def test_what_the_library_writes_is_read_in_shards_too(tmp_path: Path) -> None:
    tensors = some()
    names = [*tensors]
    paths = [tmp_path / "1.safetensors", tmp_path / "2.safetensors"]
    for path, chosen in zip(paths, (names[:4], names[4:]), strict=True):
        save_file({name: tensors[name] for name in chosen}, path, {"from": path.name})
    with TensorReader(paths) as file:
        assert same({name: file.read(name) for name in file.described}, tensors)
        assert {one.name: (one.dtype, one.shape) for one in file.described.values()} == {
            name: (one.dtype, tuple(one.shape)) for name, one in tensors.items()
        }
        with pytest.raises(KeyError):
            file.read("another")


def test_tensors_are_cast_to_what_was_described_and_need_not_lie_in_one_piece(tmp_path: Path) -> None:
    given = torch.arange(12.0).reshape(3, 4)
    with TensorWriter(tmp_path / "x.safetensors", [Described("x", torch.bfloat16, (4, 3))]) as file:
        file.write("x", given.T)
    assert torch.equal(load_file(tmp_path / "x.safetensors")["x"], given.T.bfloat16())


def test_nothing_is_in_the_file_s_place_before_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write(path, {"x": torch.ones(2)})
    two = [Described("x", torch.float32, (2,)), Described("y", torch.float32, (2,))]
    with pytest.raises(ValueError, match="y was described and not written"), TensorWriter(path, two) as file:
        file.write("x", torch.zeros(2))
    with pytest.raises(ValueError, match=r"y \[2\] was given, where x \[2\]"), TensorWriter(path, two) as file:
        file.write("y", torch.zeros(2))
    with pytest.raises(ValueError, match=r"x \[3\] was given"), TensorWriter(path, two) as file:
        file.write("x", torch.zeros(3))
    with pytest.raises(ValueError, match="no more was described"), TensorWriter(path, []) as file:
        file.write("x", torch.zeros(3))
    with pytest.raises(RuntimeError, match="elsewhere"), TensorWriter(path, two) as file:
        file.write("x", torch.zeros(2))
        raise RuntimeError("elsewhere")
    with pytest.raises(ValueError, match="x is described twice"):
        TensorWriter(path, [two[0], two[0]])
    assert [*tmp_path.iterdir()] == [path] and load_file(path)["x"].tolist() == [1, 1]


def test_the_disk_is_asked_to_begin_before_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte once, and of the last ones fewer than are waited for; what is written is the same."""
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(tensor_files, "AT_ONCE", 1000)
    monkeypatch.setattr(os, "posix_fadvise", lambda file, begin, length, advice: asked.append((begin, length)))
    tensors = {str(number): torch.randn(300) for number in range(6)} | {"large": torch.randn(999)}
    write(tmp_path / "x.safetensors", tensors)
    assert same(load_file(tmp_path / "x.safetensors"), tensors)
    ends = [begin + length for begin, length in asked]
    assert [begin for begin, _ in asked] == [0, *ends[:-1]]
    assert 0 <= (tmp_path / "x.safetensors").stat().st_size - ends[-1] < 1000


@pytest.mark.parametrize("room", [0, 100, 5000])
def test_a_disk_that_is_full_is_one_line_and_nothing_is_left(tmp_path: Path, room: int) -> None:
    """As a limit on the size of files: at the header, and in the midst of a tensor."""
    path, tensor = tmp_path / "x.safetensors", torch.ones(4096)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        with pytest.raises(UserError, match=r"x\.safetensors cannot be written \(File too large\)"):
            write(path, {"x": tensor})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda whole: b"",
        lambda whole: whole[:5],
        lambda whole: whole[:-1],
        lambda whole: (1 << 60).to_bytes(8, "little") + whole[8:],
        lambda whole: (0).to_bytes(8, "little") + whole[8:],
        lambda whole: whole[:8] + b"[" + whole[9:],
        lambda whole: whole.replace(b'"F32"', b'"F33"'),
        lambda whole: whole.replace(b"[3,2]", b"[3,3]"),
        lambda whole: b"\x80\x02" + whole,
    ],
)
def test_a_file_that_is_not_whole_is_one_line(tmp_path: Path, spoil: "object") -> None:
    path = tmp_path / "x.safetensors"
    write(path, {"x": torch.ones(3, 2)})
    path.write_bytes(spoil(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(UserError, match=r"x\.safetensors is no whole file of tensors"):
        TensorReader([path])
    with pytest.raises(UserError, match=r"y\.safetensors is no whole file of tensors"):
        TensorReader([tmp_path / "y.safetensors"])


def test_a_file_that_shrinks_while_it_is_read_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write(path, {"x": torch.ones(1000)})
    with TensorReader([path]) as file:
        os.truncate(path, 2000)
        with pytest.raises(UserError, match="ends within x"):
            file.read("x")


def test_the_header_is_as_the_format_says(tmp_path: Path) -> None:
    write(tmp_path / "x.safetensors", {"b": torch.ones(3, dtype=torch.float16), "a": torch.zeros(2, 1)}, {"k": "v"})
    whole = (tmp_path / "x.safetensors").read_bytes()
    length = int.from_bytes(whole[:8], "little")
    assert length % 8 == 0 and len(whole) == 8 + length + 6 + 8
    assert json.loads(whole[8 : 8 + length]) == {
        "__metadata__": {"k": "v"},
        "b": {"dtype": "F16", "shape": [3], "data_offsets": [0, 6]},
        "a": {"dtype": "F32", "shape": [2, 1], "data_offsets": [6, 14]},
    }


def peak() -> int:
    """Bytes that this process has had resident at most, since it was told to count anew."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))


def test_reading_and_writing_hold_one_tensor_at_a_time(tmp_path: Path) -> None:
    """Twelve of 16 MB each."""
    tensors = {f"{number}": torch.full((4 << 20,), float(number)) for number in range(12)}
    write(tmp_path / "x.safetensors", tensors)
    del tensors
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = peak()
    file = TensorReader([tmp_path / "x.safetensors"])
    with file, TensorWriter(tmp_path / "y.safetensors", file.described.values()) as to:
        for name in file.described:
            to.write(name, file.read(name))
    assert peak() - before < 3 * (16 << 20)
    assert (tmp_path / "x.safetensors").read_bytes() == (tmp_path / "y.safetensors").read_bytes()
