"""Processes that do not find each other, and processes that lose one another."""

import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
from forks import Fork, free_port

from schemas.errors import UserError
from train.loop.distributed import PeerLost, Processes, losing_peers, processes

SOON = timedelta(seconds=1)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens at."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def come(monkeypatch: pytest.MonkeyPatch, rank: int, port: int) -> UserError:
    """What process `rank` of two says that nobody else came to."""
    values = {"RANK": rank, "WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "LOCAL_RANK": rank}
    for name, value in values.items():
        monkeypatch.setenv(name, str(value))
    with pytest.raises(UserError) as caught, processes("cpu", SOON):
        pass
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
    return caught.value


def test_a_port_in_use(monkeypatch: pytest.MonkeyPatch, taken: int) -> None:
    message = str(come(monkeypatch, 0, taken))
    assert message.startswith(f"the port of 127.0.0.1:{taken} is in use") and "give another MASTER_PORT" in message


def test_a_master_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    error = come(monkeypatch, 1, port)
    assert isinstance(error, PeerLost)  # process 0 has nothing to say of it
    assert str(error).startswith(f"process 1 of 2 does not reach 127.0.0.1:{port} (")


def test_others_that_do_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    assert f"only 1 of 2 processes came to 127.0.0.1:{port} in 1 s" in str(come(monkeypatch, 0, port))


def test_variables_that_are_half_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="RANK, MASTER_ADDR, MASTER_PORT is not: start with torchrun"), processes("cpu"):
        pass


def test_one_process_adds_up_alone() -> None:
    alone = Processes(0, 1, torch.device("cpu"), None)
    values = np.array([1, 2**60])
    total = alone.sum_host(values)
    assert total.tolist() == values.tolist() and total is not values


def test_a_bug_is_not_taken_for_a_lost_process() -> None:
    with pytest.raises(RuntimeError) as caught, losing_peers():
        torch.zeros(2) @ torch.zeros(3)
    assert not isinstance(caught.value, UserError)


PROGRAM = """
import os, signal, sys
import numpy as np, torch
from schemas.errors import UserError
from train.loop.distributed import PeerLost, losing_peers, processes
torch.set_num_threads(1)

def together(group):
    with group.together():
        return [3, 6]

def backward(group, kept={}):
    if not kept:
        kept["model"] = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 1))
    with losing_peers():
        kept["model"](torch.ones(1, 2)).sum().backward()
    return [3, 6]

WAYS = {
    "sum": lambda group: group.sum(torch.tensor([group.rank + 1, 3])).tolist(),
    "sum_host": lambda group: group.sum_host(np.array([group.rank + 1, 3])).tolist(),
    "together": together,
    "backward": backward,
}

def run(group, victim, say):
    try:
        with group.together():
            if group.rank == victim:
                raise UserError(f"of {victim}")
    except UserError as error:
        say(str(error))
    for number in range(3):
        for name, way in WAYS.items():
            assert way(group) == [3, 6], name
    if group.rank == victim:
        os.kill(os.getpid(), signal.SIGKILL)
    for name, way in WAYS.items():
        try:
            way(group)
        except PeerLost:
            say(name)
    group.sum(torch.ones(1))

children = {}
for victim in (0, 1):
    for rank in (0, 1):
        child = os.fork()
        if child:
            children[child] = f"{victim} {rank}"
            continue
        say = lambda text: os.write(1, f"{victim} {rank} {text}\\n".encode())
        os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
        os.environ["MASTER_PORT"] = sys.argv[1 + victim]
        try:
            with processes("cpu") as group:
                run(group, victim, say)
        except PeerLost as error:
            say(str(error))
        sys.exit()
for _ in range(4):
    child, status = os.wait()
    os.write(1, f"{children[child]} ends with {os.waitstatus_to_exitcode(status)}\\n".encode())
"""


def test_a_mistake_of_one_ends_all_and_one_that_is_killed_is_missed(tmp_path: Path) -> None:
    """Two runs of two processes, of which one is killed: the one where the store is, and the other."""
    (tmp_path / "program.py").write_text(PROGRAM)
    said, errors = Fork(tmp_path / "program.py", [free_port(), free_port()]).communicate(60)
    lines = said.splitlines()
    assert len(lines) == 18, errors
    for victim in (0, 1):
        dead, alive = (
            [line[4:] for line in lines if line.startswith(f"{victim} {rank} ")] for rank in (victim, 1 - victim)
        )
        assert dead == [f"of {victim}", "ends with -9"]
        assert alive[:-2] == [f"of {victim}", "sum", "sum_host", "together", "backward"]
        assert alive[-2].startswith("another process of the run is gone") and alive[-1] == "ends with 0"
