"""How sure the figures are: by drawing the sample's archives anew, and times and sizes from what they were off."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from pipeline.config import Config
from pipeline.estimates.counts import Counts, Sample, counted, whole_texts
from pipeline.estimates.prices import Prices
from pipeline.estimates.richness import Richness
from pipeline.estimates.whole import Figures, Machines, Model, Noise, figures, totals
from schemas.records import STAGES

DRAWS = 200
SEED = 20
LOW, HIGH = 5.0, 95.0  # percentiles
TOTAL = "total"
COUNTS = "counts"


class Whole(NamedTuple):
    """archives: as many of the sample's pieces as make the whole. size: bytes; size_deviation: standard, of it over
    itself, where sizes of some were taken for those of others."""

    archives: float
    size: float
    size_deviation: float


class Figure(NamedTuple):
    """Nine of ten wholes like this lie between low and high."""

    estimate: float
    low: float
    high: float


Estimates = dict[str, dict[str, Figure]]  # stage, TOTAL or COUNTS -> figure


def estimates(
    models: Mapping[str, Model],
    sample: Sample,
    whole: Whole,
    machines: Machines,
    prices: Prices,
    config: Config,
) -> Estimates:
    """Deterministic."""
    rng = np.random.default_rng(SEED)
    kept = sum(piece.kept for piece in sample.pieces) * whole.size / max(1, sum(piece.size for piece in sample.pieces))
    found = whole_texts(sample, whole.archives, kept)
    counts = counted(sample.pieces, found.texts, whole.archives, whole.size, sample, config)
    middle = _all(models, counts, machines, prices, dict.fromkeys(STAGES, (0.0, 0.0)))
    drawn: list[dict[str, Figures]] = []
    for _ in range(DRAWS):
        places = rng.integers(len(sample.pieces), size=len(sample.pieces))
        texts = _texts(found, rng)
        size = whole.size * max(0.1, 1 + whole.size_deviation * rng.standard_normal())
        pieces = [sample.pieces[place] for place in places]
        counts = counted(pieces, texts, whole.archives, size, sample, config)
        noise = {stage: (float(rng.standard_normal()), float(rng.standard_normal())) for stage in STAGES}
        drawn.append(_all(models, counts, machines, prices, noise))
    answer: Estimates = {}
    for name, figures_ in middle.items():
        answer[name] = {}
        for figure, value in figures_.items():
            low, high = np.percentile([one[name][figure] for one in drawn], [LOW, HIGH])
            answer[name][figure] = Figure(value, min(value, float(low)), max(value, float(high)))
    return answer


def _texts(found: Richness, rng: np.random.Generator) -> float:
    """Where sample and lower bound are apart, anything between both ends is as likely, on a scale of logarithms."""
    by_chance = float(found.texts * np.exp(found.deviation * rng.standard_normal()))
    if found.low < found.texts < found.high:
        return float(np.exp(rng.uniform(np.log(found.low), np.log(found.high))))
    return min(found.high, by_chance)


def _all(
    models: Mapping[str, Model], counts: Counts, machines: Machines, prices: Prices, noise: Mapping[str, Noise]
) -> dict[str, Figures]:
    stages = {stage: figures(stage, model, counts, machines, prices, noise[stage]) for stage, model in models.items()}
    return {**stages, TOTAL: totals(stages, prices), COUNTS: dict(counts._asdict())}
