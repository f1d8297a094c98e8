"""The plan of a run's data: a list of passes, each with the epochs of every language in it.

A run of so many steps has a budget of tokens. The mixture's shares divide it, phase after phase; a language whose share
is more than max_epochs allows is shown max_epochs times over the run, and what that leaves goes to the others by their
shares (`pipeline.mixture.allotment`). Each phase is several equal passes, none larger than about the corpus, and ends
at its step: packing leaves room, so the last documents of its last pass are not shown.
"""

import math
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.mixture.allotment import SLACK, Phase, allot, largest_budget
from schemas.errors import UserError
from train.data.copies import Supply
from train.data.mixture import Mixture

FEWEST_PASSES = 8  # of a phase: a run whose `steps` change replans from the next pass on
ROUNDS = 50  # in which a plan's tokens, whole documents, come to the budget; two or three do
ROUNDING = 1e-12  # of sums of epochs over passes and phases, and more
MOST_TOKENS = 2.0**52  # of a language in a run; beyond, a cap is none, and numbers of tokens would not be exact


class Stretch(NamedTuple):
    """Equal passes of a phase.

    phase: its number, from 0. end: the step, from 0, at which the next stretch begins, even in the middle of a pass;
    None: at none. passes: how many of the `of` that it is divided into there are; None: without end. epochs: of each
    language in all `of` passes.
    """

    phase: int
    end: int | None
    passes: int | None
    of: int
    epochs: NDArray[np.float64]


@dataclass(frozen=True)
class Plan:
    """Passes in sequence, numbered from 0."""

    languages: tuple[str, ...]
    stretches: tuple[Stretch, ...]

    @property
    def passes(self) -> float:
        """How many; inf for a plan without end."""
        return sum(math.inf if stretch.passes is None else stretch.passes for stretch in self.stretches)

    def epochs_before(self, pass_index: int) -> NDArray[np.float64]:
        """Epochs of each language in all earlier passes together."""
        epochs = np.zeros(len(self.languages))
        for stretch in self.stretches:
            here = pass_index if stretch.passes is None else min(pass_index, stretch.passes)
            epochs = epochs + stretch.epochs * (here / stretch.of)
            pass_index -= here
        return epochs

    def until(self, pass_index: int) -> "Plan":
        """The earlier passes alone."""
        stretches = []
        for stretch in self.stretches:
            here = pass_index if stretch.passes is None else min(pass_index, stretch.passes)
            if here:
                stretches.append(stretch._replace(passes=here))
            pass_index -= here
        return Plan(self.languages, tuple(stretches))

    def at(self, step: int, pass_index: int) -> int:
        """The pass of a step for which `pass_index` is the next: a later one, where its stretch ends at this step."""
        first = 0
        for stretch in self.stretches:
            if stretch.passes is None:
                break
            first += stretch.passes
            if pass_index < first and stretch.end is not None and step >= stretch.end:
                pass_index = first
        return pass_index

    @property
    def epochs(self) -> NDArray[np.float64]:
        """Of each language in the whole run, or in the first pass of a plan without end."""
        return self.epochs_before(int(self.passes) if math.isfinite(self.passes) else 1)

    def as_json(self) -> list[dict[str, Any]]:
        """A stretch each; languages that it does not show are left out."""
        return [stretch._asdict() | {"epochs": self._named(stretch.epochs)} for stretch in self.stretches]

    def _named(self, epochs: NDArray[np.float64]) -> dict[str, float]:
        return {name: value for name, value in zip(self.languages, epochs.tolist(), strict=True) if value}

    @classmethod
    def from_json(cls, languages: tuple[str, ...], listed: list[dict[str, Any]]) -> "Plan":
        """What `as_json` wrote, bit for bit."""
        arrays = [np.array([one["epochs"].get(name, 0.0) for name in languages]) for one in listed]
        pairs = zip(listed, arrays, strict=True)
        return cls(languages, tuple(Stretch(**one | {"epochs": epochs}) for one, epochs in pairs))


def endless(mixture: Mixture) -> Plan:
    """Passes of the mixture's `epochs` without end, which no max_epochs ends."""
    assert mixture.epochs is not None
    epochs = np.array([mixture.epochs[language] for language in mixture.languages])
    return Plan(mixture.languages, (Stretch(0, None, None, 1, epochs),))


