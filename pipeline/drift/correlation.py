"""How much less a page says because others of its host or of its archive are like it.

For a share p over clusters of n_c pages of which k_c are hits, the variance of p is the sum of (k_c - p n_c)^2 over the
square of n (Cochran 1977, Sampling Techniques, 11.12: a ratio estimate over clusters); its ratio to that of n
independent pages, p (1 - p) / n, is the design effect. What goes over 1 in it are products of two pages of a cluster.

Hosts are spread over all archives: a part of the corpus with the share f of its pages has of each page's companions the
share f, so by hosts the design effect of n pages is 1 + n r with one r, which a part of the corpus tells. Archives are
read whole, so by them it is one number whatever n is.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

LEAST_CLUSTERS = 10  # with fewer, nothing says how much they differ

Codes = npt.NDArray[np.int64]  # from 0


class Excess(NamedTuple):
    """Of a share over clusters. over: the design effect less 1, not below 0. pages: that it was found over."""

    over: float
    pages: int
    clusters: int


class Correlation(NamedTuple):
    """Of a share: by_host is r of the module, by_archive a design effect. hosts, archives: so many were looked at, 0
    where that is too few."""

    by_host: float
    hosts: int
    by_archive: float
    archives: int


UNKNOWN = Correlation(0.0, 0, 1.0, 0)


def correlation(hosts: Excess | None, archives: Excess | None) -> Correlation:
    by_host, n_hosts, by_archive, n_archives = UNKNOWN
    if hosts and hosts.clusters >= LEAST_CLUSTERS:
        by_host, n_hosts = hosts.over / hosts.pages, hosts.clusters
    if archives and archives.clusters >= LEAST_CLUSTERS:
        by_archive, n_archives = 1 + archives.over, archives.clusters
    return Correlation(by_host, n_hosts, by_archive, n_archives)


def together(one: Correlation, other: Correlation) -> Correlation:
    """Of two corpora of one web: the worse of both, since a share that has come to 0 or 1 shows none."""
    return Correlation(
        max(one.by_host, other.by_host),
        one.hosts + other.hosts,
        max(one.by_archive, other.by_archive),
        one.archives + other.archives,
    )


def effective(pages: float, known: Correlation, z: float) -> float:
    """As many independent pages as these are worth at z standard deviations; 0 where nothing is known. As the design
    effect is itself found over few clusters, less by (z / t)^2, t being Student's quantile (Korn and Graubard 1998,
    Survey Methodology 24:193)."""
    worth = []
    if known.hosts:
        worth.append(pages / (1 + pages * known.by_host) * (z / student(z, known.hosts - 2)) ** 2)
    if known.archives:
        worth.append(pages / known.by_archive * (z / student(z, known.archives - 2)) ** 2)
    return min(worth, default=0.0)


def student(z: float, free: int) -> float:
    """Student's quantile where z is the normal one, for 8 degrees of freedom or more (Abramowitz and Stegun 26.7.5)."""
    g1 = (z**3 + z) / 4
    g2 = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    g3 = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + g1 / free + g2 / free**2 + g3 / free**3


def excesses(
    groups: Codes, clusters: Codes, categories: Codes, weights: Codes | None = None, hits: Codes | None = None
) -> dict[tuple[int, int], Excess]:
    """Of the share of each category within its group: (group, category) -> excess, for those that occur.

    A row is a page, or `weights` pages of which `hits` are of the category.
    """
    size = np.ones(len(groups), np.int64) if weights is None else weights
    hit = np.ones(len(groups), np.int64) if hits is None else hits
    n_categories = int(categories.max(initial=0)) + 1
    pairs, pair_of = np.unique(groups * (int(clusters.max(initial=0)) + 1) + clusters, return_inverse=True)
    group_of = pairs // (int(clusters.max(initial=0)) + 1)
    n = np.bincount(pair_of, weights=size, minlength=len(pairs))
    n_groups = int(groups.max(initial=0)) + 1
    pages, squares = np.bincount(group_of, n, n_groups), np.bincount(group_of, n * n, n_groups)
    found = np.bincount(group_of, minlength=n_groups)
    triples, triple_of = np.unique(pair_of * n_categories + categories, return_inverse=True)
    k, pair = np.bincount(triple_of, weights=hit, minlength=len(triples)), triples // n_categories
    cells, cell_of = np.unique(group_of[pair] * n_categories + triples % n_categories, return_inverse=True)
    sums = [np.bincount(cell_of, values, len(cells)) for values in (k, k * k, k * n[pair])]
    result = {}
    for cell, total, total_square, crossed in zip(cells.tolist(), *(one.tolist() for one in sums), strict=True):
        group, category = divmod(cell, n_categories)
        count, many = float(pages[group]), int(found[group])
        share = total / count
        independent = count * share * (1 - share)
        between = total_square - 2 * share * crossed + share * share * float(squares[group])
        excess = between / independent * many / (many - 1) - 1 if independent > 0 and many > 1 else 0.0
        result[group, category] = Excess(max(0.0, excess), int(count), many)
    return result
