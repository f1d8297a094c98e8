"""Checkpoints under damage: cut, changed and missing files, disks that are full, savers that are killed."""

import errno
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from torch import Tensor

from schemas.errors import UserError
from train.checkpoints import checkpoint
from train.checkpoints.saver import Saver

REPOSITORY = Path(__file__).resolve().parents[3]
FILES = ("digests.json", "encoder.json", "lineage.json", "model.safetensors", "optimizer.safetensors", "state.json")
CPU = torch.device("cpu")


def tensors(step: int) -> dict[str, dict[str, Tensor]]:
    draw = torch.Generator().manual_seed(step)
    weight = torch.randn(16, 8, generator=draw)
    return {
        "model": {"weight": weight, "bias": torch.randn(8, generator=draw).bfloat16()},
        "optimizer": {"weight.exp_avg": weight * 2, "weight.step": torch.tensor(step, dtype=torch.int64)},
    }


def documents(step: int) -> dict[str, dict[str, Any]]:
    return {"state": {"step": step}, "encoder": {"hidden_size": 8}, "lineage": {"parents": ["ключ"]}}


def save(folder: Path, *steps: int, keep: int = 9) -> None:
    for step in steps:
        checkpoint.save(folder, step, tensors(step), documents(step), keep)


def newest(folder: Path) -> tuple[str | None, list[str]]:
    said: list[str] = []
    path = checkpoint.newest(folder, said.append)
    return path.name if path else None, said


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def assert_holds(path: Path, step: int) -> None:
    found = checkpoint.read(path, CPU)
    assert found.documents == documents(step)
    assert found.tensors.keys() == tensors(step).keys()
    for file, values in tensors(step).items():
        assert found.tensors[file].keys() == values.keys()
        assert all(torch.equal(found.tensors[file][name], value) for name, value in values.items())
        assert all(found.tensors[file][name].dtype == value.dtype for name, value in values.items())


def test_what_is_saved_is_read(tmp_path: Path) -> None:
    assert newest(tmp_path / "none") == (None, [])
    save(tmp_path / "c", 1)
    path = tmp_path / "c" / "step-00000001"
    assert tuple(listing(path)) == FILES
    assert newest(tmp_path / "c") == (path.name, [])
    assert_holds(path, 1)


def test_tensors_that_are_not_contiguous(tmp_path: Path) -> None:
    value = torch.arange(6.0).reshape(2, 3).t()
    checkpoint.save(tmp_path, 1, {"model": {"weight": value}}, {}, 1)
    assert torch.equal(checkpoint.read(tmp_path / "step-00000001", CPU).tensors["model"]["weight"], value)


@pytest.mark.parametrize("file", FILES)
def test_a_cut_file_is_seen(tmp_path: Path, file: str) -> None:
    save(tmp_path, 1, 2)
    path = tmp_path / "step-00000002" / file
    content = path.read_bytes()
    for size in {0, len(content) - 1, *random.Random(file).choices(range(len(content)), k=20)}:
        path.write_bytes(content[:size])
        name, said = newest(tmp_path)
        assert name == "step-00000001"
        assert len(said) == 1 and said[0].startswith(f"checkpoint step-00000002 is damaged ({file}: ")
        assert said[0].endswith("going back to step-00000001")
    path.write_bytes(content)
    assert newest(tmp_path) == ("step-00000002", [])


@pytest.mark.parametrize("file", FILES)
def test_a_changed_byte_is_seen(tmp_path: Path, file: str) -> None:
    save(tmp_path, 1, 2)
    path = tmp_path / "step-00000002" / file
    content = bytearray(path.read_bytes())
    draw = random.Random(file)
    for place in {0, len(content) - 1, *draw.choices(range(len(content)), k=40)}:
        before = content[place]
        content[place] ^= 1 << draw.randrange(8)
        path.write_bytes(content)
        name, said = newest(tmp_path)
        assert name == "step-00000001" and len(said) == 1, (place, before)
        content[place] = before


@pytest.mark.parametrize("file", FILES)
def test_a_missing_file_is_seen(tmp_path: Path, file: str) -> None:
    save(tmp_path, 1, 2)
    (tmp_path / "step-00000002" / file).unlink()
    line = f"checkpoint step-00000002 is damaged ({file}: No such file or directory): going back to step-00000001"
    assert newest(tmp_path) == ("step-00000001", [line])


def test_two_damaged_and_then_all(tmp_path: Path) -> None:
    save(tmp_path, 1, 2, 3)
    for step in (3, 2):
        (tmp_path / f"step-0000000{step}" / "state.json").unlink()
    name, said = newest(tmp_path)
    assert name == "step-00000001" and [line.split()[-1] for line in said] == ["step-00000002", "step-00000001"]
    (tmp_path / "step-00000001" / "model.safetensors").write_bytes(b"")
    with pytest.raises(UserError, match=r"step-00000001: model.safetensors: 0 bytes, .* remove the folder") as caught:
        newest(tmp_path)
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


