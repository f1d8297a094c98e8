"""Processes that do not find each other, and processes that lose one another."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch

from schemas.errors import UserError
from train.loop.distributed import PeerLost, Processes, losing_peers, processes

REPOSITORY = Path(__file__).resolve().parents[3]
SOON = timedelta(seconds=1)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens at."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


@pytest.fixture
def free() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


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


def test_a_master_that_is_not_there(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    error = come(monkeypatch, 1, free)
    assert isinstance(error, PeerLost)  # process 0 has nothing to say of it
    assert str(error).startswith(f"process 1 of 2 does not reach 127.0.0.1:{free} (")


def test_others_that_do_not_come(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    assert f"only 1 of 2 processes came to 127.0.0.1:{free} in 1 s" in str(come(monkeypatch, 0, free))


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
way, victim = sys.argv[1], int(sys.argv[2])

def step(group, number):
    if way == "backward":
        with losing_peers():
            return backward(group, number)
    if way == "sum":
        return group.sum(torch.tensor([group.rank + 1, number])).tolist()
    if way == "sum_host":
        return group.sum_host(np.array([group.rank + 1, number])).tolist()
    with group.together():
        return [3, 2 * number]

def backward(group, number, kept={}):
    if not kept:
        kept["model"] = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 1))
    kept["model"](torch.ones(1, 2)).sum().backward()
    return [3, 2 * number]

try:
    with processes("cpu") as group:
        if way == "mistake":
            with group.together():
                if group.rank == victim:
                    raise UserError(f"of {victim}")
        for number in range(100):
            assert step(group, number) == [3, 2 * number]
            if number == 3 and group.rank == victim:
                os.kill(os.getpid(), signal.SIGKILL)
except PeerLost as error:
    print("lost:", error)
except UserError as error:
    print("mistake:", error)
"""


@pytest.mark.parametrize("victim", [0, 1])
@pytest.mark.parametrize("way", ["sum", "sum_host", "together", "backward", "mistake"])
def test_a_process_that_is_killed_or_mistaken_ends_all(free: int, way: str, victim: int) -> None:
    variables = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free)}
    environment = os.environ | variables | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PROGRAM, way, str(victim)]
    runs = [
        subprocess.Popen(command, env=environment | {"RANK": str(rank)}, stdout=subprocess.PIPE, text=True)
        for rank in range(2)
    ]
    said = [run.communicate(timeout=60)[0].splitlines() for run in runs]
    if way == "mistake":
        assert said == [[f"mistake: of {victim}"]] * 2
        return
    assert runs[victim].returncode == -signal.SIGKILL and said[victim] == []
    assert runs[1 - victim].returncode == 0
    assert len(said[1 - victim]) == 1 and said[1 - victim][0].startswith("lost: another process of the run is gone")
