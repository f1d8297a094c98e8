"""The plan of a run: shares under caps, phases in their order, the same rule again when the number of steps changes."""

import json
import math
import re

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.mixture.allotment import Phase
from schemas.errors import UserError
from train.corpus.mixture import Mixture
from train.data.plan import Plan, plan_run, told

A, B, C = NAMES = ("l00_Latn", "l01_Latn", "l02_Latn")


def mixture(phases: list[tuple[float, dict[str, float]]], weighted: dict[str, float], caps: float) -> Mixture:
    """weighted: the mixture's units of each language."""
    made = tuple(Phase(*phase) for phase in phases)
    return Mixture(tuple(weighted), None, made, ("t",) * len(made), weighted, dict.fromkeys(weighted, caps))


def amounts(plan: Plan, steps: int, step_tokens: int) -> np.ndarray:
    """Tokens of each language in all steps, by going through them."""
    return sum((plan.phase_at(step).rates for step in range(steps)), np.zeros(len(plan.languages))) * step_tokens


def test_by_hand() -> None:
    """100 and 300 tokens, half each: 400 are 200 of both; of 500 the first can give 200, the other the rest."""
    sizes = np.array([100.0, 300.0])
    mixed = mixture([(1.0, {A: 0.5, B: 0.5})], {A: 100, B: 300}, caps=2)
    assert amounts(plan_run(mixed, sizes, 10, 40), 10, 40).tolist() == pytest.approx([200, 200])
    assert amounts(plan_run(mixed, sizes, 10, 50), 10, 50).tolist() == pytest.approx([200, 300])
    assert amounts(plan_run(mixed, sizes, 10, 80), 10, 80).tolist() == pytest.approx([200, 600])
    with pytest.raises(
        UserError, match=r"of mixture\.json allows: give --steps 9, or set max_epochs = 2\.1 in"
    ) as error:
        plan_run(mixed, sizes, 10, 81)
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="give a smaller --global_batch_tokens, or set"):
        plan_run(mixed, sizes, 1, 900)


def test_shares_are_in_the_mixture_s_unit() -> None:
    """Where a token is 2 bytes in one language and 6 in the other, half the bytes are three quarters of the tokens."""
    mixed = mixture([(1.0, {A: 0.5, B: 0.5})], {A: 2000, B: 6000}, caps=4)
    assert plan_run(mixed, np.array([1000.0, 1000.0]), 10, 80).phases[0].rates.tolist() == pytest.approx([0.75, 0.25])


def test_a_language_without_text_gives_its_share_to_the_others() -> None:
    mixed = mixture([(1.0, {A: 0.5, B: 0.25, C: 0.25})], {A: 10, B: 10, C: 10}, caps=4)
    assert plan_run(mixed, np.array([0.0, 10.0, 10.0]), 1, 8).phases[0].rates.tolist() == pytest.approx([0, 0.5, 0.5])
    with pytest.raises(UserError, match="no training document has text"):
        plan_run(mixed, np.zeros(3), 1, 8)


def waterfilled(sizes: list[float], shares: list[float], caps: list[float], budget: float) -> list[float]:
    """Tokens by raising the level of what a share gives until the budget is used up: no algorithm of ours."""
    low, high = 0.0, 1e9
    for _ in range(200):
        level = (low + high) / 2
        used = sum(min(cap * size, level * share) for size, share, cap in zip(sizes, shares, caps, strict=True))
        low, high = (level, high) if used < budget else (low, level)
    return [min(cap * size, level * share) for size, share, cap in zip(sizes, shares, caps, strict=True)]


shares = st.tuples(st.floats(0.05, 1), st.floats(0.05, 1), st.floats(0.05, 1))
sizes_of_three = st.tuples(st.floats(10, 1e4), st.floats(10, 1e4), st.floats(10, 1e4))


