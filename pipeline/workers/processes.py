"""`TaskRunner` by processes of this machine. They are forked: no thread may run when they are started."""

import ctypes
import multiprocessing
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext, suppress
from typing import Any, TypeVar

from pipeline.workers import watching
from pipeline.workers.progress import Progress
from pipeline.workers.tasks import Step, TaskRunner
from pipeline.workers.telling import Carried, Told, call
from schemas.errors import UserError

T = TypeVar("T")
R = TypeVar("R")

PR_SET_PDEATHSIG = 1
_task: tuple[Callable[[Any], Any], Carried]  # of a forked process: inherited, not pickled


def process_runner(processes: int) -> TaskRunner:
    """So many processes, forked for each call. The first task that fails ends the others' queue. UserError where one of
    them was killed."""

    def run_tasks(function: Callable[[T], R], items: Sequence[T], /, step: Step | None = None) -> list[R]:
        if not items:
            return []
        with watching.step(step, function) as running:
            return running.settle(forked(function, items, step, running))

    def forked(
        function: Callable[[T], R], items: Sequence[T], step: Step | None, running: watching.RunningStep
    ) -> list[Told[R]]:
        pool = ProcessPoolExecutor(
            min(processes, len(items)),
            multiprocessing.get_context("fork"),
            _begin_worker,
            (function, running.carried),
        )
        try:
            futures = [pool.submit(_call, item, place) for place, item in enumerate(items)]  # the first one forks all
            with Progress(_status(step, futures, running)) if step else nullcontext():
                return [future.result() for future in futures]
        except BrokenProcessPool:
            raise UserError(
                "a process that works for this job was killed, as machines do that run out of memory: run the same "
                "command again, it goes on; if that does not help, give it fewer cores (--master local[N])"
            ) from None
        except KeyboardInterrupt:
            for process in multiprocessing.active_children():
                process.kill()
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    return run_tasks


def _status(step: Step, futures: Sequence["Future[Any]"], running: watching.RunningStep) -> Callable[[], str]:
    def line() -> str:
        return running.line(sum(size for size, one in zip(step.sizes, futures, strict=True) if one.done()))

    return line


def _begin_worker(function: Callable[[Any], Any], carried: Carried) -> None:
    """A worker holds both ends of its queue and would wait for ever for a job that was killed (Linux). Ctrl-C is the
    job's to answer."""
    global _task
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    _task = function, carried


def _call(item: Any, place: int) -> Told[Any]:
    function, carried = _task
    return call(function, item, place, carried)
