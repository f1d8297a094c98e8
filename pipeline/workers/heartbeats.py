"""Long tasks tell how far they are: small JSON files with their running counts, which the driver adds up.

They are for the eyes only; no count in a ledger comes from one.
"""

import time
from contextlib import suppress

from pipeline.store import storage

HEARTBEATS = "_heartbeats"
SECONDS = 2.0


class Heartbeat:
    """A task's running counts, written to `folder` at most every SECONDS."""

    def __init__(self, folder: str, name: str):
        self._path = storage.join(folder, HEARTBEATS, f"{name}.json")
        self._due = time.monotonic() + SECONDS

    def __call__(self, **counts: int) -> None:
        if time.monotonic() >= self._due:
            with suppress(Exception):  # a lost one must never stop the work
                storage.write_json(self._path, counts)
            self._due = time.monotonic() + SECONDS


def running_counts(folder: str) -> dict[str, int]:
    """The sum of all running counts."""
    total: dict[str, int] = {}
    where = storage.join(folder, HEARTBEATS)
    for name in storage.listing(where):
        for key, count in (storage.read_json(storage.join(where, name)) or {}).items():
            total[key] = total.get(key, 0) + count
    return total
