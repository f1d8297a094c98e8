"""Shares and distributions of two corpora: how far apart they may be by chance.

Pages of a host are alike, so n pages say less than n independent ones would: every n here is an effective one
(`pipeline.drift.correlation`), a real number.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

LEAST_BIN = 0.1  # of both distributions together: bins are joined up to it, so there are ten at most, as PSI is used


class Interval(NamedTuple):
    low: float
    high: float


def wilson(share: float, n: float, z: float) -> Interval:
    """Of a share of n pages, z standard deviations wide (Wilson 1927)."""
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(max(0.0, middle - half), min(1.0, middle + half))


def newcombe(now: float, n_now: float, before: float, n_before: float, z: float) -> Interval:
    """Of the difference now - before of two independent shares (Newcombe 1998, Stat. Med. 17:873, method 10)."""
    new, old = wilson(now, n_now, z), wilson(before, n_before, z)
    difference = now - before
    down = math.hypot(now - new.low, old.high - before)
    up = math.hypot(new.high - now, before - old.low)
    return Interval(difference - down, difference + up)


def two_sided(chance: float) -> float:
    """Standard deviations that a normal variable exceeds, to either side, with this chance."""
    return NormalDist().inv_cdf(1 - chance / 2)


def aligned(
    now: tuple[Sequence[float], Sequence[float]], before: tuple[Sequence[float], Sequence[float]]
) -> tuple[list[float], list[float]] | None:
    """Counts of two histograms over the bins of both; None where their edges are not of one row of edges, of which each
    leaves out empty bins at its ends. now, before: (edges, counts)."""
    edges = sorted({*now[0], *before[0]})
    result = []
    for own, counts in (now, before):
        first = edges.index(own[0])
        if list(own) != edges[first : first + len(own)]:
            return None
        result.append([0.0] * first + [*counts] + [0.0] * (len(edges) - first - len(own)))
    return result[0], result[1]


def joined(now: Sequence[float], before: Sequence[float]) -> tuple[list[float], list[float]]:
    """Neighbouring bins put together until each has a tenth of the documents of both, each corpus counting alike."""
    total_now, total_before = sum(now) or 1, sum(before) or 1
    result: list[list[float]] = []
    room = 0.0
    for new, old in zip(now, before, strict=True):
        if not result or room >= LEAST_BIN:
            result.append([0.0, 0.0])
            room = 0.0
        result[-1][0] += new
        result[-1][1] += old
        room += (new / total_now + old / total_before) / 2
    if len(result) > 1 and room < LEAST_BIN:
        last = result.pop()
        result[-1] = [result[-1][0] + last[0], result[-1][1] + last[1]]
    return [new for new, _ in result], [old for _, old in result]


def stability(now: Sequence[float], before: Sequence[float]) -> float:
    """Population stability index: the sum over bins of (p - q) ln(p / q), which is Jeffreys' divergence. Half a
    document is added to each bin, so that an empty one is finite. 0.1 is read as a slight and 0.25 as a major shift
    (Siddiqi 2006, Credit Risk Scorecards, after Lewis 1994)."""
    total_now, total_before = (sum(counts) + len(counts) / 2 for counts in (now, before))
    shares = [((new + 0.5) / total_now, (old + 0.5) / total_before) for new, old in zip(now, before, strict=True)]
    return sum((p - q) * math.log(p / q) for p, q in shares)


def stability_by_chance(bins: int, n_now: float, n_before: float, chance: float) -> float:
    """What the index of two samples of one population exceeds with this chance: (1/n + 1/m) chi-square of bins - 1
    (Yurdakul 2018, Statistical properties of population stability index). The quantile is Wilson and Hilferty's (1931).
    """
    if bins < 2:
        return 0.0
    free = bins - 1
    z = NormalDist().inv_cdf(1 - chance)
    quantile = free * max(0.0, 1 - 2 / (9 * free) + z * math.sqrt(2 / (9 * free))) ** 3
    return quantile * (1 / n_now + 1 / n_before)


def median(edges: Sequence[float], counts: Sequence[int], share: float = 0.5) -> float | None:
    """The quantile `share` of a histogram, even within a bin; None without a document. Of the open bins at the ends,
    the edge."""
    total = sum(counts)
    if not total:
        return None
    left = share * total
    for i, count in enumerate(counts):
        if count and left <= count:
            low, high = edges[i], edges[i + 1]
            if not (math.isfinite(low) and math.isfinite(high)):
                return low if math.isfinite(low) else high
            return low + (high - low) * left / count
        left -= count
    return edges[-1]
