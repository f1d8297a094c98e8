"""What tasks take: a worker tells it with each answer, the driver keeps it by call."""

import os
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

from pipeline.costs import counters, processes

T = TypeVar("T")
R = TypeVar("R")


class Usage(NamedTuple):
    """seconds: wall clock of tasks. peak_bytes: of the largest process. bytes as in `counters`."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0
    requests: int = 0
    read: int = 0
    exchanged: int = 0


class Call(NamedTuple):
    """A function over items by workers. usage: of all; longest: seconds of the longest item."""

    name: str
    items: int
    seconds: float
    usage: Usage
    longest: float


calls: list[Call] = []  # of this process, as it came to them
_told = Usage()  # what a worker has told of itself up to its last answer


def metered(function: Callable[[T], R], item: T) -> tuple[R, Usage]:
    """For a worker: the answer, and what was taken since the answer before it, so that what a worker does between two
    items, as to start, is counted once."""
    global _told
    began, exchanged = time.monotonic(), counters.exchanged
    answer = function(item)
    now = so_far()
    told = Usage(
        time.monotonic() - began,
        now.cpu_seconds - _told.cpu_seconds,
        now.peak_bytes,
        now.requests - _told.requests,
        now.read - _told.read,
        now.exchanged - exchanged,  # of the item alone: an engine has counted what was written for it in between
    )
    _told = now
    return answer, told


def so_far() -> Usage:
    """Of this process, of its children that have ended, and of those that live."""
    living = list(processes.children(os.getpid()))
    cpu = processes.own_seconds() + sum(one.cpu_seconds for one in living)
    peak = max([processes.own_peak(), *(processes.peak_bytes(one.number) for one in living)])
    return Usage(0.0, cpu, peak, counters.requests, counters.read, counters.exchanged)


def added(parts: Iterable[Usage]) -> Usage:
    listed = list(parts)
    sums = [sum(column) for column in zip(*listed, strict=True)] or [*Usage()]
    return Usage(*sums)._replace(peak_bytes=max((part.peak_bytes for part in listed), default=0))


def note(function: Callable[..., Any], began: float, told: Iterable[Usage]) -> None:
    """A call that has ended; began: on the monotonic clock."""
    listed = list(told)
    name = getattr(getattr(function, "func", function), "__qualname__", "")
    longest = max((one.seconds for one in listed), default=0.0)
    calls.append(Call(name, len(listed), time.monotonic() - began, added(listed), longest))


def _begin() -> None:
    global _told
    _told = Usage()
    calls.clear()


os.register_at_fork(after_in_child=_begin)