def test_going_back_by_editing_latest(tmp_path: Path) -> None:
    """Steps after the one named are not counted, neither when it is damaged nor when later ones are dropped."""
    save(tmp_path, 1, 2, 3, 4)
    (tmp_path / "latest").write_text("step-00000002\n")
    assert newest(tmp_path) == ("step-00000002", [])
    save(tmp_path, 3, keep=1)
    assert listing(tmp_path) == ["latest", "step-00000003", "step-00000004"]
    (tmp_path / "latest").write_text("step-00000003\n")
    (tmp_path / "step-00000003" / "state.json").write_text("{}")
    with pytest.raises(UserError, match=r"no checkpoint in .* up to step-00000003, which .*latest names, is whole"):
        newest(tmp_path)


@pytest.mark.parametrize("text", [None, "", "step-000000", "\x00" * 14, "../../etc\n"])
def test_latest_missing_or_damaged(tmp_path: Path, text: str | None) -> None:
    save(tmp_path, 1, 2)
    (tmp_path / "latest").unlink()
    if text is not None:
        (tmp_path / "latest").write_text(text)
    assert newest(tmp_path) == ("step-00000002", [])


def test_latest_names_a_folder_that_is_gone(tmp_path: Path) -> None:
    save(tmp_path, 1, 2)
    shutil.rmtree(tmp_path / "step-00000002")
    name, said = newest(tmp_path)
    assert name == "step-00000001" and "step-00000002 is damaged (digests.json: No such file" in said[0]
    shutil.rmtree(tmp_path / "step-00000001")
    with pytest.raises(UserError, match="start anew"):
        newest(tmp_path)


def test_keep_drops_the_oldest_and_parts_left_behind(tmp_path: Path) -> None:
    (tmp_path / ".step-00000001.part").mkdir()
    (tmp_path / ".step-00000001.part" / "model.safetensors").touch()
    save(tmp_path, 9, 10, 100, keep=2)
    assert listing(tmp_path) == ["latest", "step-00000010", "step-00000100"]


def test_the_same_step_again_replaces_it(tmp_path: Path) -> None:
    save(tmp_path, 1)
    checkpoint.save(tmp_path, 1, tensors(7), documents(7), 2)
    assert_holds(tmp_path / "step-00000001", 7)
    assert listing(tmp_path) == ["latest", "step-00000001"]


def test_weights_that_are_not_finite(tmp_path: Path) -> None:
    for number, (name, bad) in enumerate((("weight", float("nan")), ("bias", float("-inf"))), 1):
        values = tensors(number)
        values["model"][name].view(-1)[3] = bad
        checkpoint.save(tmp_path, number, values, documents(number), 9)
        with pytest.raises(UserError, match=rf"model\.safetensors is not finite in {name}: go on from .* before"):
            checkpoint.read(tmp_path / f"step-{number:08d}", CPU)
    large = {
        "weight": torch.full((9,), torch.finfo(torch.float32).max),
        "count": torch.tensor(3),
        "none": torch.empty(0),
    }
    checkpoint.check_finite(large, "the model")


def full(path: Path) -> UserError:
    """What a save of step 2 into `path` says."""
    with pytest.raises(UserError) as caught:
        save(path, 2)
    return caught.value


def assert_step_1_is_left(folder: Path) -> None:
    assert listing(folder) == ["latest", "step-00000001"]
    assert newest(folder) == ("step-00000001", [])
    assert_holds(folder / "step-00000001", 1)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("a disk of its own cannot be mounted here: needs root")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_disk_that_is_full(small_disk: Path) -> None:
    folder = small_disk / "checkpoints"
    save(folder, 1)
    values = {"model": {"weight": torch.zeros(1 << 16)}}
    line = (
        f"cannot write the checkpoint of step 2 into {folder} (No space left on device): free space there, "
        "then the same command goes on from step 1"
    )
    with pytest.raises(UserError) as caught:
        checkpoint.save(folder, 2, values, {}, 9)
    assert str(caught.value) == line
    assert_step_1_is_left(folder)
    saver = Saver(folder, 9)
    saver.submit(2, values, {})
    with pytest.raises(UserError) as caught:
        saver.wait()
    assert str(caught.value) == line
    assert_step_1_is_left(folder)
    saver.submit(2, tensors(2), documents(2))
    saver.wait()
    assert newest(folder) == ("step-00000002", [])


