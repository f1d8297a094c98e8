"""The objectives of a run, by the tables [objectives.*] of its config."""

from collections.abc import Mapping, Sequence

import numpy as np

from schemas.errors import UserError
from train.config.tables import PretrainConfig
from train.corpus.vocabulary import Vocabulary
from train.objectives.mlm import MaskedLanguageModelling
from train.objectives.objective import Objective, Weighting
from train.optim.schedule import Schedule

KINDS = {"mlm": MaskedLanguageModelling}


def build_objectives(config: PretrainConfig, vocabulary: Vocabulary, languages: int) -> dict[str, Objective]:
    """By name, in the order of the config."""
    return {
        name: KINDS[name].build(table, vocabulary, languages, config.run.steps)
        for name, table in config.objectives.items()
    }


def build_weighting(config: PretrainConfig, languages: Sequence[str]) -> Weighting:
    """UserError where a weight names no language of the corpus."""
    given: Mapping[str, float] = config.optim.language_weights
    for name in given:
        if name not in languages:
            raise UserError(f"language_weights names {name}, which the shards do not have: take it out")
    weights = np.array([given.get(name, 1.0) for name in languages])
    if not weights.any():
        raise UserError("language_weights gives every language 0: give one of them more")
    schedules = {name: Schedule.parse(str(table.weight)) for name, table in config.objectives.items()}
    return Weighting(schedules, config.optim.language_mean, weights)
