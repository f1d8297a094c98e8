"""Counters of this process as metrics have them, added to where the work is. They are told, never recorded: no table
hangs on one.

What a task has counted (pages, rows) is its own: it goes with the task's answer, so that a task that was done twice
counts once. What was spent (bytes, requests: `pipeline.costs.counters`) is the process's: each attempt has spent it.
"""

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pipeline.costs import counters
from pipeline.observed import logs


class Key(NamedTuple):
    """label: an outcome, a reason, a store; "" where there is one thing only to count."""

    name: str
    stage: str
    label: str


Counts = Counter[Key]

_counted: Counts = Counter()
_spent: Counts = Counter()
_seen: Counter[tuple[str, str]] = Counter()  # of what the process has spent, all that a stage has been found for


def _forked() -> None:
    for one in (_counted, _spent, _seen):
        one.clear()


os.register_at_fork(after_in_child=_forked)


def count(name: str, label: str = "", n: int = 1) -> None:
    """Of the task at hand, in the stage at hand."""
    _counted[Key(name, logs.stage(), label)] += n


def count_all(counts: Mapping[tuple[str, str], int]) -> None:
    """By name and label."""
    for (name, label), n in counts.items():
        count(name, label, n)


def counted() -> Counts:
    """By the task so far."""
    return Counter(_counted)


def begin_task() -> None:
    _counted.clear()


def begin_run() -> None:
    """What this process has spent so far is none of the run's."""
    spent()
    _spent.clear()


def spent() -> Counts:
    """By this process since the run began, or the fork; what is new since it was last asked is the stage's at hand."""
    now = Counter({("read_bytes", ""): counters.read, ("written_bytes", ""): counters.written})
    now.update({("requests", store): n for store, n in counters.requests_by_store.items()})
    now.update({("retries", store): n for store, n in counters.retries_by_store.items()})
    for (name, label), n in now.items():
        _spent[Key(name, logs.stage(), label)] += n - _seen[name, label]
    _seen.update(now - _seen)
    return Counter(_spent)


def as_rows(counts: Counts) -> list[tuple[str, str, str, int]]:
    """As JSON can hold them."""
    return [(*key, n) for key, n in counts.items() if n]


def of_rows(rows: Iterable[tuple[str, str, str, int]]) -> Counts:
    return Counter({Key(name, stage, label): n for name, stage, label, n in rows})
