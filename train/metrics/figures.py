"""Values become figures of the file of an evaluation, with their 95 % intervals."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from schemas.evaluation import ALL, Figure
from train.metrics.intervals import Interval, bootstrap, wilson


def share(hits: ArrayLike) -> Figure:
    """Of hits, bool [n]: their share and its bootstrap interval; Wilson's where all are alike, as any drawn of them
    would be too, and which says that few hits prove little. ValueError where there are none."""
    array = np.asarray(hits, np.bool_)
    same = array.size > 0 and array.min() == array.max()
    return measured(wilson(int(array.sum()), len(array)) if same else bootstrap(array), len(array))


def number(value: float, count: int) -> Figure:
    """One without an interval."""
    return measured(Interval(value, None, None), count)


def measured(interval: Interval, count: int) -> Figure:
    """Any interval. count: what it is over."""
    value, low, high = (None if one is None else float(one) for one in interval)
    assert value is not None
    return {"value": value, "low": low, "high": high, "count": int(count)}


def mean_of(rows: Mapping[str, Figure]) -> Figure:
    """The mean over languages, each counting the same, and its bootstrap interval over languages: how far it would move
    with other languages, not with other texts. The row of no language is left out. ValueError where there is none."""
    values = [figure["value"] for language, figure in sorted(rows.items()) if language != ALL]
    return measured(bootstrap(values), len(values))
