"""Numbers that change over a run: piecewise-linear schedules and the warm-up–stable–decay learning rate."""

import math
from dataclasses import dataclass
from typing import Literal

from schemas.errors import UserError

Shape = Literal["1-sqrt", "linear", "cosine"]


@dataclass(frozen=True)
class Schedule:
    """Straight lines between `points` (position, value), constant before the first one and behind the last.

    Positions are step numbers from 0, or with `shares` parts of the run from 0 to 1. The last step of a run begins at
    (steps - 1) / steps, so a value at 100 % is what the last step comes close to.
    """

    points: tuple[tuple[float, float], ...]
    shares: bool = False

    @classmethod
    def parse(cls, text: str) -> "Schedule":
        """Schedule of "0.3", "0:1,100000:0.1" (as XLM writes them) or "90%:0.3,100%:0.05".

        Raises UserError for anything else, for points that do not rise, and for steps among shares (0 is both).
        """
        points = []
        units = set()
        for part in text.split(","):
            position, colon, value = part.strip().rpartition(":")
            if not colon:
                position = "0"
            share = position.strip().endswith("%")
            place = _number(position.strip().removesuffix("%"), part, text) / (100 if share else 1)
            if not 0 <= place <= (1 if share else math.inf):
                bound = "from 0% to 100%" if share else "0 or more"
                raise UserError(f"schedule {text!r}: the position {position.strip()} must be {bound}")
            if place:
                units.add(share)
            points.append((place, _number(value, part, text)))
        if len(points) > 1 and not all(":" in part for part in text.split(",")):
            raise UserError(f"schedule {text!r}: write each of several points as position:value, such as 0:1,1000:0.1")
        if len(units) > 1:
            raise UserError(f"schedule {text!r} mixes steps with shares of the run: write all its positions in one way")
        if any(after <= before for (before, _), (after, _) in zip(points, points[1:], strict=False)):
            raise UserError(f"schedule {text!r}: its positions must rise from point to point: put them in order")
        return cls(tuple(points), units == {True})

    def __call__(self, step: int, steps: int) -> float:
        """Value at the step with this number, from 0, of a run of `steps`."""
        place = step / steps if self.shares else step
        (left, before), (last, final) = self.points[0], self.points[-1]
        if place >= last:
            return final
        for right, after in self.points:
            if place < right:
                # At the first point both ends are the same, and so is the value before it.
                return before + (after - before) * (place - left) / (right - left) if right > left else before
            left, before = right, after
        return final


def _number(digits: str, part: str, text: str) -> float:
    try:
        number = float(digits)
    except ValueError:
        number = math.nan
    if math.isfinite(number):
        return number
    place = f"{part.strip()!r} of schedule {text!r}" if part != text else f"schedule {text!r}"
    raise UserError(f"{place} is no number: write a number such as 0.3, or points such as 0:1,1000:0.1")


def learning_rate(
    step: int,
    steps: int,
    *,
    peak: float,
    warmup_ratio: float,
    decay_ratio: float,
    shape: Shape = "1-sqrt",
    floor: float = 0.0,
) -> float:
    """Rate of the step with this number, from 0: linear up to `peak`, level, then along `shape` towards `floor`.

    The ratios are shares of the run; `floor` is a rate. The first step is above zero and the last one too: warm-up
    reaches the peak at its end, and the decay would reach the floor one step after the last. `1 - sqrt` is the shape
    of Hägele et al. 2024 (arXiv 2405.18392).
    """
    warmup, decay = round(steps * warmup_ratio), round(steps * decay_ratio)
    if step < warmup:
        return peak * (step + 1) / warmup
    left = steps - step
    if left > decay:
        return peak
    progress = (decay - left + 1) / (decay + 1)
    fall = {"1-sqrt": progress**0.5, "linear": progress, "cosine": 0.5 - 0.5 * math.cos(math.pi * progress)}[shape]
    return floor + (peak - floor) * (1.0 - fall)
