"""How fast a run is, and how long it will take."""

import time
from dataclasses import dataclass


@dataclass
class Clock:
    """Seconds of training, without those of validation and checkpoints; `waiting` of them for data.

    training, waiting: since the last line of the log. total: since the start of the run, over all its processes' lives.
    """

    training: float = 0.0
    waiting: float = 0.0
    total: float = 0.0

    def add(self, training: float, waiting: float) -> None:
        """The seconds of a step, those that it waited for its data included."""
        self.training += training
        self.waiting += waiting
        self.total += training

    def figures(self, tokens: int, flops: float = 0.0, peak: float | None = None) -> dict[str, float]:
        """`tokens_per_second`, `data_wait`, `mfu`, `seconds` for a line of the log.

        tokens, flops: since the last line, in all processes or in this one, as they are to be shown. peak: FLOP/s of
        what `flops` ran on; None: there is no mfu (model FLOPs utilisation: Chowdhery et al. 2022, arXiv 2204.02311).
        """
        seconds = max(self.training, 1e-9)
        rates = {"tokens_per_second": round(tokens / seconds, 1), "data_wait": round(self.waiting / seconds, 4)}
        if peak:
            rates["mfu"] = round(flops / seconds / peak, 4)
        return rates | {"seconds": round(self.total, 3)}

    def reset(self) -> None:
        """After a line of the log."""
        self.training = self.waiting = 0.0


class Pace:
    """Seconds left, from the steps of this process's life; checkpoints and validations count in."""

    def __init__(self, step: int, steps: int) -> None:
        self.start, self.steps, self.began = step, steps, time.monotonic()

    def left(self, step: int) -> float | None:
        """Seconds until the last step; None before this process has made a step."""
        if step <= self.start:
            return None
        return (time.monotonic() - self.began) / (step - self.start) * (self.steps - step)


def hours(seconds: float) -> str:
    """`0:07:30`, `172:00:00`."""
    whole, rest = divmod(round(seconds), 3600)
    return f"{whole}:{rest // 60:02d}:{rest % 60:02d}"
