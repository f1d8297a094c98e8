"""What a branch-train-merge is made of: pretrainings and merges, each a folder, and the arms that stand in its table.

    seed ─┬─ branches/LANGUAGE … ─┬─ merged/RULE ─── decayed/RULE
          │                       ├─ merged/average ─┬─ distilled     (branches as teachers of their languages)
          │                       │                  └─ adversarial
          └───────────────────────┴─ ensemble
    joint                                            (from scratch, as many tokens as all of a row together)

Branch-train-merge is Li et al. 2022 (arXiv 2208.03306), there with an ensemble or an average of experts of domains.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from train.branching.budget import Budget
from train.branching.rules import NamedRule

RUNS = ("joint", "distilled", "adversarial", "ensemble")
UNIFORM = NamedRule("average", "average")
DECAY = "decay"  # one order of the data for all that decay, so that they differ in what they began as alone
Beginning = Literal["merge", "seed"]


@dataclass(frozen=True)
class Pretraining:
    """name: of its folder. warmup, decay: steps that rise and fall; what is between is level. init: the step that it
    goes on with. order: what its order of the data hangs on beside the seed. shares: language_shares. teachers: steps
    by language. adversary: whether a discriminator's gradients are turned."""

    name: str
    steps: int
    warmup: int
    decay: int = 0
    init: str | None = None
    order: str = ""
    shares: Mapping[str, float] = field(default_factory=dict)
    teachers: Mapping[str, str] = field(default_factory=dict)
    adversary: bool = False


@dataclass(frozen=True)
class Merging:
    """parents, base: steps; the base is what the parents come from. languages: whose branch each parent is."""

    name: str
    rule: NamedRule
    parents: tuple[str, ...]
    languages: tuple[str, ...]
    base: str


@dataclass(frozen=True)
class Arm:
    """A row of the table. models: steps, of which several answer together. seen: pretrainings whose tokens it has seen,
    each once. taught: steps' tokens that teachers have read for it, each by one of them."""

    name: str
    models: tuple[str, ...]
    seen: tuple[str, ...]
    taught: int = 0


@dataclass(frozen=True)
class Plan:
    """steps: in an order in which each finds what it needs."""

    steps: tuple[Pretraining | Merging, ...]
    arms: tuple[Arm, ...]

    def pretrainings(self) -> dict[str, Pretraining]:
        return {one.name: one for one in self.steps if isinstance(one, Pretraining)}


def plan(
    budget: Budget,
    branches: Sequence[str],
    rules: Sequence[NamedRule],
    runs: Sequence[str],
    replay: float,
    student: Beginning = "merge",
) -> Plan:
    """Of one seed. student: what the distilled arm begins as, the uniform merge of the branches or the seed itself.

    Seed and branches are trained once, whatever is made of them.
    """
    rise, rate_up = budget.again(budget.branch), budget.again(budget.decay)
    seed = Pretraining("seed", budget.seed, budget.warmup)
    experts = [
        Pretraining(f"branches/{language}", budget.branch, rise, 0, "seed", language, {language: 1 - replay})
        for language in branches
    ]
    names = tuple(one.name for one in experts)
    before = ("seed", *names)
    steps: list[Pretraining | Merging] = [seed, *experts]
    arms = [Arm("seed", ("seed",), ("seed",))]
    arms += [Arm(f"branch-{language}", (name,), ("seed", name)) for language, name in zip(branches, names, strict=True)]
    if "ensemble" in runs:
        arms.append(Arm("ensemble", names, before))

    def merged(rule: NamedRule) -> str:
        name = f"merged/{rule.label}"
        if all(one.name != name for one in steps):
            steps.append(Merging(name, rule, names, tuple(branches), "seed"))
        return name

    def last(name: str, init: str, arm: str, teachers: Mapping[str, str], adversary: bool = False) -> None:
        fall = budget.decay - rate_up
        steps.append(Pretraining(name, budget.decay, rate_up, fall, init, DECAY, {}, teachers, adversary))
        arms.append(Arm(arm, (name,), (*before, name), budget.decay if teachers else 0))

    for rule in rules:
        of_rule = merged(rule)
        arms.append(Arm(f"merged-{rule.label}", (of_rule,), before))
        last(f"decayed/{rule.label}", of_rule, f"decayed-{rule.label}", {})
    if "distilled" in runs:
        begins = merged(UNIFORM) if student == "merge" else "seed"
        last("distilled", begins, "distilled", dict(zip(branches, names, strict=True)))
    if "adversarial" in runs:
        last("adversarial", merged(UNIFORM), "adversarial", {}, adversary=True)
    if "joint" in runs:
        steps.append(Pretraining("joint", budget.total, budget.warmup, budget.decay))
        arms.append(Arm("joint", ("joint",), ("joint",)))
    return Plan(tuple(steps), tuple(arms))
