"""Workers tell how far they are: a small JSON file each with its running counts, which the driver adds up.

They are for the eyes only; no count in a ledger comes from one, and none is written where nobody looks.
"""

import os
import socket
import time
from contextlib import suppress

from pipeline.store import storage

HEARTBEATS = "_heartbeats"
SECONDS = 30.0  # an object of a store
LOCAL_SECONDS = 2.0  # a file


def interval(folder: str) -> float:
    """Seconds between two heartbeats, and two looks at them."""
    return LOCAL_SECONDS if storage.is_local(folder) else SECONDS


class Heartbeat:
    """A worker's running counts over all of its tasks, written over its one file in `folder` from time to time."""

    def __init__(self, folder: str) -> None:
        self._path = storage.join(folder, HEARTBEATS, f"{socket.gethostname()}-{os.getpid()}.json")
        self._interval = interval(folder)
        self._done: dict[str, int] = {}
        self._due = time.monotonic() + self._interval

    def tell(self, **counts: int) -> None:
        """What the task has counted so far."""
        if time.monotonic() >= self._due:
            with suppress(Exception):  # a lost one must never stop the work
                storage.write_json(self._path, _added(self._done, counts))
            self._due = time.monotonic() + self._interval

    def finish(self, **counts: int) -> None:
        """What the task has counted in all."""
        self._done = _added(self._done, counts)
        self.tell()


class RunningCounts:
    """The sum of all workers' counts, as of a moment ago."""

    def __init__(self, folder: str) -> None:
        self._where = storage.join(folder, HEARTBEATS)
        self._interval = interval(folder)
        self._total: dict[str, int] = {}
        self._due = 0.0

    def __call__(self) -> dict[str, int]:
        if time.monotonic() >= self._due:
            total: dict[str, int] = {}
            for name in storage.listing(self._where):
                total = _added(total, storage.read_json(storage.join(self._where, name)) or {})
            self._total, self._due = total, time.monotonic() + self._interval
        return self._total


def _added(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}
