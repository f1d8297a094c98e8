"""Numbers that change over a run: piecewise-linear schedules and the warm-up–stable–decay learning rate."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

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
        if ":" not in text:
            return cls(((0.0, _number(text, text)),))
        points, units = [], set()
        for part in text.split(","):
            position, _, value = (piece.strip() for piece in part.partition(":"))
            share = position.endswith("%")
            place = _number(position.removesuffix("%"), text) / (100 if share else 1)
            if not 0 <= place <= (1 if share else math.inf):
                raise UserError(
                    f"schedule {text!r}: position {position} must be {'0% to 100%' if share else '0 or more'}"
                )
            if place:
                units.add(share)
            points.append((place, _number(value, text)))
        if len(units) > 1:
            raise UserError(f"schedule {text!r} mixes steps with shares of the run: write all positions in one way")
        if any(after <= before for (before, _), (after, _) in pairwise(points)):
            raise UserError(f"schedule {text!r}: positions must rise from point to point: put the points in order")
        return cls(tuple(points), units == {True})

    def __call__(self, step: int, steps: int) -> float:
        """Value at the step with this number, from 0, of a run of `steps`."""
        positions, values = zip(*self.points, strict=True)
        return float(np.interp(step / steps if self.shares else step, positions, values))


def first_without_weight(schedules: Sequence[Schedule], begin: int, end: int, steps: int) -> int | None:
    """The first step of `begin` up to `end`, from 0, of a run of `steps`, in which all of them are 0; None: there is
    none. No schedule is below 0.

    Lines from 0 upwards are 0 together from a point of one of them on, so only steps beside points are looked at.
    """
    places = [place * (steps if one.shares else 1) for one in schedules for place, _ in one.points]
    near = {step for place in places if place < end for step in (math.floor(place), math.floor(place) + 1)}
    for step in sorted(near | {begin}):
        if begin <= step < end and not any(one(step, steps) for one in schedules):
            return step
    return None


def _number(digits: str, text: str) -> float:
    try:
        number = float(digits)
    except ValueError:
        number = math.nan
    if math.isfinite(number):
        return number
    raise UserError(
        f"schedule {text!r}: {digits!r} is no number: write a number such as 0.3, or points such as 0:1,1000:0.1"
    )


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
