"""The objectives of a run, by the tables [objectives.*] of its config."""

import difflib
from collections.abc import Mapping, Sequence

import numpy as np

from schemas.errors import UserError
from train.config.tables import PretrainConfig
from train.corpus.vocabulary import Vocabulary
from train.data.plan import Plan, listed
from train.joint.weighting import Weighting
from train.objectives.contrastive import Contrastive
from train.objectives.language_adversary import LanguageAdversary
from train.objectives.mlm import MaskedLanguageModelling
from train.objectives.objective import Built, Objective
from train.objectives.sentence_pairs import NextSentence, SentenceOrder
from train.objectives.tlm import TranslationLanguageModelling
from train.optim.schedule import Schedule, first_without_weight
from train.teachers.distillation import Distillation
from train.teachers.relations import Relations
from train.teachers.sentence_vectors import SentenceVectors
from train.teachers.teacher_adversary import TeacherAdversary
from train.teachers.teachers import Teachers

KINDS: dict[str, type[Objective]] = {
    "mlm": MaskedLanguageModelling,
    "nsp": NextSentence,
    "sop": SentenceOrder,
    "tlm": TranslationLanguageModelling,
    "contrastive": Contrastive,
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
        name: KINDS[name].build(Built(config, name, table, vocabulary, tuple(languages), teachers))
        for name, table in config.objectives.items()
    }


def build_weighting(config: PretrainConfig, objectives: Mapping[str, Objective], languages: Sequence[str]) -> Weighting:
    """UserError where a weight names no language of the corpus, or a step gives all languages weight 0."""
    of_languages = language_schedules(config, languages)
    changing = {number: one for number, one in enumerate(of_languages) if len(one.points) > 1}
    weights = np.array([one.points[0][1] for one in of_languages])
    schedules = {name: Schedule.parse(str(table.weight)) for name, table in config.objectives.items()}
    balanced = frozenset(name for name, one in objectives.items() if one.balanced)
    return Weighting(schedules, config.optim.language_mean, weights, balanced, changing)


def language_schedules(config: PretrainConfig, languages: Sequence[str]) -> list[Schedule]:
    """lambda of each language. UserError as of `build_weighting`."""
    given, steps = config.optim.language_weights, config.run.steps
    for name in given:
        if name not in languages:
            close = difflib.get_close_matches(name, languages, 1, 0.5)
            way_out = f"did you mean {close[0]}?" if close else "take it out"
            raise UserError(f"language_weights names {name}, which the shards do not have: {way_out}")
    schedules = [Schedule.parse(given.get(name, "1")) for name in languages]
    if languages and not any(value for one in schedules for _, value in one.points):
        raise UserError("language_weights gives every language 0: give one of them more")
    step = first_without_weight(schedules, 0, steps, steps) if languages else None
    if step is not None:
        raise UserError(
            f"language_weights gives every language 0 at step {step} of the schedules: give one of them more there"
        )
    return schedules


def check_phases(config: PretrainConfig, plan: Plan, begin: int) -> None:
    """UserError where from step `begin` on a phase of the plan shows only languages that then have weight 0."""
    schedules, steps = language_schedules(config, plan.languages), config.run.steps
    for phase in plan.phases:
        end = steps if phase.end is None else min(phase.end, steps)
        shown = [number for number, rate in enumerate(phase.rates.tolist()) if rate]
        step = first_without_weight([schedules[number] for number in shown], begin, end, steps)
        if step is not None:
            names = [plan.languages[number] for number in shown]
            raise UserError(
                f"language_weights gives all languages of phase {phase.number + 1} of mixture.json "
                f"({listed(names)}) 0 at step {step} of the schedules: give one of them more there"
            )
        begin = max(begin, end)
