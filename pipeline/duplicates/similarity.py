"""The true similarity of texts: what share of their shingles they have in common."""

import numpy as np
import pyarrow as pa

from pipeline.kernels.arrow_text import utf8
from pipeline.kernels.compiling import kernel


@kernel
def _shared(a: np.ndarray, b: np.ndarray) -> int:
    """How many values two ascending arrays of distinct values have in common."""
    i, j, count = 0, 0, 0
    while i < len(a) and j < len(b):
        x, y = a[i], b[j]
        count += x == y
        i += x <= y
        j += y <= x
    return count


@kernel
def similarity(a: np.ndarray, b: np.ndarray, containment: bool) -> float:
    """For kernels: of two texts, by their shingles."""
    shared = _shared(a, b)
    whole = min(len(a), len(b)) if containment else len(a) + len(b) - shared
    return shared / whole if whole else 0.0


@kernel
def _by_cell(
    first: np.ndarray, first_places: np.ndarray, second: np.ndarray, second_places: np.ndarray, containment: bool
) -> np.ndarray:
    out = np.empty(len(first_places) - 1, np.float64)
    for pair in range(len(out)):
        a = first[first_places[pair] : first_places[pair + 1]]
        b = second[second_places[pair] : second_places[pair + 1]]
        out[pair] = similarity(a, b, containment)
    return out


@kernel
def _by_place(
    values: np.ndarray, begins: np.ndarray, ends: np.ndarray, first: np.ndarray, second: np.ndarray, containment: bool
) -> np.ndarray:
    out = np.empty(len(first), np.float64)
    for pair in range(len(first)):
        i, j = first[pair], second[pair]
        out[pair] = similarity(values[begins[i] : ends[i]], values[begins[j] : ends[j]], containment)
    return out


def of_pairs(
    values: np.ndarray, begins: np.ndarray, ends: np.ndarray, first: np.ndarray, second: np.ndarray, measure: str
) -> np.ndarray:
    """As `similarities`, of texts first[i] and second[i]; text t has the shingles values[begins[t] : ends[t]]."""
    return _by_place(values, begins, ends, first, second, measure == "containment")


def similarities(first: pa.Array, second: pa.Array, measure: str) -> np.ndarray:
    """Of each pair, float64 in [0, 1]. `first`, `second`: binary arrays of shingles, ascending uint32, little-endian.

    `jaccard`: |A and B| / |A or B| (Jaccard 1901, Broder 1997). `containment`: |A and B| / min(|A|, |B|). 0 where there
    are no shingles. Shingles are known by 32 bits: among n and m of them n * m / 2^32 meet by chance, 0.04 % of two
    million-shingle texts.
    """
    return _by_cell(*_values(first), *_values(second), measure == "containment")


def _values(cells: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Values and places of the cells' uint32."""
    data, places = utf8(cells)
    begin, end = int(places[0]), int(places[-1])
    return data[begin:end].view("<u4"), (places - begin) // 4