@settings(max_examples=60)
@given(sizes_of_three, shares, st.floats(1, 5), st.floats(0.1, 1.1), st.integers(1, 9))
def test_one_phase_is_water_under_a_lid(
    sizes: tuple[float, ...], wanted: tuple[float, ...], cap: float, part: float, steps: int
) -> None:
    step_tokens = max(1, round(part * cap * sum(sizes) / steps))
    there = np.array(sizes)
    mixed = mixture([(1.0, dict(zip(NAMES, wanted, strict=True)))], dict(zip(NAMES, sizes, strict=True)), cap)
    try:
        plan = plan_run(mixed, there, steps, step_tokens)
    except UserError as error:
        most = re.search(r"--steps (\d+)", str(error))
        works = int(most[1]) if most else 0
        assert works < steps
        if works:
            plan_run(mixed, there, works, step_tokens)
        with pytest.raises(UserError):
            plan_run(mixed, there, works + 1, step_tokens)
        return
    seen = amounts(plan, steps, step_tokens)
    assert (seen <= cap * there * (1 + 1e-6)).all()
    level = waterfilled(list(sizes), [one / sum(wanted) for one in wanted], [cap] * 3, steps * step_tokens)
    assert seen.tolist() == pytest.approx(level, rel=1e-6)


@settings(max_examples=60)
@given(sizes_of_three, shares, st.lists(st.integers(1, 5), min_size=2, max_size=4), st.floats(1, 4), st.data())
def test_caps_hold_under_any_schedule_and_any_change_of_it(
    sizes: tuple[float, ...], wanted: tuple[float, ...], parts: list[int], cap: float, data: st.DataObject
) -> None:
    phases = []
    for part in parts:
        chosen = data.draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
        phases.append((part / sum(parts), {name: wanted[NAMES.index(name)] for name in chosen}))
    there = np.array(sizes)
    mixed = mixture(phases, dict(zip(NAMES, sizes, strict=True)), cap)
    step_tokens, steps = 100, data.draw(st.integers(1, 40))
    try:
        plan = plan_run(mixed, there, steps, step_tokens)
    except UserError:
        return
    assert (amounts(plan, steps, step_tokens) <= cap * there * (1 + 1e-6)).all()
    for phase in plan.phases:
        assert phase.rates.sum() == pytest.approx(1)
    again = Plan.from_json(NAMES, json.loads(json.dumps(plan.as_json())))
    assert again.as_json() == plan.as_json()
    done = data.draw(st.integers(0, steps - 1))
    longer = data.draw(st.integers(done + 1, 60))
    shown = amounts(plan, done, step_tokens)
    try:
        other = plan_run(mixed, there, longer, step_tokens, done, shown)
    except UserError:
        return
    rest = sum((other.phase_at(step).rates for step in range(done, longer)), np.zeros(3)) * step_tokens
    assert (shown + rest <= cap * there * (1 + 1e-6)).all()


def test_without_caps_rates_are_epochs_times_sizes_for_ever() -> None:
    plan = plan_run(Mixture((A, B), epochs={A: 1.0, B: 0.5}), np.array([300.0, 200.0]), 10, 50)
    assert plan.phase_at(0) is plan.phase_at(10**9)
    assert plan.phases[0].rates.tolist() == [0.75, 0.25] and plan.max_epochs.tolist() == [math.inf] * 2
    again = Plan.from_json(plan.languages, json.loads(json.dumps(plan.as_json())))
    assert again.max_epochs.tolist() == [math.inf] * 2 and again.phases[0].end is None


def test_shares_of_tokens_by_hand() -> None:
    """9 tokens in 10 are the named language's, in whatever unit the mixture counts; the others have 3 to 2 in tokens,
    since a unit is 3 tokens of one and 1 of the other and they are 1 to 2 in units."""
    mixed = mixture([(1.0, {A: 0.4, B: 0.2, C: 0.4})], {A: 1000, B: 100, C: 300}, caps=4)
    sizes = np.array([1000.0, 300.0, 300.0])
    plan = plan_run(mixed, sizes, 10, 100, language_shares={A: 0.9})
    assert plan.phases[0].rates.tolist() == pytest.approx([0.9, 0.06, 0.04])
    plan = plan_run(mixed, sizes, 10, 40, language_shares={A: 0.0, C: 0.25})
    assert plan.phases[0].rates.tolist() == pytest.approx([0, 0.75, 0.25])
    assert plan_run(mixed, sizes, 10, 40, language_shares={B: 1.0}).phases[0].rates.tolist() == [0, 1, 0]


