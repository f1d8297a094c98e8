"""A fixed cost and a cost a unit, from runs over samples of several sizes."""

from collections.abc import Sequence
from typing import NamedTuple

LEAST_DEVIATION = 0.03  # of a measured time, on a machine that does nothing else


class Line(NamedTuple):
    """fixed + slope times x. deviation: standard, of the slope over itself."""

    fixed: float
    slope: float
    deviation: float

    def at(self, x: float) -> float:
        return self.fixed + self.slope * x


Point = tuple[float, float]  # x, y


def line(tiny: Point | None, points: Sequence[Point], cold: Point | None = None) -> Line:
    """Through a tiny run and larger ones. cold: as tiny, of the first run, which has started and loaded all that the
    others found there: what is fixed is what it took beside its own work.

    Without a tiny run through the smallest and the largest, and through nothing with one alone. Neither number is
    below 0: a sample that took less where it had more says that size does not matter.
    """
    if tiny is None and len(points) > 1:
        tiny, points = min(points), [max(points)]
    low = tiny or (0.0, 0.0)
    run, rise = (sum(point[axis] - low[axis] for point in points) for axis in (0, 1))
    slope = max(0.0, rise / run) if run > 0 else 0.0
    # Of two or three, the farthest is about two deviations off.
    each = [(y - low[1]) / (x - low[0]) for x, y in points if x > low[0]]
    apart = max((abs(one - slope) for one in each), default=0.0) / slope if slope else 0.0
    x, y = cold or low
    return Line(max(0.0, y - slope * x), slope, max(LEAST_DEVIATION, apart / 2))
