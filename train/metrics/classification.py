"""Figures of labels: what is right against what was given, equal to scikit-learn's."""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

Labels = Sequence[Hashable] | NDArray[np.generic]


def f1_by_class(table: NDArray[np.int64]) -> NDArray[np.float64]:
    """float64 [classes] of a `confusion`: 2 TP / (2 TP + FP + FN), as GLUE scores MRPC and QQP; NaN for a class that is
    neither right nor given. Of a table, since that of many draws of the same answers is quickly made."""
    with np.errstate(invalid="ignore"):
        return 2 * np.diag(table) / (table.sum(0) + table.sum(1))


def macro_f1(table: NDArray[np.int64]) -> float:
    """The mean of the classes' F1, over the classes that are right or given anywhere."""
    return float(np.nanmean(f1_by_class(table)))


def matthews(counts: NDArray[np.int64]) -> float:
    """Matthews' correlation of a `confusion`, R_K of Gorodkin 2004 for any number of classes, as GLUE scores CoLA; 0
    where either side has one class alone."""
    table = counts.astype(np.float64)
    total, by_right, by_given = table.sum(), table.sum(1), table.sum(0)
    spread = (total**2 - by_right @ by_right) * (total**2 - by_given @ by_given)
    return float((np.trace(table) * total - by_right @ by_given) / np.sqrt(spread)) if spread > 0 else 0.0


def confusion(right: Labels, given: Labels, labels: Sequence[Hashable]) -> NDArray[np.int64]:
    """int64 [labels, labels]: row what is right, column what was given, in the order of `labels`; pairs with a label
    that is not among them are left out. ValueError where there are no pairs, or not as many of
    both, and where a label is named twice or none is."""
    rows, columns, seen = _numbered(right, given)
    if not labels or len(set(labels)) != len(labels):
        raise ValueError("labels must be named once each, and one at least")
    table = _counts(rows, columns, len(seen))
    found = np.zeros((len(labels), len(labels)), np.int64)
    known = [(place, seen[label]) for place, label in enumerate(labels) if label in seen]
    if known:
        places, numbers = np.array(known).T
        found[np.ix_(places, places)] = table[np.ix_(numbers, numbers)]
    return found


def _numbered(right: Labels, given: Labels) -> tuple[NDArray[np.int64], NDArray[np.int64], dict[Hashable, int]]:
    if len(right) != len(given):
        raise ValueError(f"{len(right)} right labels and {len(given)} given ones")
    if not len(right):
        raise ValueError("no labels: nothing to score")
    numbers: dict[Hashable, int] = {}
    rows, columns = (
        np.array([numbers.setdefault(label, len(numbers)) for label in side], np.int64) for side in (right, given)
    )
    return rows, columns, numbers


def _counts(rows: NDArray[np.int64], columns: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    return np.bincount(rows * classes + columns, minlength=classes * classes).reshape(classes, classes)
