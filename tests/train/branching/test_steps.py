"""The plan: every step finds what it needs, what can be shared is done once, and arms see equally many tokens."""

import pytest

from train.branching.accounts import planned, told
from train.branching.budget import divided
from train.branching.rules import NamedRule
from train.branching.steps import RUNS, Merging, Plan, Pretraining, plan

LANGUAGES = ("eng_Latn", "cmn_Hani", "arb_Arab")
RULES = (NamedRule("ties", "ties"), NamedRule("average", "average"))
BUDGET = divided(100, 3, 0.4, 0.2, 0.05, 0.1)


def made(rules: tuple[NamedRule, ...] = RULES, runs: tuple[str, ...] = RUNS, **more: object) -> Plan:
    return plan(BUDGET, LANGUAGES, rules, runs, 0.1, **more)  # type: ignore[arg-type]


def test_steps_by_hand() -> None:
    found = {one.name: one for one in made().steps}
    assert list(found) == [
        "seed", "branches/eng_Latn", "branches/cmn_Hani", "branches/arb_Arab", "merged/ties", "decayed/ties",
        "merged/average", "decayed/average", "distilled", "adversarial", "joint",
    ]  # fmt: skip
    assert found["seed"] == Pretraining("seed", 40, 5)
    assert found["branches/cmn_Hani"] == Pretraining(
        "branches/cmn_Hani", 13, 1, 0, "seed", "cmn_Hani", {"cmn_Hani": 0.9}
    )
    assert found["decayed/ties"] == Pretraining("decayed/ties", 21, 2, 19, "merged/ties", "decay")
    assert found["joint"] == Pretraining("joint", 100, 5, 21)
    merged, taught, turned = found["merged/ties"], found["distilled"], found["adversarial"]
    assert isinstance(merged, Merging) and merged.base == "seed" and merged.languages == LANGUAGES
    assert isinstance(taught, Pretraining) and taught.init == "merged/average"
    assert taught.teachers == {name: f"branches/{name}" for name in LANGUAGES}
    assert isinstance(turned, Pretraining) and turned.adversary and not turned.teachers


@pytest.mark.parametrize("rules", [RULES, RULES[:1], ()])
@pytest.mark.parametrize("runs", [RUNS, ("distilled",), ("joint", "ensemble")])
@pytest.mark.parametrize("student", ["merge", "seed"])
def test_each_step_comes_once_and_after_what_it_needs(
    rules: tuple[NamedRule, ...], runs: tuple[str, ...], student: str
) -> None:
    there = set[str]()
    found = made(rules, runs, student=student)
    for step in found.steps:
        needs = [*step.parents, step.base] if isinstance(step, Merging) else [*step.teachers.values()]
        needs += [step.init] if isinstance(step, Pretraining) and step.init else []
        assert set(needs) <= there and step.name not in there
        there.add(step.name)
    assert {name for arm in found.arms for name in (*arm.models, *arm.seen)} <= there
    assert len({arm.name for arm in found.arms}) == len(found.arms)


def test_arms_that_are_compared_have_seen_the_same() -> None:
    """100 steps of 8 tokens; the others what has gone before them."""
    found = made()
    tokens = {arm.name: planned(found, arm, 8) for arm in found.arms}
    whole = ("decayed-ties", "decayed-average", "distilled", "adversarial", "joint")
    assert {tokens[name] for name in whole} == {800}
    assert (tokens["seed"], tokens["branch-eng_Latn"]) == (40 * 8, 53 * 8)
    assert tokens["merged-ties"] == tokens["ensemble"] == (40 + 3 * 13) * 8
    assert {arm.name: arm.taught for arm in found.arms if arm.taught} == {"distilled": 21}
    assert told(BUDGET, LANGUAGES, 8)[0].startswith("plan: every arm sees 800 tokens: a seed of 320, 3 branches of 104")
