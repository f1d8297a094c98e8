"""Processes that hang, freeze, die or take their time, and what the watchdog makes of it."""

import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from train.loop.watchdog import Place, describe

REPOSITORY = Path(__file__).resolve().parents[3]
PROGRAM = """
import os, signal, sys, time
from datetime import timedelta
from pathlib import Path
import torch.distributed as dist
from train.loop.watchdog import Watchdog

output, ports = Path(sys.argv[1]), sys.argv[2:]

def stuck():
    time.sleep(60)

def sleeps(rank, dog):
    dog.at(3, "data")
    if rank == 1:
        stuck()
    dog.at(3, "forward")
    dog.at(4, "all-reduce")
    stuck()

def freezes(rank, dog):
    dog.at(5, "forward")
    time.sleep(0.5)
    if rank == 1:
        os.kill(os.getpid(), signal.SIGSTOP)
    for step in range(6, 60):
        dog.at(step, "forward")
        time.sleep(0.3)

def dies(rank, dog):
    dog.at(7, "all-reduce")
    time.sleep(0.5)
    if rank == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    stuck()

def is_patient(rank, dog):
    dog.at(0, "together")
    if rank == 0:
        with dog.patient("tokenise"):
            time.sleep(5)
    else:
        time.sleep(5.5)
    dog.at(1, "data")
    time.sleep(1 - rank / 2)

def works(rank, dog):
    for step in range(20):
        dog.at(step, "data")
        time.sleep(0.2)

def alone(rank, dog):
    dog.at(8, "data")
    stuck()

def suspended(rank, dog):
    dog.at(9, "data")
    if os.fork() == 0:
        time.sleep(0.3)
        os.kill(os.getppid(), signal.SIGSTOP)
        time.sleep(5)
        os.kill(os.getppid(), signal.SIGCONT)
        os._exit(0)
    for _ in range(10):  # a signal that ends one sleep ends no other
        time.sleep(0.1)
    dog.at(10, "data")

def child(case, world, rank, port):
    folder = output / case.__name__
    os.dup2(os.open(folder / f"stderr{rank}", os.O_WRONLY | os.O_CREAT), 2)
    store = None
    if world == 2:
        store = dist.TCPStore("127.0.0.1", int(port), 2, rank == 0, timedelta(seconds=30))
    with Watchdog(folder, 2.5, rank=rank, world_size=world, store=store, every=0.2, silence=2.5) as dog:
        case(rank, dog)

children = {}
for case, world, port in zip((sleeps, freezes, dies, is_patient, works, alone, suspended), [2] * 5 + [1] * 2, ports):
    (output / case.__name__).mkdir()
    for rank in range(world):
        pid = os.fork()
        if not pid:
            child(case, world, rank, port)
            os._exit(0)
        children[pid] = case.__name__, rank
until = time.monotonic() + 30
while children and time.monotonic() < until:
    pid, status = os.waitpid(-1, os.WNOHANG)
    if not pid:
        time.sleep(0.05)
    elif pid in children:
        name, rank = children.pop(pid)
        print(name, rank, os.waitstatus_to_exitcode(status))
    if set(children.values()) == {("freezes", 1)}:
        break
for pid in children:
    os.kill(pid, signal.SIGKILL)
"""


@dataclass(frozen=True)
class Outcome:
    """status by rank, lines on stderr by rank, files of stacks by rank."""

    status: dict[int, int]
    said: dict[int, list[str]]
    stacks: dict[int, str]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    output = tmp_path_factory.mktemp("hangs")
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(7)]
    ports = [str(server.getsockname()[1]) for server in sockets]
    for server in sockets:
        server.close()
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "TORCH_CPP_LOG_LEVEL": "FATAL"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(output), *ports],
        env=environment, stdout=subprocess.PIPE, text=True, timeout=90, check=True,
    )  # fmt: skip
    found = {folder.name: Outcome({}, {}, {}) for folder in output.iterdir()}
    for line in done.stdout.splitlines():
        name, number, status = line.split()
        found[name].status[int(number)] = int(status)
    for name, outcome in found.items():
        for rank in range(2):
            stderr, stacks = output / name / f"stderr{rank}", output / name / f"hang-rank{rank}.txt"
            if stderr.exists():
                outcome.said[rank] = [text.replace(str(output), "OUTPUT") for text in stderr.read_text().splitlines()]
            if stacks.exists():
                outcome.stacks[rank] = stacks.read_text()
    return found


