"""Between two parents along the sphere."""

import math
from collections.abc import Sequence

from torch import Tensor

from train.fusion.average import average
from train.fusion.parts import check_alike, parts

STRAIGHT = 0.9995  # of |cos|: above it the formula divides by nearly nothing, and the arc is a line; mergekit's bound


class Slerp:
    """theta = sin((1 - t) a) / sin(a) theta_1 + sin(t a) / sin(a) theta_2, with a the angle between the two tensors,
    each as one vector.

    Shoemake 1985, "Animating rotation with quaternion curves", section 3.3; on weights, a tensor at a time, as mergekit
    does it. A line, (1 - t) theta_1 + t theta_2, where |cos a| > 0.9995, and where a tensor is all 0 and has no angle
    (mergekit takes a right angle then). t: 0 is the first parent, 1 the second.
    """

    needs_ancestor = False

    def __init__(self, t: float = 0.5) -> None:
        if not 0 <= t <= 1:
            raise ValueError(f"t {t:g} is not between 0 (the first parent) and 1 (the second)")
        self.t = t

    def check(self, parents: int) -> None:
        if parents != 2:
            raise ValueError(f"slerp goes between two parents, not {parents}")

    def merge(self, name: str, parents: Sequence[Tensor], ancestor: Tensor | None = None) -> Tensor:
        self.check(len(parents))
        return average(name, parents, self._factors(name, parents))

    def _factors(self, name: str, parents: Sequence[Tensor]) -> tuple[float, float]:
        check_alike(name, parents)
        dot = first = second = 0.0  # float64 over sums of parts
        for _, (one, two) in parts(name, parents):
            dot, first, second = dot + float(one @ two), first + float(one @ one), second + float(two @ two)
        cosine = dot / math.sqrt(first * second) if first and second else 1.0
        if abs(cosine) > STRAIGHT:
            return 1 - self.t, self.t
        angle = math.acos(cosine)
        return math.sin((1 - self.t) * angle) / math.sin(angle), math.sin(self.t * angle) / math.sin(angle)
