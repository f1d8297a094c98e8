"""How often each language is seen under a budget: each gets its share until it is seen as often as it may be, and what
it cannot use goes to the others by their shares.

With equal shares this is UniMax (Chung et al. 2023, arXiv 2304.09151, algorithm 1), with shares of size^(1/T)
temperature sampling under a cap.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from schemas.errors import UserError

SLACK = 1e-9  # of rounding


class Phase(NamedTuple):
    """A part of a training run. fraction: of its budget. shares: by language, what the rule wants of this part."""

    fraction: float
    shares: Mapping[str, float]


def allot(
    sizes: Mapping[str, float], caps: Mapping[str, float], phases: Sequence[Phase], budget: float
) -> list[dict[str, float]]:
    """Epochs of each language in each phase: what is seen of it over what there is of it.

    sizes: what there is, in the unit of `budget`. caps: the most epochs over all phases together. A language that the
    phases together would show more often than that is cut in each by the same factor, so that an early phase leaves
    something for a late one.

    The epochs times the sizes are the budget, exactly but for rounding. Raises UserError where caps allow less; it says
    how much they allow.
    """
    seen = _solve(sizes, caps, phases, budget)
    if seen is None:
        raise UserError(_too_much(sizes, caps, phases, budget))
    return [{label: amount / sizes[label] for label, amount in phase.items()} for phase in seen]


def largest_budget(sizes: Mapping[str, float], caps: Mapping[str, float], phases: Sequence[Phase]) -> float:
    """The most that the caps allow; inf where a language of every phase has none."""
    named = {label for phase in phases for label in phase.shares}
    most = sum(caps[label] * sizes[label] for label in named)
    if len(phases) == 1 or _solve(sizes, caps, phases, min(most, 1e300)) is not None:
        return most
    low, high = 0.0, most if math.isfinite(most) else 1e300
    for _ in range(200):
        middle = (low + high) / 2 if low else high / 2
        low, high = (middle, high) if _solve(sizes, caps, phases, middle) is not None else (low, middle)
        if low and high / low < 1 + SLACK:
            break
    return low


def _solve(
    sizes: Mapping[str, float], caps: Mapping[str, float], phases: Sequence[Phase], budget: float
) -> list[dict[str, float]] | None:
    """The amount of each language in each phase; None where a phase has only capped languages and room."""
    capped: dict[str, list[float]] = {}
    names = sorted({label for phase in phases for label, share in phase.shares.items() if share > 0})
    while True:
        seen = []
        for number, phase in enumerate(phases):
            here = {label: phase.shares.get(label, 0.0) for label in names}
            taken = {label: amounts[number] for label, amounts in capped.items()}
            free = phase.fraction * budget - sum(taken.values())
            weight = sum(share for label, share in here.items() if label not in capped)
            if weight <= 0 and free > SLACK * budget:
                return None
            scale = max(0.0, free) / weight if weight > 0 else 0.0
            seen.append({label: taken.get(label, scale * share) for label, share in here.items()})
        over = {}
        for label in names:
            total, most = sum(phase[label] for phase in seen), caps[label] * sizes[label]
            if label not in capped and total > most * (1 + SLACK):
                over[label] = [phase[label] * most / total for phase in seen]
        if not over:
            return seen
        capped |= over


def _too_much(
    sizes: Mapping[str, float], caps: Mapping[str, float], phases: Sequence[Phase], budget: float
) -> str:  # fmt: skip
    most = math.floor(largest_budget(sizes, caps, phases))
    epochs = budget / most * max(caps.values()) if most else math.inf
    return (
        f"a budget of {budget:,.0f} is more than max_epochs allows, {most:,}: take that, or max_epochs = {epochs:.3g}"
    )
