"""How far work is that has no steps: a live line on a terminal, with rate and time left; silent elsewhere."""

import sys
import time
from types import TracebackType
from typing import Self, TextIO

from train.telemetry.clock import hours

SECONDS_BETWEEN = 0.5


class Progress:
    """On stderr, since stdout is the answer. total: None where it is not known. A context that clears its line."""

    def __init__(self, what: str, unit: str, total: int | None = None, stream: TextIO | None = None) -> None:
        self.what, self.unit, self.total = what, unit, total
        self.stream = sys.stderr if stream is None else stream
        self.live = self.stream.isatty()
        self.began = time.monotonic()
        self.done = 0
        self._drawn, self._width = self.began, 0

    def add(self, count: int) -> None:
        self.done += count
        now = time.monotonic()
        if self.live and now - self._drawn >= SECONDS_BETWEEN:
            self._drawn = now
            text = self.line(now - self.began)
            self.stream.write("\r" + text.ljust(self._width))
            self.stream.flush()
            self._width = len(text)

    def line(self, seconds: float) -> str:
        """`embed  12,288 of 50,000 texts  1,034 texts/s  0:00:36 left`."""
        rate = self.done / max(seconds, 1e-9)
        of = f" of {self.total:,}" if self.total is not None else ""
        parts = [self.what, f"{self.done:,}{of} {self.unit}", f"{rate:,.0f} {self.unit}/s"]
        if self.total is not None and self.done:
            parts.append(f"{hours((self.total - self.done) / rate)} left")
        return "  ".join(parts)

    def clear(self) -> None:
        """Takes the line away, so that others may be written; the next one is drawn as it is due."""
        if self._width:
            self.stream.write("\r" + " " * self._width + "\r")
            self.stream.flush()
            self._width = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()
