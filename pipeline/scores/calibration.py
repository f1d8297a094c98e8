"""Raw scores of a model become quantiles within the text's language, so that a threshold keeps the same share in each.

A score of 0.7 says: of texts like those that were calibrated on, in the same language, 70 % score less. A language
with fewer than LEAST_TEXTS of them goes by those of its script, a script with fewer by all.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from schemas.errors import UserError

# Of a language, for quantiles of its own: the share that 0.7 keeps then has a standard error of 0.065.
LEAST_TEXTS = 50
STEPS = 100
ALL = "all"


class Quantiles:
    """By language_Script, script, and ALL: the raw score's quantiles at 0, 1, ... STEPS hundredths, ascending."""

    def __init__(self, knots: Mapping[str, Sequence[float]], texts: Mapping[str, int]) -> None:
        self.texts = dict(texts)
        self._knots = {key: np.asarray(values, np.float64) for key, values in knots.items()}

    def key(self, language: str, script: str) -> str:
        """What texts of a language in a script go by."""
        own = f"{language}_{script}"
        return own if own in self._knots else script if script in self._knots else ALL

    def of(self, raw: np.ndarray, languages: Sequence[str], scripts: Sequence[str]) -> np.ndarray:
        """The quantile of each raw score, 0 to 1; NaN where that is NaN."""
        keys = np.array([self.key(*pair) for pair in zip(languages, scripts, strict=True)], object)
        answer = np.full(len(raw), np.nan)
        for key in sorted(set(keys)):
            own = np.flatnonzero((keys == key) & ~np.isnan(raw))
            answer[own] = _quantiles(raw[own], self._knots[key])
        return answer

    def as_json(self) -> dict[str, Any]:
        return {
            key: {"texts": self.texts[key], "knots": [float(f"{value:.9g}") for value in self._knots[key]]}
            for key in sorted(self._knots)
        }


def of_json(said: Mapping[str, Any]) -> Quantiles:
    """ValueError, KeyError or TypeError where it holds none."""
    quantiles = Quantiles(
        {key: one["knots"] for key, one in said.items()}, {key: int(one["texts"]) for key, one in said.items()}
    )
    for knots in quantiles._knots.values():
        if knots.shape != (STEPS + 1,) or not (np.diff(knots) >= 0).all():
            raise ValueError("quantiles that do not ascend")
    if ALL not in said:
        raise KeyError(ALL)
    return quantiles


def fitted(raw: np.ndarray, languages: Sequence[str], scripts: Sequence[str], least: int = LEAST_TEXTS) -> Quantiles:
    """From raw scores of texts; those that are NaN do not count. UserError with fewer than `least` together."""
    known = ~np.isnan(raw)
    if known.sum() < least:
        raise UserError(
            f"{int(known.sum())} texts to calibrate on are too few: give {least} or more, with --corpus for instance"
        )
    own = np.array([f"{one}_{script}" for one, script in zip(languages, scripts, strict=True)], object)
    by_script = np.array(list(scripts), object)
    groups = {ALL: known}
    for names in (by_script, own):
        for name in sorted(set(names)):
            members = known & (names == name)
            if members.sum() >= least:
                groups[name] = members
    steps = np.arange(STEPS + 1) / STEPS
    knots = {name: np.quantile(raw[members], steps) for name, members in groups.items()}
    return Quantiles(knots, {name: int(members.sum()) for name, members in groups.items()})


def _quantiles(raw: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Where each value stands among the knots, in the middle of those that it equals."""
    left, right = np.searchsorted(knots, raw, "left"), np.searchsorted(knots, raw, "right")
    low = np.clip(left - 1, 0, STEPS - 1)
    width = knots[low + 1] - knots[low]
    between = low + (raw - knots[low]) / np.where(width > 0, width, 1.0)
    place = np.where(right > left, (left + right - 1) / 2, between)
    return np.clip(place / STEPS, 0.0, 1.0)