@pytest.mark.parametrize("file", (*FILES[1:], "latest"))
def test_a_write_that_fails_in_any_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    save(tmp_path, 1)
    write_text, save_file = Path.write_text, checkpoint.save_file

    def failing_text(path: Path, *arguments: Any, **settings: Any) -> int:
        if file in path.name:
            raise OSError(errno.EDQUOT, "Disk quota exceeded", str(path))
        return write_text(path, *arguments, **settings)

    def failing_file(values: dict[str, Tensor], path: Path) -> None:
        if path.name == file:
            raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
        save_file(values, path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", failing_text)
        patch.setattr(checkpoint, "save_file", failing_file)
        message = str(full(tmp_path))
    assert "free space there" in message and "goes on from step 1" in message and "\n" not in message
    assert newest(tmp_path) == ("step-00000001", [])
    assert not [name for name in listing(tmp_path) if name.endswith(".part")]


def test_a_limit_on_the_size_of_files_and_nothing_saved_before(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, hard))
    try:
        error = full(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert str(error).endswith("ulimit -f), then the same command starts anew")
    assert listing(tmp_path) == []


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_folder_that_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    save(tmp_path, 1)

    def mkdir(path: Path, *_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number), str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", mkdir)
        assert f"({os.strerror(number)}): make that writable, then" in str(full(tmp_path))
    assert_step_1_is_left(tmp_path)


def test_a_mistake_of_ours_keeps_its_class(tmp_path: Path) -> None:
    shared = torch.zeros(4)
    with pytest.raises(RuntimeError, match="share memory"):
        checkpoint.save(tmp_path, 1, {"model": {"one": shared, "two": shared}}, {}, 1)
    assert listing(tmp_path) == []
    with pytest.raises(TypeError, match="JSON"):
        Saver(tmp_path, 1).submit(1, {}, {"state": {"step": torch.tensor(1)}})


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Writing waits for this event."""
    go, original = threading.Event(), checkpoint.save_file

    def save_file(values: dict[str, Tensor], path: Path) -> None:
        assert go.wait(30)
        original(values, path)

    monkeypatch.setattr(checkpoint, "save_file", save_file)
    return go


def test_the_saver_saves_what_was_there_when_it_was_asked(tmp_path: Path, slow_disk: threading.Event) -> None:
    values, papers = tensors(1), documents(1)
    saver = Saver(tmp_path, 2)
    saver.submit(1, values, papers)
    for file in values.values():
        for value in file.values():
            value.zero_()
    papers["state"]["step"] = 0
    assert not (tmp_path / "latest").exists()
    slow_disk.set()
    saver.wait()
    assert_holds(tmp_path / "step-00000001", 1)


def test_a_second_save_waits_for_the_first(tmp_path: Path, slow_disk: threading.Event) -> None:
    saver = Saver(tmp_path, 2)
    saver.submit(1, tensors(1), documents(1))
    threading.Timer(0.2, slow_disk.set).start()
    began = time.monotonic()
    saver.submit(2, tensors(2), documents(2))
    assert time.monotonic() - began > 0.1 and newest(tmp_path)[0] is not None
    saver.wait()
    assert_holds(tmp_path / "step-00000001", 1)
    assert_holds(tmp_path / "step-00000002", 2)


def test_a_failed_save_is_told_at_the_next_one_and_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    saver = Saver(tmp_path / "file", 2)
    saver.submit(1, tensors(1), documents(1))
    with pytest.raises(UserError, match=r"step 1 into .*/file \("):
        saver.submit(2, tensors(2), documents(2))
    saver.wait()


KILLED = """
import sys, torch
from pathlib import Path
from train.checkpoints.saver import Saver
torch.set_num_threads(1)
saver, values = Saver(Path(sys.argv[1]), 2), {"model": {"weight": torch.zeros(1 << 20)}}
for step in range(1, 1_000_000):
    values["model"]["weight"].fill_(step)
    saver.submit(step, values, {"state": {"step": step}})
    print(step, flush=True)
"""


def test_a_run_that_is_killed_while_it_saves(tmp_path: Path) -> None:
    draw = random.Random(5)
    run = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert run.stdout is not None
    for _ in range(4):
        run.stdout.readline()
    time.sleep(draw.random() / 10)
    run.kill()
    run.communicate()
    name, said = newest(tmp_path)
    assert name is not None and said == []
    found = checkpoint.read(tmp_path / name, CPU)
    assert (found.tensors["model"]["weight"] == found.documents["state"]["step"]).all()
    for path in tmp_path.glob("step-*"):
        (tmp_path / "latest").write_text(path.name)
        assert newest(tmp_path) == (path.name, [])
    assert json.loads((tmp_path / name / "digests.json").read_text())["state.json"]["size"] > 0
