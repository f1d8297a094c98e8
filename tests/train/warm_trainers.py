"""A process that has loaded torch and forks trainers: a life costs a fraction of a second in place of the import.

Orders come as lines of JSON on stdin. {"start": flags, "processes": n, "said": path, "plant": planted}: forks the ranks
of a run, all of one process group, and answers with their process ids. {"wait": ids, "seconds": s}: answers with the
status of each, minus the signal for one that was killed, None for one that still runs.

planted, each done in rank `rank`, by default 0, when `count` of its kind have gone by:
{"kill": "step" | folder}: kill -9 of the whole group before a step, or before a file under the folder is opened,
renamed or removed. {"die": "step"}: kill -9 of the rank alone. {"cut": file}: half of a file is gone before a step.
{"limit": bytes}: no file grows beyond that from a step on. {"stall": seconds}: a step that takes so long.

With flags on its command line it is one trainer itself, for torchrun.
"""

import itertools
import json
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

import train.corpus.tokenising
import train.data.sources

train.data.sources.SAMPLED = 16  # blocks are made throughout the run, not all at its start
train.corpus.tokenising.MANY = 6
train.corpus.tokenising.STALE_SECONDS = 0.5
FILE_EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree"}


def main() -> None:
    import gc

    import torch

    import train.loop.start  # noqa: F401

    torch.set_num_threads(1)
    gc.freeze()
    for line in sys.stdin:
        order = json.loads(line)
        answer = start(order) if "start" in order else wait(order["wait"], order["seconds"])
        print(json.dumps(answer), flush=True)


def start(order: dict[str, Any]) -> list[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ids = list[int]()
    for rank in range(order["processes"]):
        made = os.fork()
        if not made:
            os.setpgid(0, ids[0] if ids else 0)
            live(order, rank, port)
        ids.append(made)
        os.setpgid(made, ids[0])
    return ids


def live(order: dict[str, Any], rank: int, port: int) -> NoReturn:
    """Is train/pretrain.py from here on."""
    said = os.open(order["said"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(said, 1)
    os.dup2(said, 2)
    if (world := order["processes"]) > 1:
        numbers = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world}
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)} | {k: str(n) for k, n in numbers.items()}
    for one in order["plant"]:
        if rank == one.get("rank", 0):
            plant(one)
    run(order["start"])


def run(flags: list[str]) -> NoReturn:
    import train.pretrain  # takes its rank from the environment

    train.pretrain.GRACE_SECONDS = 1
    sys.argv = ["pretrain.py", *flags]
    sys.exit(train.pretrain.main())


def plant(one: dict[str, Any]) -> None:
    gone_by = itertools.count()

    def when_due(action: Callable[[], None]) -> None:
        if next(gone_by) == one["count"]:
            action()

    def kill() -> None:
        os.killpg(0, signal.SIGKILL)

    if "kill" in one and one["kill"] != "step":

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            if event in FILE_EVENTS and str(arguments[0]).startswith(one["kill"]):
                when_due(kill)

        sys.addaudithook(hook)
        return
    import train.loop.stepping

    actions: dict[str, Callable[[], None]] = {
        "kill": kill,
        "die": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "cut": lambda: os.truncate(one["cut"], os.stat(one["cut"]).st_size // 2),
        "stall": lambda: time.sleep(one["stall"]),
        "limit": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (one["limit"], resource.RLIM_INFINITY)),
    }
    (action,) = (actions[name] for name in one if name in actions)
    original = train.loop.stepping.Stepper.step

    def step(self: Any, *arguments: Any) -> Any:
        when_due(action)
        return original(self, *arguments)

    train.loop.stepping.Stepper.step = step  # type: ignore


def wait(ids: list[int], seconds: float) -> list[int | None]:
    until = time.monotonic() + seconds
    statuses: dict[int, int] = {}
    while len(statuses) < len(ids) and time.monotonic() < until:
        for one in set(ids) - set(statuses):
            found, status = os.waitpid(one, os.WNOHANG)
            if found:
                statuses[one] = os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    return [statuses.get(one) for one in ids]


if __name__ == "__main__":
    run(sys.argv[1:]) if sys.argv[1:] else main()
