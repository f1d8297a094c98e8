"""What a person sees while a stage runs: one line that is rewritten on a terminal, nothing at all elsewhere."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import TracebackType
from typing import TextIO

from pyspark.sql import SparkSession


def terminal() -> TextIO | None:
    """Where a person looks on, or None. Under spark-submit Python's streams are pipes of the JVM that started it: then
    the question is whether that JVM writes to a terminal (Linux tells).
    """
    if sys.stderr.isatty():
        return sys.stderr
    if "PYSPARK_GATEWAY_PORT" in os.environ:
        with suppress(OSError):
            device = os.readlink(f"/proc/{os.getppid()}/fd/2")
            if device.startswith(("/dev/pts/", "/dev/tty")):
                return open(device, "w")
    return None


class Progress:
    """Shows `line()` every second on a terminal until the block ends."""

    def __init__(self, line: Callable[[], str]):
        self._line = line
        self._terminal = terminal()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Progress":
        if self._terminal:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        if self._thread.is_alive():
            self._thread.join()
            self._write("")

    def _run(self) -> None:
        while not self._done.wait(1.0):
            try:
                self._write(self._line()[:150])
            except Exception:  # nor a line that could not be shown
                continue

    def _write(self, line: str) -> None:
        assert self._terminal is not None
        self._terminal.write("\r\x1b[K" + line)  # over the line before
        self._terminal.flush()


def rate_and_time_left(done: float, total: float, seconds: float, unit: str) -> str:
    """`12/90 archives, 0.4/s, 3:15 left`."""
    text = f"{done:,.0f}/{total:,.0f} {unit}"
    if not done or not seconds:
        return text
    left = int((total - done) * seconds / done)
    return f"{text}, {done / seconds:,.1f}/s, {left // 60}:{left % 60:02d} left"


@contextmanager
def stage_progress(spark: SparkSession, stage: str) -> Iterator[None]:
    """Tasks done of those that Spark knows of, for stages whose tasks are short."""
    began = time.monotonic()
    tracker = spark.sparkContext.statusTracker()

    def line() -> str:
        running = [tracker.getStageInfo(one) for one in tracker.getActiveStageIds()]
        done = sum(info.numCompletedTasks for info in running if info)
        failed = sum(info.numFailedTasks for info in running if info)
        total = sum(info.numTasks for info in running if info)
        seconds = time.monotonic() - began
        return f"{stage}: {rate_and_time_left(done, total, seconds, 'tasks')}, {failed} failed, {seconds:.0f} s"

    with Progress(line):
        yield


@contextmanager
def local_progress(stage: str) -> Iterator[Callable[[str, int, int], None]]:
    """For work without an engine: call with the step, the documents done and all documents. Its thread begins with the
    first call, so that processes can be forked before it."""
    step, done, total, began = "", 0, 0, time.monotonic()

    def tell(now: str, so_far: int, of: int) -> None:
        nonlocal step, done, total, began
        if not step:
            shown.enter_context(Progress(line))
        began = began if now == step else time.monotonic()
        step, done, total = now, so_far, of

    def line() -> str:
        return f"{stage} {step}: {rate_and_time_left(done, total, time.monotonic() - began, 'documents')}"

    with ExitStack() as shown:
        yield tell
