"""What a person sees while work is done: one line that is rewritten on a terminal, nothing at all elsewhere."""

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import TextIO

from pipeline.observed import logs


def terminal() -> TextIO | None:
    """Where a person looks on, or None. Under spark-submit Python's streams are pipes of the JVM that started it: then
    the question is whether that JVM writes to a terminal (Linux tells). Nobody looks on where lines are for programs.
    """
    if logs.is_json():
        return None
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
