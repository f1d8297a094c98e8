"""Counters of this process, added to where the work is. They are told, never recorded: no table hangs on one.

What a task has counted (pages, rows) is its own: it goes with the task's answer, so that a task that was done twice
counts once. What was spent (bytes, requests) is the process's: each attempt has spent it.
"""

import os
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pipeline.observed import logs


class Key(NamedTuple):
    """label: an outcome, a reason, a store; "" where there is one thing only to count."""

    name: str
    stage: str
    label: str


Counts = Counter[Key]

_counted: Counts = Counter()
_spent: Counts = Counter()
_lock = threading.Lock()  # transfers may have threads


def _forked() -> None:
    global _lock
    _lock = threading.Lock()
    _counted.clear()
    _spent.clear()


os.register_at_fork(after_in_child=_forked)


def count(name: str, label: str = "", n: int = 1) -> None:
    """Of the task at hand, in the stage at hand."""
    _counted[Key(name, logs.stage(), label)] += n


def count_all(counts: Mapping[tuple[str, str], int]) -> None:
    """By name and label."""
    for (name, label), n in counts.items():
        count(name, label, n)


def spend(name: str, label: str = "", n: int = 1) -> None:
    key = Key(name, logs.stage(), label)
    with _lock:
        _spent[key] += n


def counted() -> Counts:
    """By the task so far."""
    return Counter(_counted)


def begin_task() -> None:
    _counted.clear()


def spent() -> Counts:
    """By this process, since it was started or forked."""
    with _lock:
        return Counter(_spent)


def handed_over() -> list[tuple[str, str, int]]:
    """What this process has spent since it was last asked, for another one that spends it in its place."""
    with _lock:
        rows = [(key.name, key.label, n) for key, n in _spent.items()]
        _spent.clear()
    return rows


def spend_all(rows: Iterable[tuple[str, str, int]]) -> None:
    for name, label, n in rows:
        spend(name, label, n)


def as_rows(counts: Counts) -> list[tuple[str, str, str, int]]:
    """As JSON can hold them."""
    return [(*key, n) for key, n in counts.items() if n]


def of_rows(rows: Iterable[tuple[str, str, str, int]]) -> Counts:
    return Counter({Key(name, stage, label): n for name, stage, label, n in rows})


class Read:
    """A file that is read, whose bytes are spent."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def read(self, *args: Any) -> bytes:
        data: bytes = self._file.read(*args)
        spend("read_bytes", n=len(data))
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
