"""The objectives of a run, by the tables [objectives.*] of its config."""

from collections.abc import Mapping, Sequence

import numpy as np

from schemas.errors import UserError
from train.config.tables import PretrainConfig
from train.corpus.vocabulary import Vocabulary
from train.objectives.distillation import Distillation
from train.objectives.language_adversary import LanguageAdversary
from train.objectives.mlm import MaskedLanguageModelling
from train.objectives.objective import Built, Objective, Weighting
from train.objectives.relations import Relations
from train.objectives.sentence_vectors import SentenceVectors
from train.objectives.teacher_adversary import TeacherAdversary
from train.objectives.teachers import Teachers
from train.optim.schedule import Schedule

KINDS: dict[str, type[Objective]] = {
    "mlm": MaskedLanguageModelling,
    "distillation": Distillation,
    "relations": Relations,
    "sentence_vectors": SentenceVectors,
    "language_adversary": LanguageAdversary,
    "teacher_adversary": TeacherAdversary,
}


def build_objectives(
    config: PretrainConfig, vocabulary: Vocabulary, languages: Sequence[str]
) -> dict[str, Objective]:  # fmt: skip
    """By name, in the order of the config; not yet bound to a model."""
    teachers = Teachers.named(config, vocabulary, languages) if config.model.teachers else None
    return {
        name: KINDS[name].build(Built(config, table, vocabulary, tuple(languages), teachers))
        for name, table in config.objectives.items()
    }


def build_weighting(config: PretrainConfig, objectives: Mapping[str, Objective], languages: Sequence[str]) -> Weighting:
    """UserError where a weight names no language of the corpus."""
    given: Mapping[str, float] = config.optim.language_weights
    for name in given:
        if name not in languages:
            raise UserError(f"language_weights names {name}, which the shards do not have: take it out")
    weights = np.array([given.get(name, 1.0) for name in languages])
    if not weights.any():
        raise UserError("language_weights gives every language 0: give one of them more")
    schedules = {name: Schedule.parse(str(table.weight)) for name, table in config.objectives.items()}
    balanced = frozenset(name for name, one in objectives.items() if one.balanced)
    return Weighting(schedules, config.optim.language_mean, weights, balanced)
