"""Processes that work side by side on one machine. Forked: start them before any thread."""

import ctypes
import multiprocessing
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from pipeline.workers.tasks import Each

T = TypeVar("T")
R = TypeVar("R")

PR_SET_PDEATHSIG = 1
_task: Callable[[Any], Any]  # of a forked process: nothing has to be pickled


def pool(processes: int, begin: Callable[..., None] | None = None, *given: Any) -> ProcessPoolExecutor:
    """`begin` is called with what is given in each process, which inherits both."""
    return ProcessPoolExecutor(processes, multiprocessing.get_context("fork"), _begin, (begin, given))


def each(processes: int) -> Each:
    """`Each` by so many processes of this machine. Raises what a task raises, and ends the others' queue."""

    def run(function: Callable[[T], R], items: Sequence[T], /) -> list[R]:
        if not items:
            return []
        workers = pool(min(processes, len(items)), _adopt, function)
        try:
            futures = [workers.submit(_call, item) for item in items]
            return [future.result() for future in futures]
        finally:
            workers.shutdown(cancel_futures=True)

    return run


def _begin(begin: Callable[..., None] | None, given: tuple[Any, ...]) -> None:
    """A worker holds both ends of its queue and would wait for ever for a job that was killed (Linux)."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if begin is not None:
        begin(*given)


def _adopt(function: Callable[[Any], Any]) -> None:
    global _task
    _task = function


def _call(item: Any) -> Any:
    return _task(item)
