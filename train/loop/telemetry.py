"""What a run says of itself: sums by language, metrics.jsonl, a status line."""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from train.data.batches import COUNTS
from train.loop.distributed import Processes
from train.loop.files import write_text
from train.loop.objective import SUMS


class Tally:
    """Sums by language over all processes: SUMS since the last line of the log, COUNTS since the start of the run.

    A process adds to its own part; `gather` brings the parts together, in every process.
    """

    def __init__(self, languages: tuple[str, ...], processes: Processes) -> None:
        self.languages, self.processes = languages, processes
        self.sums: NDArray[np.float64] = np.zeros((len(languages), len(SUMS)))
        self.counts: NDArray[np.int64] = np.zeros((len(languages), len(COUNTS)), np.int64)
        self._own_sums = torch.zeros(len(languages), len(SUMS), dtype=torch.double, device=processes.device)
        self._own_counts = np.zeros_like(self.counts)

    def add(self, sums: torch.Tensor, counts: NDArray[np.int64]) -> None:
        self._own_sums += sums
        self._own_counts += counts

    def gather(self) -> None:
        self.sums += self.processes.sum(self._own_sums).cpu().numpy()
        counts = torch.from_numpy(self._own_counts).to(self.processes.device)
        self.counts += self.processes.sum(counts).cpu().numpy()
        self._own_sums = torch.zeros_like(self._own_sums)
        self._own_counts = np.zeros_like(self._own_counts)

    def state(self) -> dict[str, Any]:
        return {"sums": self.sums.tolist(), "counts": self.counts.tolist()}

    def restore(self, state: dict[str, Any]) -> None:
        self.sums, self.counts = np.array(state["sums"], float), np.array(state["counts"], np.int64)


def scores(sums: NDArray[np.float64]) -> dict[str, float | None]:
    """Mean loss in nats and share of right guesses; None where nothing was guessed."""
    loss, correct, masked = sums.tolist()
    return {"loss": loss / masked if masked else None, "accuracy": correct / masked if masked else None}


def describe(languages: tuple[str, ...], sums: NDArray[np.float64]) -> dict[str, Any]:
    """Scores over all languages and of each that had guesses."""
    by_language = {
        language: scores(row) | {"masked": int(row[2])} for language, row in zip(languages, sums, strict=True) if row[2]
    }
    return scores(sums.sum(0)) | {"masked": int(sums[:, 2].sum()), "languages": by_language}


@dataclass
class Clock:
    """Seconds of training, without those of validation and checkpoints; `waiting` of them for data."""

    training: float = 0.0
    waiting: float = 0.0

    def reset(self) -> None:
        self.training = self.waiting = 0.0


class Log:
    """metrics.jsonl and the screen, in the first process; silent in the others."""

    def __init__(self, path: Path, first: bool, step: int) -> None:
        """Lines of steps after `step`, which a crashed run left behind, are taken out: the run will say them again."""
        self.first = first
        self.terminal = sys.stdout.isatty()
        self.path = path
        self._width = 0
        if first:
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
            whole = [line for line in lines if line.endswith("\n")]
            write_text(path, "".join(line for line in whole if json.loads(line)["step"] <= step))

    def metrics(self, line: dict[str, Any]) -> None:
        if self.first:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, allow_nan=False) + "\n")

    def say(self, text: str) -> None:
        """A line that stays."""
        if self.first:
            print("\r" + text.ljust(self._width) if self._width else text, flush=True)
            self._width = 0

    def status(self, text: str) -> None:
        """A line that the next one replaces; on a terminal alone."""
        if self.first and self.terminal:
            print("\r" + text.ljust(self._width), end="", flush=True)
            self._width = len(text)


class Pace:
    """Seconds left, from the steps of this process's life; checkpoints and validations count in."""

    def __init__(self, step: int, steps: int) -> None:
        self.start, self.steps, self.began = step, steps, time.monotonic()

    def left(self, step: int) -> str:
        seconds = (time.monotonic() - self.began) / max(1, step - self.start) * (self.steps - step)
        hours, rest = divmod(round(seconds), 3600)
        return f"{hours}:{rest // 60:02d}:{rest % 60:02d}"
