"""What becomes of a run's stages, told to whoever listens: metrics, lineage. A listener must not fail the work."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from schemas.records import Ledger, RunRecord


class Listener(Protocol):
    """folder: the stage's. ledger: a function, since it may have to be read."""

    def began(self, folder: str, record: RunRecord) -> None: ...

    def finished(self, folder: str, record: RunRecord, ledger: Callable[[], Ledger | None]) -> None: ...

    def found(self, folder: str, record: RunRecord, ledger: Callable[[], Ledger | None]) -> None:
        """It was finished before."""
        ...

    def failed(self, folder: str, record: RunRecord, error: BaseException) -> None: ...


_listeners: list[Listener] = []


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def began(folder: str, record: RunRecord) -> None:
    for listener in _listeners:
        listener.began(folder, record)


def finished(folder: str, record: RunRecord, ledger: Callable[[], Ledger | None]) -> None:
    for listener in _listeners:
        listener.finished(folder, record, ledger)


def found(folder: str, record: RunRecord, ledger: Callable[[], Ledger | None]) -> None:
    for listener in _listeners:
        listener.found(folder, record, ledger)


def failed(folder: str, record: RunRecord, error: BaseException) -> None:
    for listener in _listeners:
        listener.failed(folder, record, error)
