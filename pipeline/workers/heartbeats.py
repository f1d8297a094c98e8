"""Long tasks beat: they write small JSON files with their running counts, which the driver adds up.

A beat is for the eyes only; no count in a ledger comes from one.
"""

import time
from contextlib import suppress

from pipeline.store import storage

BEATS = "_beats"
SECONDS = 2.0


class Beat:
    """A task's running counts, written to `folder` at most every SECONDS."""

    def __init__(self, folder: str, name: str):
        self._path = storage.join(folder, BEATS, f"{name}.json")
        self._due = time.monotonic() + SECONDS

    def __call__(self, **counts: int) -> None:
        if time.monotonic() >= self._due:
            with suppress(Exception):  # a lost beat must never stop the work
                storage.write_json(self._path, counts)
            self._due = time.monotonic() + SECONDS


def beats(folder: str) -> dict[str, int]:
    """The sum of all running counts."""
    total: dict[str, int] = {}
    where = storage.join(folder, BEATS)
    for name in storage.listing(where):
        for key, count in (storage.read_json(storage.join(where, name)) or {}).items():
            total[key] = total.get(key, 0) + count
    return total