def test_a_process_that_sleeps_is_named_once(outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes["sleeps"]
    assert outcome.status == {0: 3, 1: 3}
    (line,) = outcome.said[0] + outcome.said[1]
    assert line == (
        "pretrain: no progress for 3 s: rank 1 is in data of step 3, rank 0 waits in all-reduce of step 4; "
        "the stacks are in OUTPUT/sleeps/hang-rank*.txt"
    )
    for rank in range(2):
        assert "in stuck" in outcome.stacks[rank] and "in sleeps" in outcome.stacks[rank]


def test_a_process_that_is_frozen_is_missed(outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes["freezes"]
    assert outcome.status == {0: 3}
    (line,) = outcome.said[0] + outcome.said[1]
    assert "rank 1 gives no sign since forward of step " in line and ", rank 0 is in forward of step " in line


def test_the_process_with_the_store_dies(outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes["dies"]
    assert outcome.status == {0: -9, 1: 3}
    (line,) = outcome.said[1]
    assert "the store of the run is gone, and rank 0 with it; rank 1 is in all-reduce of step 7" in line


@pytest.mark.parametrize("name", ["is_patient", "works"])
def test_patience_and_work_are_let_be(outcomes: dict[str, Outcome], name: str) -> None:
    """Also where one process ends before the other."""
    assert outcomes[name] == Outcome({0: 0, 1: 0}, {0: [], 1: []}, {})


def test_alone(outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes["alone"]
    assert outcome.status == {0: 3} and "in stuck" in outcome.stacks[0]
    assert outcome.said[0][0].startswith("pretrain: no progress for 3 s: rank 0 is in data of step 8; ")


def test_a_process_that_was_stopped_goes_on(outcomes: dict[str, Outcome]) -> None:
    assert outcomes["suspended"] == Outcome({0: 0}, {0: []}, {})


WAITS = Place(121, "all-reduce")


@pytest.mark.parametrize(
    ("places", "lost", "text"),
    [
        (
            [WAITS, WAITS, WAITS, Place(120, "data")],
            [],
            "rank 3 is in data of step 120, the others wait in all-reduce of step 121",
        ),
        ([WAITS] * 3, [], "all ranks wait in all-reduce of step 121"),
        (
            [WAITS, Place(120, "all-reduce"), WAITS],
            [],
            "rank 1 waits in all-reduce of step 120, the others wait in all-reduce of step 121",
        ),
        (
            [Place(120, "data"), WAITS, Place(120, "data"), WAITS, Place(121, "barrier")],
            [],
            "ranks 0, 2 are in data of step 120, ranks 1, 3 wait in all-reduce of step 121, "
            "rank 4 waits in barrier of step 121",
        ),
        (
            [Place(120, "data"), WAITS, WAITS],
            [1],
            "rank 1 gives no sign since all-reduce of step 121, rank 0 is in data of step 120, "
            "rank 2 waits in all-reduce of step 121",
        ),
        ([WAITS, None, WAITS], [], "rank 1 gives no sign, the others wait in all-reduce of step 121"),
        (
            [WAITS, Place(120, "all-reduce", ended=True)],
            [],
            "rank 1 has ended after step 120, rank 0 waits in all-reduce of step 121",
        ),
    ],
)
def test_which_rank_is_named(places: list[Place | None], lost: list[int], text: str) -> None:
    assert describe(dict(enumerate(places)), lost) == text
