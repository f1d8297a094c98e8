"""How well scores part good texts from bad ones, with how sure that is: pages of a host are alike, so hosts count.

AUC is the probability that a good text scores more than a bad one, equal scores half. Its variance is of clusters
(Obuchowski 1997, Biometrics 53:567: DeLong's with the components summed by host), its interval is made on the scale of
log-odds (Pepe 2003, The Statistical Evaluation of Medical Tests, 5.2). Precision is of the share of texts that score
most, its interval Wilson's with as many texts as there are hosts among them.
"""

import math
from typing import NamedTuple

import numpy as np

from pipeline.drift.intervals import Interval, two_sided, wilson

CHANCE = 0.05  # that the truth is outside an interval
LEAST_JUDGED = 20  # texts of either class for a language to be judged


class Judgement(NamedTuple):
    """Of a language or kind: good and bad texts and their hosts, AUC and precision with intervals, None where there are
    too few texts. recall: the share of good texts that is kept."""

    good: int
    bad: int
    hosts: int
    auc: float | None
    auc_interval: Interval | None
    precision: float | None
    precision_interval: Interval | None
    recall: float | None


def judged(scores: np.ndarray, is_good: np.ndarray, hosts: np.ndarray, kept_share: float) -> Judgement:
    """scores: float64, none NaN; is_good: bool; hosts: object; all (n,). Equal scores at the threshold count by
    shares."""
    good, bad = int(is_good.sum()), int((~is_good).sum())
    n_hosts = len(np.unique(hosts.astype(str)))
    if min(good, bad) < LEAST_JUDGED:
        return Judgement(good, bad, n_hosts, None, None, None, None, None)
    area, deviation = auc(scores, is_good, hosts)
    weight = kept(scores, kept_share)
    precision = float((weight * is_good).sum() / weight.sum())
    kept_hosts = len(np.unique(hosts[weight > 0].astype(str)))
    z = two_sided(CHANCE)
    return Judgement(
        good, bad, n_hosts, area, _interval(area, deviation, z, n_hosts), precision,
        wilson(precision, kept_hosts, z), float((weight * is_good).sum() / good),
    )  # fmt: skip


def auc(scores: np.ndarray, is_good: np.ndarray, hosts: np.ndarray) -> tuple[float, float]:
    """The area under the ROC curve and its standard deviation; hosts with one class alone count as well."""
    good, bad = scores[is_good], scores[~is_good]
    above = _below(np.sort(bad), good)  # of each good text: the share of bad ones that score less
    below = 1 - _below(np.sort(good), bad)
    area = float(above.mean())
    _, cluster = np.unique(hosts.astype(str), return_inverse=True)
    count = cluster.max() + 1
    m, n = (np.bincount(cluster[which], minlength=count).astype(float) for which in (is_good, ~is_good))
    a = np.bincount(cluster[is_good], above, count) - m * area
    b = np.bincount(cluster[~is_good], below, count) - n * area
    total_m, total_n = m.sum(), n.sum()
    with_m, with_n = (m > 0).sum(), (n > 0).sum()
    s10 = with_m / max(1, with_m - 1) / total_m * (a * a).sum()
    s01 = with_n / max(1, with_n - 1) / total_n * (b * b).sum()
    s11 = count / max(1, count - 1) * (a * b).sum()
    variance = s10 / total_m + s01 / total_n + 2 * s11 / (total_m * total_n)
    return area, math.sqrt(max(0.0, variance))


def kept(scores: np.ndarray, share: float) -> np.ndarray:
    """Weight of each text among the `share` of all that score most, float64: 1, 0, or what is left for equal ones."""
    wanted = share * len(scores)
    order = np.sort(scores)[::-1]
    threshold = order[min(len(order) - 1, int(wanted))]
    above, level = scores > threshold, scores == threshold
    return np.where(above, 1.0, np.where(level, (wanted - above.sum()) / level.sum(), 0.0))


def ranks(scores: np.ndarray) -> np.ndarray:
    """Of each score the share of all that is below it, equal ones half."""
    return _below(np.sort(scores), scores) if len(scores) else scores


def _below(ordered: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The share of the ordered ones below each value, equal ones half."""
    return (np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")) / (2 * len(ordered))


def _interval(area: float, deviation: float, z: float, n_hosts: int) -> Interval:
    """Where every good text scores more than every bad one, three in n_hosts may yet do otherwise (rule of three)."""
    if area in (0.0, 1.0) or deviation == 0:
        least = min(1.0, 3 / n_hosts)
        return Interval(max(0.0, area - least), min(1.0, area + least))
    middle, half = math.log(area / (1 - area)), z * deviation / (area * (1 - area))
    low, high = (1 / (1 + math.exp(-max(-500.0, min(500.0, place)))) for place in (middle - half, middle + half))
    return Interval(low, high)