def test_shares_of_tokens_hold_in_every_phase_and_without_a_schedule() -> None:
    mixed = mixture([(0.5, {A: 1.0}), (0.5, {B: 0.5, C: 0.5})], {A: 1e4, B: 1e4, C: 1e4}, caps=2)
    plan = plan_run(mixed, np.array([1e4, 1e4, 1e4]), 10, 100, language_shares={B: 0.7})
    assert [phase.rates.tolist() for phase in plan.phases] == [
        pytest.approx([0.3, 0.7, 0]),
        pytest.approx([0, 0.7, 0.3]),
    ]
    endless = Mixture((A, B, C), epochs={A: 1.0, B: 2.0, C: 0.0})
    plan = plan_run(endless, np.array([300.0, 200.0, 500.0]), 10, 50, language_shares={C: 0.3})
    assert plan.phases[0].rates.tolist() == pytest.approx([0.3, 0.4, 0.3]) and plan.phases[0].end is None


def test_caps_hold_over_shares_of_tokens() -> None:
    """Of 300 tokens 270 are asked of a language that may give 200: the others have the rest, as they are."""
    mixed = mixture([(1.0, {A: 0.5, B: 0.25, C: 0.25})], {A: 100, B: 400, C: 400}, caps=2)
    plan = plan_run(mixed, np.array([100.0, 400.0, 400.0]), 10, 30, language_shares={A: 0.9})
    assert amounts(plan, 10, 30).tolist() == pytest.approx([200, 50, 50])
    assert told(plan, ("natural",), 10, 30)[-1].startswith("used up, shown max_epochs times: l00_Latn; ")


@pytest.mark.parametrize(
    ("shares", "why"),
    [
        ({"l0_Latn": 0.5}, "names l0_Latn, which the shards do not have: did you mean l0"),
        ({"xxxxxxxx": 0.5}, "which the shards do not have: there are l00_Latn, l01_Latn, l02_Latn"),
        ({A: 0.5, B: 0.3}, "add up to 0.8, and the mixture has no other language for the rest: make them 1"),
        ({C: 0.5}, "gives l02_Latn 0.5, but it has no text to train on: leave it out"),
    ],
)
def test_shares_that_cannot_be(shares: dict[str, float], why: str) -> None:
    mixed = mixture([(1.0, {A: 0.5, B: 0.5})], {A: 100, B: 100, C: 100}, caps=2)
    with pytest.raises(UserError, match=why):
        plan_run(mixed, np.array([100.0, 100.0, 0.0]), 1, 10, language_shares=shares)


def test_a_language_that_may_never_be_shown() -> None:
    mixed = mixture([(1.0, {A: 1.0})], {A: 100, B: 100}, caps=2)
    object.__setattr__(mixed, "max_epochs", {A: 2.0, B: 0.0})
    with pytest.raises(UserError, match=r"gives l01_Latn 0\.5, but mixture\.json max_epochs = 0: leave it out"):
        plan_run(mixed, np.array([100.0, 100.0]), 1, 10, language_shares={B: 0.5})


def test_a_schedule_in_words() -> None:
    phases = [(0.5, {A: 0.8, B: 0.2}), (0.5, {A: 0.3, B: 0.2, C: 0.5})]
    mixed = mixture(phases, {A: 1000, B: 100, C: 1000}, caps=2)
    plan = plan_run(mixed, np.array([1000.0, 100.0, 1000.0]), 20, 100)
    lines = told(plan, ("natural", "unimax"), 20, 100)
    assert lines[0] == "2,000 tokens in 20 steps, of 3 languages; the corpus has about 2,100"
    assert lines[1] == "phase 1 of 2, to step 10: natural: l00_Latn 90 %, l01_Latn 10 %"
    assert lines[2].startswith("phase 2 of 2, to step 20: unimax: l02_Latn 5")
    assert lines[3].startswith("used up, shown max_epochs times: l01_Latn; ")


@given(st.integers(1, 30), st.integers(1, 30))
def test_the_last_phase_is_that_of_all_steps_behind(steps: int, step: int) -> None:
    assume(step >= steps)
    mixed = mixture([(0.5, {A: 1.0}), (0.5, {B: 1.0})], {A: 1e6, B: 1e6}, caps=2)
    plan = plan_run(mixed, np.array([1e6, 1e6]), steps, 10)
    assert plan.phase_at(step) is plan.phases[-1]
