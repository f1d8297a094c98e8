"""All that a run says, in one hand: metrics.jsonl, event files, the terminal, Prometheus."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from train.telemetry.exposition import Exposition
from train.telemetry.metrics_file import MetricsFile, plain
from train.telemetry.tensorboard import EventFile
from train.telemetry.terminal import Terminal


class Exposed(NamedTuple):
    """Where the figures are shown to Prometheus: at a port, in a file, or nowhere."""

    port: int | None = None
    address: str = "127.0.0.1"
    file: Path | None = None


class Journal:
    """What the first process writes and says; the others are silent. A context, for its live line.

    `OUTPUT/metrics.jsonl` and, if asked for, `OUTPUT/tensorboard/`; terminal: see Terminal.
    """

    def __init__(
        self, output: Path, first: bool, step: int, steps: int, tensorboard: bool = True, exposed: Exposed | None = None
    ) -> None:
        """Begins, or goes on after `step`: what either says of later steps is taken back. OSError if the disk fails,
        UserError for a port that is taken."""
        writers: list[MetricsFile | EventFile | Exposition] = []
        if first:
            writers.append(MetricsFile(output / "metrics.jsonl", step))
            if tensorboard:
                writers.append(EventFile(output / "tensorboard", step))
        self.terminal = Terminal(first, step, steps)
        self._exposition = None
        if first and exposed is not None and (exposed.port is not None or exposed.file is not None):
            self._exposition = Exposition(steps, *exposed)
            writers.append(self._exposition)
            if self._exposition.port is not None:
                self.terminal.say(f"metrics at http://{exposed.address}:{self._exposition.port}/metrics")
        self._writers = writers

    def write(self, values: Mapping[str, Any]) -> None:
        """A line of metrics.jsonl: `step`, `split` (`train` or `validation`) and figures. OSError, with the file's
        name, if the disk fails."""
        for writer in self._writers:
            try:
                writer.write(plain(values))
            except OSError as error:  # a write that fails does not say where
                raise OSError(error.errno, error.strerror, str(writer.path)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.terminal.close()
        if self._exposition is not None:
            self._exposition.close()
