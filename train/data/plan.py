"""The plan of a run's data: for each phase, how many of a step's tokens are of which language.

A run of so many steps has a budget of tokens. The mixture's shares divide it, phase after phase; a language whose share
is more than max_epochs allows is shown max_epochs times over the run, at an even rate, and what that leaves goes to the
others by their shares (`pipeline.mixture.allotment`). What an epoch of a language is in tokens is estimated from its
first blocks, because a run begins before its corpus is tokenised; so a language may come to its end a little before
the run does, and then its share goes to the others too.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.mixture.allotment import Phase, allot, largest_budget
from schemas.errors import UserError
from train.corpus.mixture import Mixture
from train.data.language_shares import check_languages, with_shares


class PlannedPhase(NamedTuple):
    """number: of the mixture's phases, from 0. end: the step, from 0, at which the next one begins; None: never. rates:
    of each language, its share of the tokens; they add up to 1."""

    number: int
    end: int | None
    rates: NDArray[np.float64]


@dataclass(frozen=True)
class Plan:
    """phases in their order. sizes: tokens with <s> and </s> that an epoch of each language shows. max_epochs: of each,
    inf for none. All arrays are [languages]."""

    languages: tuple[str, ...]
    phases: tuple[PlannedPhase, ...]
    sizes: NDArray[np.float64]
    max_epochs: NDArray[np.float64]

    def phase_at(self, step: int) -> PlannedPhase:
        """That of a step; the last one goes on behind its end."""
        return next((phase for phase in self.phases if phase.end is None or step < phase.end), self.phases[-1])

    def shown(self) -> NDArray[np.bool_]:
        """Whether it shows anything of each language. [languages]"""
        return np.any([phase.rates > 0 for phase in self.phases], axis=0)

    def as_json(self) -> dict[str, Any]:
        """Languages that are not shown are left out."""
        return {
            "phases": [phase._asdict() | {"rates": self._named(phase.rates)} for phase in self.phases],
            "sizes": self._named(self.sizes),
            "max_epochs": {k: v for k, v in self._named(self.max_epochs).items() if math.isfinite(v)},
        }

    def _named(self, values: NDArray[np.float64]) -> dict[str, float]:
        return {name: value for name, value in zip(self.languages, values.tolist(), strict=True) if value}

    @classmethod
    def from_json(cls, languages: tuple[str, ...], saved: Mapping[str, Any]) -> "Plan":
        """What `as_json` wrote, bit for bit."""

        def array(values: Mapping[str, float], default: float = 0.0) -> NDArray[np.float64]:
            return np.array([values.get(name, default) for name in languages])

        phases = tuple(PlannedPhase(**one | {"rates": array(one["rates"])}) for one in saved["phases"])
        return cls(languages, phases, array(saved["sizes"]), array(saved["max_epochs"], math.inf))


def plan_run(
    mixture: Mixture,
    sizes: NDArray[np.float64],
    steps: int,
    step_tokens: int,
    done: int = 0,
    shown: NDArray[np.float64] | None = None,
    language_shares: Mapping[str, float] | None = None,
) -> Plan:
    """The plan of the steps from `done` on; `shown`: tokens of each language that came before. language_shares: of the
    tokens, in every phase, in the place of the mixture's, whose caps hold.

    UserError where max_epochs allows less than the tokens to come; it says how many steps would work.
    """
    languages = mixture.languages
    if not sizes.any():
        raise UserError("no training document has text: look at the shards' column text and at mixture.json")
    named = dict(language_shares or {})
    check_languages(named, languages, [name for name, size in zip(languages, sizes, strict=True) if size])
    if mixture.epochs is not None:
        amounts = np.array([mixture.epochs[name] for name in languages]) * sizes
        if not amounts.any():
            raise UserError("no language with text has epochs above 0 in mixture.json: give one of them more")
        rates = with_shares(dict(zip(languages, amounts.tolist(), strict=True)), named)
        amounts = np.array([rates.get(name, 0.0) for name in languages])
        endless = PlannedPhase(0, None, amounts / amounts.sum())
        return Plan(languages, (endless,), sizes, np.full(len(sizes), math.inf))
    assert mixture.max_epochs is not None
    caps = np.array([mixture.max_epochs[name] for name in languages])
    for name, share in named.items():
        if share and not mixture.max_epochs[name]:
            raise UserError(f"language_shares gives {name} {share:g}, but mixture.json max_epochs = 0: leave it out")
    before = np.zeros(len(sizes)) if shown is None else shown
    rules = [_in_tokens(number, phase, mixture, sizes, named) for number, phase in enumerate(mixture.phases)]
    solver = _Solver(languages, rules, sizes, caps, before / np.maximum(sizes, 1.0))
    phases = solver.phases(done, steps, step_tokens)
    if phases is None:
        raise UserError(_too_many(solver, done, steps, step_tokens))
    return Plan(languages, tuple(phases), sizes, caps)


@dataclass(frozen=True)
class _Solver:
    languages: tuple[str, ...]
    rules: list[Phase]
    sizes: NDArray[np.float64]
    caps: NDArray[np.float64]
    shown: NDArray[np.float64]  # epochs

    def named(self, values: NDArray[np.float64]) -> dict[str, float]:
        pairs = zip(self.languages, values.tolist(), self.sizes.tolist(), strict=True)
        return {name: value for name, value, size in pairs if size > 0}

    def phases(self, done: int, steps: int, step_tokens: int) -> list[PlannedPhase] | None:
        """None where the caps allow less."""
        ends = [round(steps * part) for part in accumulate(rule.fraction for rule in self.rules[:-1])] + [steps]
        lengths = [max(0, end - max(done, begin)) for begin, end in zip((0, *ends[:-1]), ends, strict=True)]
        todo = [number for number, length in enumerate(lengths) if length]
        if not todo:
            todo, lengths = [len(self.rules) - 1], [1] * len(self.rules)
        rest = sum(lengths[number] for number in todo)
        rules = [Phase(lengths[number] / rest, self.rules[number].shares) for number in todo]
        sizes = self.named(self.sizes)
        room = self.named(np.maximum(self.caps - self.shown, 0.0))
        if rest * step_tokens > largest_budget(sizes, room, rules):
            return None
        epochs = allot(sizes, room, rules, float(rest * step_tokens))
        found = []
        for number, phase in zip(todo, epochs, strict=True):
            amounts = np.array([phase.get(name, 0.0) for name in self.languages]) * self.sizes
            found.append(PlannedPhase(number, ends[number], amounts / amounts.sum()))
        return found


def _in_tokens(
    number: int, phase: Phase, mixture: Mixture, sizes: NDArray[np.float64], named: Mapping[str, float]
) -> Phase:
    """A phase's shares in tokens, which are the mixture's times tokens a unit of each language, or those `named`."""
    assert mixture.weighted is not None
    size = dict(zip(mixture.languages, sizes.tolist(), strict=True))
    shares = {
        name: share * size[name] / mixture.weighted[name] for name, share in phase.shares.items() if size[name] > 0
    }
    shares = with_shares(shares, named)
    if not shares:
        raise UserError(f"phase {number + 1} of mixture.json has no language with text: run jobs/sample.py again")
    total = math.fsum(shares.values())
    return Phase(phase.fraction, {name: share / total for name, share in shares.items()})


def _too_many(solver: _Solver, done: int, steps: int, step_tokens: int) -> str:
    low, high = done, steps
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if solver.phases(done, middle, step_tokens) is None else (middle, high)
    named = {name for rule in solver.rules for name in rule.shares}
    caps, room = solver.named(solver.caps), solver.named(np.maximum(solver.caps - solver.shown, 0.0))
    most = max(caps[name] for name in named)
    there = max(1.0, largest_budget(solver.named(solver.sizes), room, solver.rules))
    needed = most * (steps - done) * step_tokens / there
    works = f"--steps {low}" if low > done else "a smaller --global_batch_tokens"
    return (
        f"steps = {steps:,} of {step_tokens:,} tokens show languages more often than max_epochs = {most:g} of "
        f"mixture.json allows: give {works}, or set max_epochs = {math.ceil(needed * 10.01) / 10:g} in jobs/sample.py"
    )


def told(plan: Plan, methods: Sequence[str], steps: int, step_tokens: int, done: int = 0) -> list[str]:
    """The plan in a few lines: the budget, each phase, the languages that are used up."""
    shown = np.zeros(len(plan.languages))
    lines, begin = [], done
    for phase in plan.phases:
        end = steps if phase.end is None else min(phase.end, steps)
        shown += phase.rates * max(0, end - begin) * step_tokens
        largest = np.argsort(-phase.rates, kind="stable")[: np.count_nonzero(phase.rates)].tolist()
        shares = listed([f"{plan.languages[i]} {100 * phase.rates[i]:.3g} %" for i in largest])
        when = f"phase {phase.number + 1} of {len(methods)}, to step {end:,}: " if len(methods) > 1 else ""
        name = methods[phase.number] if methods else "epochs of mixture.json"
        lines.append(f"{when}{name}: {shares}")
        begin = max(begin, end)
    budget = (steps - done) * step_tokens
    first = (
        f"{budget:,} tokens in {steps - done:,} steps, of {np.count_nonzero(shown):,} languages; the corpus has about "
        f"{plan.sizes.sum():,.0f}"
    )
    used_up = np.flatnonzero((shown > 0) & (shown >= plan.max_epochs * plan.sizes * (1 - 1e-6)))
    if len(used_up):
        names = listed([plan.languages[i] for i in used_up.tolist()])
        lines.append(f"used up, shown max_epochs times: {names}; the rest of their shares goes to the others")
    return [first, *lines]


def listed(words: Sequence[str], named: int = 5) -> str:
    """The first few words, and how many more there are."""
    more = len(words) - named
    return ", ".join(words[:named]) + (f" and {more:,} more" if more > 0 else "")
