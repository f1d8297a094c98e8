"""How much each parent counts."""

import math
from collections.abc import Sequence


def check_weights(weights: Sequence[float] | None) -> None:
    """ValueError for what cannot be shares; None is all the same."""
    if weights is not None and (not all(math.isfinite(one) and one >= 0 for one in weights) or sum(weights) <= 0):
        raise ValueError(f"weights {' '.join(f'{one:g}' for one in weights)}: none is below 0, and not all are 0")


def check_count(weights: Sequence[float] | None, parents: int) -> None:
    if weights is not None and len(weights) != parents:
        raise ValueError(f"{len(weights)} weights for {parents} parents")


def shares(weights: Sequence[float] | None, parents: int) -> list[float]:
    """They add up to 1."""
    check_count(weights, parents)
    found = [1.0] * parents if weights is None else list(weights)
    return [one / sum(found) for one in found]


def factors(weights: Sequence[float] | None, parents: int) -> list[float]:
    """As they are; 1 each where none are given."""
    check_count(weights, parents)
    return [1.0] * parents if weights is None else list(weights)


def check_scale(scale: float) -> None:
    if not math.isfinite(scale):
        raise ValueError(f"scale {scale} is no number")
