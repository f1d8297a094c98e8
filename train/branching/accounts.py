"""What each arm has seen, in tokens: planned, and shown."""

from collections.abc import Mapping, Sequence
from typing import Any

from train.branching.budget import Budget
from train.branching.steps import Arm, Plan
from train.branching.work import Work
from train.telemetry.columns import laid_out


def planned(plan: Plan, arm: Arm, step_tokens: int) -> int:
    runs = plan.pretrainings()
    return sum(runs[name].steps for name in arm.seen) * step_tokens


def told(budget: Budget, branches: Sequence[str], step_tokens: int) -> list[str]:
    """The plan of an arm in a line, before anything is trained."""
    tokens = {name: f"{steps * step_tokens:,}" for name, steps in vars(budget).items() if isinstance(steps, int)}
    return [
        f"plan: every arm sees {tokens['total']} tokens: a seed of {tokens['seed']}, {len(branches)} branches of "
        f"{tokens['branch']} ({', '.join(branches)}), a decay of {tokens['decay']}; steps of {step_tokens:,}"
    ]


def accounts(works: Sequence[Work], step_tokens: int) -> dict[str, Any]:
    """By arm: tokens planned, of them those that teachers read once more, and by seed and language those shown. Bins of
    a step are never quite full, so a little less is shown than planned."""
    found: dict[str, Any] = {}
    for arm in works[0].plan.arms:
        shown = {}
        for work in works:
            by_language: dict[str, int] = {}
            for run in arm.seen:
                for name, tokens in work.tokens(run).items():
                    by_language[name] = by_language.get(name, 0) + tokens
            shown[str(work.seed)] = by_language
        found[arm.name] = {
            "planned": planned(works[0].plan, arm, step_tokens),
            "read_by_teachers": arm.taught * step_tokens,
            "models_asked": len(arm.models),
            "shown": shown,
        }
    return found


def mean_shown(entry: Mapping[str, Any]) -> int:
    """Over seeds."""
    totals = [sum(of.values()) for of in entry["shown"].values()]
    return round(sum(totals) / len(totals))


def as_lines(found: Mapping[str, Any], languages: Sequence[str]) -> list[str]:
    """A row an arm; of languages the share of what was shown."""
    rows = [["arm", "tokens planned", "shown", *languages, "read by teachers", "models asked"]]
    for name, entry in found.items():
        total = max(1, mean_shown(entry))
        seeds = len(entry["shown"])
        shares = [sum(of.get(one, 0) for of in entry["shown"].values()) / seeds / total for one in languages]
        rows.append(
            [name, f"{entry['planned']:,}", f"{total:,}", *(f"{share:.1%}" for share in shares),
             f"{entry['read_by_teachers']:,}", str(entry["models_asked"])]
        )  # fmt: skip
    return laid_out(rows)
