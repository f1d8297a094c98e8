"""What the losses of a step are divided by."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from train.optim.schedule import Schedule


@dataclass(frozen=True)
class Weighting:
    """What the losses of a step are divided by. schedules: lambda of each objective. language_mean: `tokens`, each loss
    counts alike; `languages`, each language does. language_weights: float64 [languages], lambda of each. balanced: the
    objectives for which each language counts alike whatever language_mean says. language_schedules: lambda of the
    languages, by number, for which it changes over the run."""

    schedules: Mapping[str, Schedule]
    language_mean: str
    language_weights: NDArray[np.float64]
    balanced: frozenset[str] = frozenset()
    language_schedules: Mapping[int, Schedule] = field(default_factory=dict)

    def of_objectives(self, step: int, steps: int) -> dict[str, float]:
        """lambda of each objective in a step of a run of `steps`."""
        return {name: schedule(step, steps) for name, schedule in self.schedules.items()}

    def of_languages(self, step: int, steps: int) -> NDArray[np.float64]:
        """lambda of each language in a step of a run of `steps`. [languages]"""
        if not self.language_schedules:
            return self.language_weights
        weights = self.language_weights.copy()
        for number, schedule in self.language_schedules.items():
            weights[number] = schedule(step, steps)
        return weights

    def ever_weighing(self) -> NDArray[np.bool_]:
        """Languages whose lambda is above 0 at some point of its schedule. [languages]"""
        found = self.language_weights > 0
        for number, schedule in self.language_schedules.items():
            found[number] = any(value > 0 for _, value in schedule.points)
        return found

    def weights(self, units: Mapping[str, NDArray[np.int64]], step: int, steps: int) -> dict[str, NDArray[np.float64]]:
        """Of each objective, [languages]: what a loss of the language is multiplied with in a step with so many units
        of each language over all processes.

        tokens: lambda_k / sum_j lambda_j n_j. languages: lambda_k / (n_k * sum of lambda_j over languages there).
        """
        found = {}
        lambdas = self.of_languages(step, steps)
        for name, counts in units.items():
            if self.language_mean == "tokens" and name not in self.balanced:
                weights = lambdas / max((lambdas * counts).sum(), 1e-300)
            else:
                there = lambdas * (counts > 0)
                weights = there / np.maximum(counts, 1) / max(there.sum(), 1e-300)
            found[name] = np.where(counts > 0, weights, 0.0) * self.schedules[name](step, steps)
        return found
