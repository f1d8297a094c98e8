"""The screen: lines that stay, and on a terminal one live line, drawn by rich where it is installed."""

import importlib
import math
import sys
import time
from types import TracebackType
from typing import Any, Self, TextIO

from train.telemetry.clock import Pace, hours

SECONDS_BETWEEN = 0.5  # two drawings of the live line
BAR = 24  # characters


class Terminal:
    """Lines of the first process; the others are silent. A context, so that the live line ends with the run."""

    def __init__(self, first: bool, step: int, steps: int, stream: TextIO | None = None) -> None:
        """step: where this process begins; steps: of the whole run."""
        self.first, self.steps, self.pace = first, steps, Pace(step, steps)
        self.stream = sys.stdout if stream is None else stream
        self.live = first and self.stream.isatty()
        self._width = 0
        self._drawn = -math.inf
        self._rich = _Rich(self.stream, steps) if self.live and _has_rich() else None

    def say(self, text: str) -> None:
        """A line that stays."""
        if self._rich:
            self._rich.say(text)
        elif self.first:
            print("\r" + text.ljust(self._width) if self._width else text, file=self.stream, flush=True)
            self._width = 0

    @property
    def due(self) -> bool:
        """Whether the live line may be drawn again: who has to wait for a device to know its loss asks first."""
        return self.live and time.monotonic() - self._drawn >= SECONDS_BETWEEN

    def status(self, step: int, **figures: float | None) -> None:
        """The live line, by names of the log: loss, tokens_per_second, mfu, data_wait. Nothing without a terminal."""
        if not self.live:
            return
        self._drawn = time.monotonic()
        text = self.line(step, **figures)
        if self._rich:
            self._rich.status(step, text)
        else:
            print("\r" + text.ljust(self._width), end="", file=self.stream, flush=True)
            self._width = len(text)

    def line(self, step: int, **figures: float | None) -> str:
        """`step 20/50  loss 3.1416  12,345 tokens/s  MFU 41.2 %  data wait 0.3 %  0:00:07 left`; what is not known is
        left out, a loss of None is said."""
        parts = [f"step {step}/{self.steps}"]
        if "loss" in figures:
            parts.append(f"loss {nats(figures['loss'])}")
        if (rate := figures.get("tokens_per_second")) is not None:
            parts.append(f"{rate:,.0f} tokens/s")
        for key, name in (("mfu", "MFU"), ("data_wait", "data wait")):
            if (share := figures.get(key)) is not None:
                parts.append(f"{name} {100 * share:.1f} %")
        if (left := self.pace.left(step)) is not None:
            parts.append(f"{hours(left)} left")
        return "  ".join(parts)

    def close(self) -> None:
        """Ends the live line; lines may still be said."""
        if self._rich:
            self._rich.close()
            self._rich = None
        elif self._width:
            print(file=self.stream, flush=True)
        self.live, self._width = False, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def nats(loss: float | None) -> str:
    return f"{loss:.4f}" if loss is not None and math.isfinite(loss) else "not finite"


def _has_rich() -> bool:
    try:
        importlib.import_module("rich.live")
    except ImportError:
        return False
    return True


class _Rich:
    """A live line with a bar below the lines that stay. It is drawn when it is told to, by no thread."""

    def __init__(self, stream: TextIO, steps: int) -> None:
        from rich.console import Console
        from rich.live import Live

        self.steps = steps
        self.console = Console(file=stream, highlight=False, markup=False, emoji=False)
        self.live: Any = Live(console=self.console, auto_refresh=False, transient=True)
        self.live.start()
        self.console.show_cursor(True)  # a process that is killed leaves the terminal as it was

    def say(self, text: str) -> None:
        self.console.print(text, soft_wrap=True)

    def status(self, step: int, text: str) -> None:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        line = Table.grid(padding=(0, 1))
        line.add_row(ProgressBar(self.steps, step, width=BAR), Text(text, no_wrap=True, overflow="ellipsis"))
        self.live.update(line, refresh=True)

    def close(self) -> None:
        self.live.stop()
