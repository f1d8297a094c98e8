"""One writer a root: `_writer.json` in it says who, and holds while that process lives.

On a disk the kernel keeps it, as a lock on the file that ends with the process (flock; over NFS too). On a store a
process beside the writer writes it anew every few seconds and ends with it; a lease that nobody has renewed while
another looked on is a dead one's. So no clock of one machine is compared with another's.
"""

import fcntl
import json
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from pipeline.store import storage
from schemas.errors import UserError

NAME = "_writer.json"
RENEW_SECONDS = 10.0
PATIENCE_SECONDS = 35.0  # without a renewal: the writer, or its machine, is gone


@contextmanager
def held(root: str) -> Iterator[None]:
    """Holds the root's lease while the block runs. UserError where another process writes there, with its host and
    since when."""
    with _locked(root) if storage.is_local(root) else _leased(root):
        yield


def _said() -> dict[str, Any]:
    began = datetime.now(UTC).isoformat(timespec="seconds")
    return {"host": socket.gethostname(), "pid": os.getpid(), "began": began, "token": uuid.uuid4().hex, "renewed": 0}


def _refused(root: str, said: Any) -> UserError:
    who = "another process"
    if isinstance(said, dict):
        who = f"process {said.get('pid')} of {said.get('host')} since {said.get('began')}"
    return UserError(f"{root} is being written by {who}: wait until it ends, or name another --root")


@contextmanager
def _locked(root: str) -> Iterator[None]:
    folder = storage.absolute(root)
    path = os.path.join(folder, NAME)
    while True:
        os.makedirs(folder, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with os.fdopen(file, "rb") as opened:
                raise _refused(root, _parsed(opened.read())) from None
        with suppress(FileNotFoundError):
            if os.stat(path).st_ino == os.fstat(file).st_ino:
                break
        os.close(file)  # the one before has just taken its file away
    try:
        os.truncate(file, 0)
        os.write(file, json.dumps(_said()).encode())
        yield
    finally:
        with suppress(FileNotFoundError):
            os.unlink(path)
        os.close(file)
        storage.remove_empty(folder)


def _parsed(data: bytes) -> Any:
    with suppress(ValueError):
        return json.loads(data)
    return None


@contextmanager
def _leased(root: str) -> Iterator[None]:
    path, mine = storage.join(root, NAME), _said()
    while not (storage.create(path, json.dumps(mine).encode()) or storage.read_json(path) == mine):
        _wait_for_its_end(root, path)  # a store may have written ours and then failed
    command = [sys.executable, "-m", "pipeline.store.lease", path, json.dumps(mine)]
    keeper = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)  # Ctrl-C is not for it
    try:
        yield
        _require_mine(root, path, mine)
    finally:
        assert keeper.stdin is not None
        keeper.stdin.close()  # it takes the lease away
        keeper.wait()


def _wait_for_its_end(root: str, path: str) -> None:
    """Until the lease is gone, or dead and taken away. UserError as soon as it is seen to live."""
    first = storage.read_json(path)
    here = isinstance(first, dict) and first.get("host") == socket.gethostname()
    if first is None:
        return
    if here and os.path.exists(f"/proc/{first['pid']}"):
        raise _refused(root, first)
    seen_until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < seen_until and not here:
        time.sleep(RENEW_SECONDS / 4)
        now = storage.read_json(path)
        if now is None:
            return
        if now != first:
            raise _refused(root, now)
    if storage.read_json(path) == first:
        storage.remove(path)


def _require_mine(root: str, path: str, mine: dict[str, Any]) -> None:
    said = storage.read_json(path)
    if not isinstance(said, dict) or said.get("token") != mine["token"]:
        raise _refused(root, said)


def _keep(path: str, mine: dict[str, Any]) -> None:
    """Renews the lease until standard input ends, which it does with the writer, then takes it away."""
    import select

    while not select.select([sys.stdin], [], [], RENEW_SECONDS)[0]:
        with suppress(Exception):  # a store that fails for a while; the next renewal counts as well
            said = storage.read_json(path)
            if not isinstance(said, dict) or said.get("token") != mine["token"]:
                return  # somebody thought it dead
            mine["renewed"] += 1
            storage.write_json(path, mine)
    with suppress(Exception):
        said = storage.read_json(path)
        if isinstance(said, dict) and said.get("token") == mine["token"]:
            storage.remove(path)


if __name__ == "__main__":
    _keep(sys.argv[1], json.loads(sys.argv[2]))
