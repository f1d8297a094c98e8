"""One writer a root, on a disk and on a store."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import fsspec
import pytest

from pipeline.store import lease, storage
from schemas.errors import UserError

HOLDER = """
import sys, time
from pipeline.store import lease
with lease.held(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def holder(root: str) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, root], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def test_a_second_writer_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    root = str(tmp_path / "root")
    process = holder(root)
    try:
        said = json.loads((tmp_path / "root" / lease.NAME).read_text())
        told = rf"process {said['pid']} of {said['host']} since 20\d\d-.*name another"
        with pytest.raises(UserError, match=told), lease.held(root):
            raise AssertionError
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    with lease.held(root):  # a dead one's lease has ended
        assert json.loads((tmp_path / "root" / lease.NAME).read_text())["pid"] == os.getpid()
    assert not (tmp_path / "root").exists()


def test_what_the_root_holds_stays(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with lease.held(str(tmp_path)):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.2)
    monkeypatch.setattr(lease, "PATIENCE_SECONDS", 1.0)


def foreign(path: str, renewed: int = 0, pid: int = 1) -> None:
    said = {"host": "elsewhere", "pid": pid, "began": "2026-01-01T00:00:00+00:00", "token": "t", "renewed": renewed}
    storage.write_json(path, said)


def test_a_lease_on_a_store_that_nobody_renews_ends(quick: None) -> None:
    root = "memory://lease-dead"
    foreign(storage.join(root, lease.NAME))
    began = time.monotonic()
    with lease.held(root):
        assert storage.read_json(storage.join(root, lease.NAME))["pid"] == os.getpid()
    assert time.monotonic() - began >= 1.0
    storage.remove(root)


def test_a_lease_on_a_store_that_lives_refuses(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    root = "memory://lease-alive"
    path = storage.join(root, lease.NAME)
    foreign(path)
    monkeypatch.setattr(lease.time, "sleep", lambda _: foreign(path, renewed=1))
    with pytest.raises(UserError, match="process 1 of elsewhere since 2026-01-01"), lease.held(root):
        raise AssertionError
    storage.remove(root)


def test_a_writer_whose_lease_was_taken_does_not_end_well(quick: None) -> None:
    root = "memory://lease-taken"
    path = storage.join(root, lease.NAME)
    with pytest.raises(UserError, match="process 7 of elsewhere"), lease.held(root):
        foreign(path, pid=7)
    fsspec.filesystem("memory").rm("/lease-taken", recursive=True)
