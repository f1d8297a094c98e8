"""Workers tell the board of their run (`pipeline.workers.board`) how far they are: over a connection that is kept, a
line of JSON when a task ends and every second within one.

It is for the eyes only: what cannot be told is not told, and no work waits for it. Where nobody looks nothing is sent.
"""

import encodings.idna  # noqa: F401 (else a fork while another thread imports it would wait for its lock for ever)
import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Generic, NamedTuple, TypeVar

from pipeline.costs import usage
from pipeline.observed import counts, logs

T = TypeVar("T")
R = TypeVar("R")

SECONDS = 1.0  # between two lines within a task
CONNECT_SECONDS = 1.0
PATIENCE_SECONDS = 30.0  # before a board that did not answer is asked again


class Address(NamedTuple):
    """Where the board listens; whoever does not say the key is not heard."""

    host: str
    port: int
    key: str


class Carried(NamedTuple):
    """What goes with a task to its worker. board: None: nobody looks. step: its number on the board."""

    board: Address | None
    step: int
    stage: str
    log_format: str


class Told(NamedTuple, Generic[R]):
    """A task's answer, with what it has counted and taken."""

    answer: R
    counts: counts.Counts
    taken: usage.Usage


class _Line(NamedTuple):
    """The connection of a process; `process` since a fork must not use its parent's."""

    process: int
    socket: socket.socket


_line: _Line | None = None
_silent_until = 0.0
_due = 0.0
_at: tuple[Carried, int] | None = None  # the task at hand, and its place


def call(function: Callable[[T], R], item: T, place: int, carried: Carried) -> Told[R]:
    """The function's answer; what is logged meanwhile is of the stage, what is counted is told."""
    with task(carried, place):
        answer, taken = usage.metered(function, item)
        return Told(answer, counts.counted(), taken)


@contextmanager
def task(carried: Carried, place: int) -> Iterator[None]:
    """What the block counts is a task's. It is told in the end, if the block ends well."""
    global _at, _due
    logs.begin_in_worker(carried.log_format)
    counts.begin_task()
    _at, _due = (carried, place), time.monotonic() + SECONDS
    with logs.about(carried.stage):
        try:
            yield
            _tell(done=True)
        finally:
            _at = None


def due() -> bool:
    """Whether it is time to tell, within a task; cheap enough to be asked for each page."""
    return time.monotonic() >= _due and _at is not None and _at[0].board is not None


def tell(besides: Mapping[tuple[str, str], int] | None = None) -> None:
    """What the task at hand has counted so far, and `besides`, by name and label, what it will count."""
    global _due
    _due = time.monotonic() + SECONDS
    _tell(done=False, besides=besides or {})


def _tell(done: bool, besides: Mapping[tuple[str, str], int] | None = None) -> None:
    if _at is None or _at[0].board is None:
        return
    carried, place = _at
    so_far = counts.counted()
    for (name, label), n in (besides or {}).items():
        so_far[counts.Key(name, carried.stage, label)] += n
    message = {
        "worker": f"{socket.gethostname()}-{os.getpid()}", "step": carried.step, "place": place, "done": done,
        "counts": counts.as_rows(so_far), "spent": counts.as_rows(counts.spent()),
    }  # fmt: skip
    assert carried.board is not None
    _send(carried.board, json.dumps(message, separators=(",", ":")).encode() + b"\n")


def _send(board: Address, data: bytes) -> None:
    global _line, _silent_until
    if time.monotonic() < _silent_until:
        return
    if _line is not None and _line.process != os.getpid():
        with suppress(OSError):
            os.close(_line.socket.detach())  # the parent's goes on
        _line = None
    try:
        if _line is None:
            connection = socket.create_connection((board.host, board.port), CONNECT_SECONDS)
            connection.settimeout(CONNECT_SECONDS)
            data = board.key.encode() + b"\n" + data
            _line = _Line(os.getpid(), connection)
        _line.socket.sendall(data)
    except OSError:
        if _line is not None:
            _line.socket.close()
        _line, _silent_until = None, time.monotonic() + PATIENCE_SECONDS
