"""How much more often a document is seen that stood on the web several times (`minhash_cluster_size`): rehydration, as
FineWeb-2 has it (Penedo et al. 2025, arXiv 2506.20920, and the repository's `misc/`); and one of better quality."""

import csv
import io
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from pipeline.config import SampleConfig
from pipeline.store import storage
from schemas.errors import UserError

Steps = Sequence[tuple[int, float]]  # from this cluster size on, this weight; ascending, the first from 1 on

NONE: Steps = ((1, 1.0),)
FINEWEB2: Steps = ((1, 1.0), (2, 2.0), (3, 3.0), (5, 5.0), (100, 8.0), (1000, 1.0))
COLUMNS = ("minhash_cluster_size", "kept", "dropped")
MOST_WEIGHT = 10.0  # of FineWeb-2's fitted curves
AVERAGED = 5  # neighbours, likewise


def steps_of(setting: str) -> Steps:
    """`none`, `fineweb2`, or the path of a CSV file of COLUMNS, to which a curve is fitted. UserError for none of
    them."""
    if setting in ("", "none"):
        return NONE
    if setting == "fineweb2":
        return FINEWEB2
    return fitted(_read(setting))


def score_steps(config: SampleConfig) -> tuple[str, tuple[float, ...]]:
    """The column and the values from which on a step holds, ascending."""
    return config.score_column, tuple(sorted(map(float, config.score_weights)))


def score_weights(config: SampleConfig) -> tuple[float, ...]:
    """Of the steps, the first of texts below all values or without a number: 1, as if nothing were said of them."""
    return (1.0, *(weight for _, weight in sorted((float(v), w) for v, w in config.score_weights.items())))


def step_of(sizes: np.ndarray, steps: Steps) -> np.ndarray:
    """int64, which of the steps each cluster size is on."""
    begins = [begin for begin, _ in steps]
    return np.maximum(np.searchsorted(begins, sizes, side="right") - 1, 0)


def fitted(rows: Sequence[tuple[int, int, int]]) -> Steps:
    """FineWeb-2's rule, from (cluster size, documents that the filters kept, documents that they dropped): where the
    filters drop as much as over all or more, the weight is 1; where they drop least, 10; between, by straight line.
    Averaged over five neighbours and rounded."""
    rows = sorted(row for row in rows if row[1] + row[2] > 0)
    rates = np.array([dropped / (kept + dropped) for _, kept, dropped in rows])
    overall = sum(row[2] for row in rows) / sum(row[1] + row[2] for row in rows)
    least = rates.min()
    if least >= overall:
        return NONE
    raw = np.where(rates >= overall, 1.0, 1 + (MOST_WEIGHT - 1) * (rates - overall) / (least - overall))
    reach = AVERAGED // 2
    smooth = [raw[max(0, i - reach) : i + reach + 1].mean() for i in range(len(raw))]
    weights = [float(max(1.0, np.floor(weight + 0.5))) for weight in smooth]
    steps = [(1, weights[0]), *((row[0], weight) for row, weight in zip(rows[1:], weights[1:], strict=True))]
    return [steps[0], *(step for before, step in pairwise(steps) if step[1] != before[1])]


def _read(path: str) -> list[tuple[int, int, int]]:
    if not storage.exists(path):
        raise UserError(f"upsampling = {path}: no such file; give none, fineweb2, or a CSV file of {','.join(COLUMNS)}")
    fs, inside = storage.filesystem(path)
    with fs.open(inside, "rb") as file:
        text = file.read().decode("utf-8", "replace")
    try:
        rows = [tuple(int(row[name]) for name in COLUMNS) for row in csv.DictReader(io.StringIO(text))]
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: not a CSV file of whole numbers {','.join(COLUMNS)}: {error!r}") from None
    if not any(kept + dropped for _, kept, dropped in rows):
        raise UserError(f"{path} counts no document: give rows of {','.join(COLUMNS)}")
    return rows  # type: ignore[return-value]