class Planner:
    """Plans of runs over one supply. UserError where a phase has no text at all."""

    def __init__(self, supply: Supply, mixture: Mixture) -> None:
        assert mixture.weighted is not None and mixture.max_epochs is not None
        self.supply, self.languages = supply, supply.languages
        sizes = supply.sizes()
        self.sizes = {name: size for name, size in zip(self.languages, sizes.tolist(), strict=True) if size > 0}
        self.corpus = int(supply.cost.sum())
        self.phases = [self._in_tokens(number, phase, mixture) for number, phase in enumerate(mixture.phases)]
        self.max_epochs = np.array([mixture.max_epochs[name] for name in self.languages])
        named = np.array([any(name in phase.shares for phase in self.phases) for name in self.languages])
        self.caps = reachable(supply, np.where(named, self.max_epochs, 0.0))

    def plan(self, steps: int, step_tokens: int) -> Plan:
        """The plan of a whole run, in which no step lacks for documents, however well they are packed.

        UserError where max_epochs allows less than `steps * step_tokens` tokens; it says how many steps would work.
        """
        return self.extend(Plan(self.languages, ()), 0, 0, steps, step_tokens)

    def extend(self, begun: Plan, left: int, done: int, steps: int, step_tokens: int) -> Plan:
        """The plan of a run that has done so many of its steps: the passes that have begun, of which `left` tokens are
        still to be shown, and the rest anew."""
        plan = self._extended(begun, left, done, steps, step_tokens)
        if plan is None:
            low, high = done, steps
            while high - low > 1:
                middle = (low + high) // 2
                works = self._extended(begun, left, done, middle, step_tokens) is not None
                low, high = (middle, high) if works else (low, middle)
            caps = dict(zip(self.languages, self.caps.tolist(), strict=True))
            named = {name for phase in self.phases for name in phase.shares}
            most = max(float(self.max_epochs[self.languages.index(name)]) for name in named)
            needed = most * steps * step_tokens / max(1.0, largest_budget(self.sizes, caps, self.phases))
            raise UserError(
                f"steps = {steps:,} of {step_tokens:,} tokens show languages more often than max_epochs = {most:g} of "
                f"mixture.json allows: give {f'--steps {low}' if low else 'a smaller --global_batch_tokens'}, or set "
                f"max_epochs = {math.ceil(needed * 10.01) / 10:g} in jobs/sample.py"
            )
        return plan

    def _in_tokens(self, number: int, phase: Phase, mixture: Mixture) -> Phase:
        """A phase's shares in tokens, which are the mixture's times tokens a unit of each language."""
        assert mixture.weighted is not None
        shares = {
            name: share * self.sizes[name] / mixture.weighted[name]
            for name, share in phase.shares.items()
            if name in self.sizes
        }
        if not shares:
            raise UserError(f"phase {number + 1} of mixture.json has no language with text: run jobs/sample.py again")
        total = math.fsum(shares.values())
        return Phase(phase.fraction, {name: share / total for name, share in shares.items()})

    def _extended(self, begun: Plan, left: int, done: int, steps: int, step_tokens: int) -> Plan | None:
        """None where caps allow less."""
        ends = [round(steps * part) for part in accumulate(phase.fraction for phase in self.phases[:-1])] + [steps]
        kept = tuple(stretch._replace(end=ends[stretch.phase]) for stretch in begun.stretches)
        at = done * step_tokens
        if kept:
            at += min(left, max(0, ends[kept[-1].phase] - done) * step_tokens)
        begins = [max(at, begin * step_tokens) for begin in (0, *ends[:-1])]
        lengths = [end * step_tokens - begin for begin, end in zip(begins, ends, strict=True)]
        todo = [number for number, length in enumerate(lengths) if length > 0]
        rest = sum(lengths[number] for number in todo)
        if not todo:
            return Plan(self.languages, kept)
        before = begun.epochs
        phases = [Phase(lengths[number] / rest, self.phases[number].shares) for number in todo]
        room = np.maximum(self.caps - before, 0.0)
        caps = {name: value for name, value in zip(self.languages, room.tolist(), strict=True) if name in self.sizes}
        most = largest_budget(self.sizes, caps, phases) if len(phases) == 1 else math.inf
        budget = float(rest)
        for _ in range(ROUNDS):
            if budget > most * (1 + SLACK):
                return None
            try:
                by_phase = allot(self.sizes, caps, phases, budget)
            except UserError:
                return None
            epochs = np.array([[phase.get(name, 0.0) for name in self.languages] for phase in by_phase])
            epochs *= np.minimum(1.0, room / np.maximum(epochs.sum(0), 1e-300))  # the rule may be SLACK over a cap
            new = [self._stretch(number, ends[number], one) for number, one in zip(todo, epochs, strict=True)]
            # Whole documents: from the start of each phase to the end of the run there must be enough.
            seen = [int(self.supply.shown(one).sum()) for one in accumulate(epochs, initial=before)]
            missing = max(
                steps * step_tokens - begins[number] - (seen[-1] - have)
                for number, have in zip(todo, seen[:-1], strict=True)
            )
            if missing <= 0:
                return Plan(self.languages, (*kept, *new))
            budget += missing
        return None

    def _stretch(self, number: int, end: int, epochs: NDArray[np.float64]) -> Stretch:
        tokens = math.fsum((epochs * self.supply.sizes()).tolist())
        passes = max(FEWEST_PASSES, math.ceil(tokens / self.corpus))
        return Stretch(number, end, passes, passes, epochs)


def reachable(supply: Supply, max_epochs: NDArray[np.float64]) -> NDArray[np.float64]:
    """The most epochs of each language, up to max_epochs, that show no more than max_epochs times its tokens.

    Whole documents may come to a few tokens more than a fraction of an epoch; then it is a little less. [languages]
    """
    sizes = np.maximum(supply.sizes(), 1.0)
    epochs = np.minimum(max_epochs, MOST_TOKENS / sizes)
    most, step = epochs * supply.sizes(), np.zeros(len(epochs))
    while True:
        excess = supply.shown(epochs * (1 + ROUNDING)) - most
        over = excess > 0
        if not over.any():
            return epochs
        step = np.where(over, np.maximum(2 * step, excess), step)
        epochs = np.where(over, np.maximum(epochs - step / sizes, 0.0), epochs)
