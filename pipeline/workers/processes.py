"""`TaskRunner` by processes of this machine. They are forked: no thread may run when they are started."""

import ctypes
import multiprocessing
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext, suppress
from time import monotonic
from typing import Any, TypeVar

from pipeline.costs import usage
from pipeline.costs.usage import Usage
from pipeline.workers.progress import Progress, rate_and_time_left
from pipeline.workers.tasks import Step, TaskRunner
from schemas.errors import UserError

T = TypeVar("T")
R = TypeVar("R")

PR_SET_PDEATHSIG = 1
_task: Callable[[Any], Any]  # of a forked process: inherited, not pickled


def process_runner(processes: int) -> TaskRunner:
    """So many processes, forked for each call. The first task that fails ends the others' queue. UserError where one of
    them was killed."""

    def run_tasks(function: Callable[[T], R], items: Sequence[T], /, step: Step | None = None) -> list[R]:
        if not items:
            return []
        began = monotonic()
        pool = ProcessPoolExecutor(
            min(processes, len(items)), multiprocessing.get_context("fork"), _begin_worker, (function,)
        )
        try:
            futures = [pool.submit(_call, item) for item in items]  # the first one forks all processes
            with Progress(_status(step, futures)) if step else nullcontext():
                answers = [future.result() for future in futures]
            usage.note(function, began, [told for _, told in answers])
            return [answer for answer, _ in answers]
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


def _status(step: Step, futures: Sequence["Future[Any]"]) -> Callable[[], str]:
    began, total = monotonic(), sum(step.sizes)

    def line() -> str:
        done = sum(size for size, future in zip(step.sizes, futures, strict=True) if future.done())
        return f"{step.name}: {rate_and_time_left(done, total, monotonic() - began, step.unit)}"

    return line


def _begin_worker(function: Callable[[Any], Any]) -> None:
    """A worker holds both ends of its queue and would wait for ever for a job that was killed (Linux). Ctrl-C is the
    job's to answer."""
    global _task
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    _task = function


def _call(item: Any) -> tuple[Any, Usage]:
    return usage.metered(_task, item)
