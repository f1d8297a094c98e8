"""The phases of a run, what languages are in them, and how often each is seen in each."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.config import PhaseConfig, SampleConfig
from pipeline.mixture import sweeps
from pipeline.mixture.allotment import Phase, allot, largest_budget
from pipeline.mixture.shares import REST, check_keys, listed, members, shares
from schemas.errors import UserError


def phases_of(config: SampleConfig) -> list[PhaseConfig]:
    """The schedule's phases, or the one that the stage's own settings make. A phase has what it does not say from
    there."""
    own = {name: getattr(config, name) for name in ("method", "temperature", "weights")}
    if not config.schedule:
        return [PhaseConfig(fraction=1.0, languages=(), **own)]
    given = [{**own, **phase.model_dump(exclude_unset=True)} for phase in config.schedule]
    return [PhaseConfig.model_validate(values) for values in given]


def left_out(
    labels: Sequence[str], sizes: Mapping[str, tuple[int, int, int]], config: SampleConfig
) -> np.ndarray:  # fmt: skip
    few = np.array([sizes[label][0] < config.min_documents for label in labels])
    if few.all():
        most = max(documents for documents, _, _ in sizes.values())
        raise UserError(
            f"no language has min_documents = {config.min_documents:,}: the largest has {most:,}; take that"
        )
    named: set[str] = set()
    for phase in phases_of(config):
        check_keys(phase.languages, labels, config.groups, "schedule's languages")
        here = {name for key in phase.languages for name in members(key, labels, config.groups)} or set(labels)
        if phase.method == "weights":
            available = {label: sizes[label][2] for label in labels}
            here &= set(shares(available, "weights", 1.0, phase.weights, config.groups))
        named |= here
    unnamed = np.array([label not in named for label in labels])
    return np.where(few, sweeps.TOO_FEW, np.where(unnamed, sweeps.UNNAMED, 0)).astype(np.uint8)


def epochs_of(
    labels: Sequence[str], weighted: Mapping[int, float], config: SampleConfig
) -> tuple[list[PhaseConfig], float, dict[int, tuple[list[float], list[float]]]]:
    """Phases, the budget, and of each language its shares and epochs by phase."""
    sizes = {labels[number]: size for number, size in weighted.items()}
    if not sizes:
        raise UserError("no document is left to train on: lower validation_share or min_documents")
    settings = phases_of(config)
    phases = [
        Phase(
            phase.fraction,
            _shares(_only(sizes, phase, config), phase, config),
        )
        for phase in settings
    ]
    for number, phase in enumerate(phases):
        if not phase.shares:
            raise UserError(f"phase {number + 1} of the schedule has no language that is left: {listed(sizes)} are")
    caps = dict.fromkeys(sizes, config.max_epochs)
    if config.budget is None:
        budget = _whole(sizes, caps, phases)
    else:
        budget = float(config.budget)
        most = largest_budget(sizes, caps, phases)
        if budget > most * (1 + 1e-9):
            needed = config.max_epochs * budget / most
            raise UserError(
                f"budget = {config.budget:,} {config.unit} is more than max_epochs = {config.max_epochs:g} allows: "
                f"at most {math.floor(most):,}, or max_epochs of {math.ceil(needed * 100) / 100:g} or more"
            )
    by_phase = allot(sizes, caps, phases, budget)
    return (
        settings,
        budget,
        {
            number: (
                [phase.shares.get(labels[number], 0.0) for phase in phases],
                [seen.get(labels[number], 0.0) for seen in by_phase],
            )
            for number in weighted
        },
    )


def _shares(sizes: Mapping[str, float], phase: PhaseConfig, config: SampleConfig) -> dict[str, float]:
    """Of what is left: weights may name a language that has too few documents."""
    named = {key: w for key, w in phase.weights.items() if key == REST or members(key, list(sizes), config.groups)}
    if phase.method == "weights" and not sum(named.values()):
        return {}
    return shares(sizes, phase.method, phase.temperature, named, config.groups)


def _only(sizes: Mapping[str, float], phase: PhaseConfig, config: SampleConfig) -> dict[str, float]:
    if not phase.languages:
        return dict(sizes)
    named = {label for key in phase.languages for label in members(key, list(sizes), config.groups)}
    return {label: size for label, size in sizes.items() if label in named}


def _whole(sizes: Mapping[str, float], caps: Mapping[str, float], phases: Sequence[Phase]) -> float:
    """The budget at which no language is seen less than once, but for those that must be."""
    wanted = {
        label: sum(phase.fraction * phase.shares.get(label, 0.0) for phase in phases) / size
        for label, size in sizes.items()
    }
    scale = 1 / min(rate for rate in wanted.values() if rate > 0)
    budget = sum(sizes[label] * min(caps[label], scale * rate) for label, rate in wanted.items())
    return min(budget, largest_budget(sizes, caps, phases))
