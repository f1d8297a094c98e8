"""How many different texts a whole has, of which some archives have been looked through.

The more archives, the larger the share of pages that are copies of others, so no share of the sample's holds for the
whole. What tells is how many texts of the sample are in one archive of it, and how many in two.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

GROUPS = 20  # of archives, each of which is left out once
NEAR = 0.05  # a sample of at least this share is believed; a smaller one by the logarithm of its share


class Richness(NamedTuple):
    """texts: different ones in the whole. deviation: standard, of its logarithm. low, high: bounds, whatever the
    sample says by chance."""

    texts: float
    deviation: float
    low: float
    high: float


def lower_bound(once: int, twice: int, seen: int, taken: int, of: float) -> float:
    """Different texts in `of` archives, of which `taken` were drawn without putting back and show `seen`, `once` of
    them in one archive and `twice` in two. Exact where all texts are as frequent, a lower bound else (Chao and Lin
    2012, Biometrics 68, 912-921, for incidences)."""
    if taken >= of:
        return float(seen)
    share = taken / of
    weight = taken / (taken - 1) if taken > 1 else 2.0
    below = 2 * weight * max(twice, 0) + share / (1 - share) * once
    return seen + once * once / below if below else float(seen)


def richness(texts: Sequence[Collection[int]], taken: int, of: float, documents: float, drawn: int) -> Richness:
    """Of the whole, which has `of` archives and `documents`.

    texts: of each text in the sample, the archives (0 to taken - 1) that have it; drawn: documents of the sample.

    A sample that is small against the whole sees few copies twice, and pages are not all as likely to be copied: then
    the truth lies between the lower bound and the sample's own share of copies, and the estimate between both on a
    scale of logarithms. The deviation is the jackknife's over archives, or groups of them.
    """
    counts = [len(set(archives)) for archives in texts]
    seen = len(counts)
    high = min(documents, seen * documents / max(1, drawn)) if of > taken else float(seen)

    def point(counts: Mapping[int, int], seen: int, taken: int) -> float:
        low = min(high, lower_bound(counts.get(1, 0), counts.get(2, 0), seen, taken, of))
        share = taken / of
        trust = min(1.0, math.log(NEAR) / math.log(share)) if share < 1 else 1.0
        return low**trust * high ** (1 - trust)

    totals = _counted(counts)
    whole = point(totals, seen, taken)
    without, groups = [], min(GROUPS, taken)
    for group in range(groups if 3 <= taken < of else 0):
        left = [sum(archive % groups != group for archive in {*having}) for having in texts]
        here = _counted([number for number in left if number])
        remaining = sum(archive % groups != group for archive in range(taken))
        without.append(math.log(point(here, sum(here.values()), remaining)))
    if without:
        mean = sum(without) / groups
        deviation = math.sqrt((groups - 1) / groups * sum((one - mean) ** 2 for one in without))
    else:  # too few to tell
        deviation = 0.0 if taken >= of else 0.15
    low = min(whole, lower_bound(totals.get(1, 0), totals.get(2, 0), seen, taken, of))
    return Richness(whole, deviation, low, high)


def alone(texts: float, documents: float) -> float:
    """Texts of which there is one copy, where all have as many by chance (Poisson, one at least)."""
    return texts * math.exp(-(documents / texts - 1)) if texts else 0.0


def _counted(numbers: Sequence[int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for number in numbers:
        found[number] = found.get(number, 0) + 1
    return found
