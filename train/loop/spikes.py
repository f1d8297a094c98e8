"""Loss spikes, told from the noise of a curve, and the record of the data that a run skips after one."""

import math
import statistics
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

NORMAL = 1.4826  # standard deviation of a normal distribution over its median absolute deviation: 1 / Phi^-1(3/4)
LEAST = 0.01  # of the median: a spread below this share of the loss is no measure of what is unusual


@dataclass(frozen=True)
class SkippedRange:
    """Steps whose data made the loss leap: from the first that was too high to the one that raised the alarm, both in.

    loss: at the alarm, None where it was not finite. level: median of the losses before, in the same unit; None where
    none was known.
    """

    step_from: int
    step_to: int
    loss: float | None
    level: float | None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> "SkippedRange":
        return cls(**record)


class SpikeDetector:
    """Says when the loss has been above median + factor * spread of the last `window` good losses for `patience` logs
    in a row, or is not finite.

    The spread is the median absolute deviation as a standard deviation, so that the odd high loss within the window
    moves nothing. Losses under suspicion stay out of the window until one that is not high ends it, and are then
    forgotten. Nothing but a loss that is not finite raises an alarm before half a window is full. Pure: no clock, no
    chance, and `state` in JSON goes into a checkpoint.
    """

    def __init__(self, window: int = 100, factor: float = 6.0, patience: int = 3) -> None:
        self.window, self.factor, self.patience = window, factor, patience
        self._losses: deque[float] = deque(maxlen=window)
        self._good_step: int | None = None
        self._suspects = 0

    @property
    def suspicious(self) -> bool:
        """Whether the last loss was too high, if not for long enough: a checkpoint of now is no good one."""
        return self._suspects > 0

    def observe(self, step: int, loss: float) -> SkippedRange | None:
        """Takes the loss of the next logged step; the range to skip at an alarm, after which the count starts anew."""
        level = statistics.median(self._losses) if self._losses else None
        finite = math.isfinite(loss)
        if finite and not self._high(loss, level):
            self._losses.append(loss)
            self._good_step, self._suspects = step, 0
            return None
        self._suspects += 1
        if finite and self._suspects < self.patience:
            return None
        self._suspects = 0
        step_from = step if self._good_step is None else self._good_step + 1
        return SkippedRange(step_from, step, loss if finite else None, level)

    def _high(self, loss: float, level: float | None) -> bool:
        if level is None or 2 * len(self._losses) < self.window:
            return False
        spread = NORMAL * statistics.median(abs(value - level) for value in self._losses)
        return loss > level + self.factor * max(spread, LEAST * abs(level))

    def state(self) -> dict[str, Any]:
        return {"losses": list(self._losses), "good_step": self._good_step, "suspects": self._suspects}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from a `state`; of a larger window the newest losses count."""
        self._losses = deque(state["losses"], maxlen=self.window)
        self._good_step, self._suspects = state["good_step"], state["suspects"]
