"""How sure a figure is: percentile bootstrap over what it is a mean of, Wilson's for shares, Student's t over seeds."""

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

SAMPLES = 1000
LEVEL = 0.95
AT_ONCE = 1 << 22  # drawn numbers at a time
FEW = 256  # different values that are drawn by their counts
Statistic = Callable[[NDArray[Any]], float]


class Interval(NamedTuple):
    """A figure and the bounds of its interval; None where one value alone gives none."""

    value: float
    low: float | None
    high: float | None


def mean(values: NDArray[Any]) -> float:
    return float(np.mean(values))


def bootstrap(
    values: ArrayLike,
    statistic: Statistic = mean,
    samples: int = SAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> Interval:
    """statistic(values), and the percentiles of it over as many values drawn with replacement (Efron 1979).

    values: [n] or [n, ...], whose first axis is drawn. For a figure of more than these, as F1 of two lists, values are
    np.arange(n) and statistic takes the drawn numbers. The mean of [n] is drawn all at once. ValueError where there are
    no values, or one that is not finite.
    """
    array = np.asarray(values)
    _check(array, level)
    if len(array) == 1:
        return Interval(float(statistic(array)), None, None)
    if statistic is mean and array.ndim == 1:
        drawn = _drawn_means(array.astype(np.float64), samples, seed)
    else:
        generator = np.random.default_rng(seed)
        drawn = np.array([statistic(array[generator.integers(len(array), size=len(array))]) for _ in range(samples)])
    return Interval(float(statistic(array)), *_percentiles(drawn, level))


def wilson(hits: int, count: int, level: float = LEVEL) -> Interval:
    """Of a share (Wilson 1927): has a width where all or none are hits, and stays within 0 and 1."""
    if not 0 <= hits <= count or not count:
        raise ValueError(f"{hits} hits of {count} are no share")
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, extra = hits / count, z * z / count
    middle = (share + extra / 2) / (1 + extra)
    half = math.sqrt(share * (1 - share) * extra + extra * extra / 4) / (1 + extra)
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half))


def t_interval(values: ArrayLike, level: float = LEVEL) -> Interval:
    """The mean and Student's interval of it, for the few values of runs with several seeds. ValueError as
    `bootstrap`."""
    array = np.asarray(values, np.float64)
    _check(array, level)
    value = float(array.mean())
    if len(array) == 1:
        return Interval(value, None, None)
    half = student_quantile((1 + level) / 2, len(array) - 1) * float(array.std(ddof=1)) / math.sqrt(len(array))
    return Interval(value, value - half, value + half)


def student_quantile(share: float, freedom: int) -> float:
    """t below which `share` (0.5 to 1, 1 left out) of Student's distribution lies. freedom: degrees, 1 or more."""
    if not 0.5 <= share < 1 or freedom < 1:
        raise ValueError(f"no quantile of Student's t for {share} and {freedom} degrees of freedom")
    low, high = 0.0, math.pi / 2
    while low < (middle := (low + high) / 2) < high:
        low, high = (low, middle) if (1 + _within(middle, freedom)) / 2 > share else (middle, high)
    return math.sqrt(freedom) * math.tan(low)


def _within(angle: float, freedom: int) -> float:
    """The share between -t and t, t = sqrt(freedom) tan(angle): Abramowitz & Stegun 26.7.3 and 26.7.4."""
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    term = total = (cosine if freedom > 1 else 0.0) if odd else 1.0
    for step in range(2 + odd, freedom - 1, 2):
        term *= cosine * cosine * (step - 1) / step
        total += term
    return 2 / math.pi * (angle + sine * total) if odd else sine * total


def _check(values: NDArray[Any], level: float) -> None:
    if not values.ndim or not len(values):
        raise ValueError("no values: nothing to draw from")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError("values that are not finite have no interval")
    if not 0 < level < 1:
        raise ValueError(f"level {level}: between 0 and 1 is needed, as 0.95")


def _drawn_means(values: NDArray[np.float64], samples: int, seed: int) -> NDArray[np.float64]:
    generator = np.random.default_rng(seed)
    different, counts = np.unique(values, return_counts=True)
    if len(different) <= FEW:  # how often each is drawn is multinomial: nothing grows with the values
        return generator.multinomial(len(values), counts / len(values), samples) @ different / len(values)
    found = np.empty(samples)
    rows = max(1, AT_ONCE // len(values))
    for begin in range(0, samples, rows):
        here = found[begin : begin + rows]
        here[:] = values[generator.integers(len(values), size=(len(here), len(values)))].mean(1)
    return found


def _percentiles(drawn: NDArray[np.float64], level: float) -> tuple[float, float]:
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
