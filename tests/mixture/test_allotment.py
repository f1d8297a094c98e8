"""Budgets under caps, against UniMax as its paper states it and against conditions that only the solution meets."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.mixture.allotment import Phase, allot, largest_budget
from pipeline.mixture.shares import shares
from schemas.errors import UserError

SIZES = st.dictionaries(
    st.sampled_from([f"l{i}_Latn" for i in range(12)]), st.floats(1, 1e12, allow_nan=False), min_size=1
)


def unimax(sizes: dict[str, float], budget: float, max_epochs: float) -> dict[str, float]:
    """Chung et al. 2023, arXiv 2304.09151, algorithm 1, as written: smallest languages first."""
    left, epochs = budget, {}
    ordered = sorted(sizes, key=sizes.__getitem__)
    for place, language in enumerate(ordered):
        amount = min(left / (len(ordered) - place), max_epochs * sizes[language])
        epochs[language] = amount / sizes[language]
        left -= amount
    return epochs


@given(SIZES, st.floats(0.001, 1), st.sampled_from([1.0, 2.0, 4.0, 5.5]))
def test_unimax(sizes: dict[str, float], part: float, max_epochs: float) -> None:
    budget = part * max_epochs * sum(sizes.values())
    (found,) = allot(sizes, dict.fromkeys(sizes, max_epochs), [Phase(1, shares(sizes, "unimax"))], budget)
    assert found == pytest.approx(unimax(sizes, budget, max_epochs), rel=1e-6)


@given(SIZES, st.floats(0.001, 0.999), st.floats(1, 20))
def test_the_budget_is_spent_by_shares_under_the_cap(sizes: dict[str, float], part: float, temperature: float) -> None:
    """Whoever is below the cap gets the same multiple of its share, and no one at the cap would get less."""
    wanted, cap = shares(sizes, "temperature", temperature), 4.0
    budget = part * cap * sum(sizes.values())
    (found,) = allot(sizes, dict.fromkeys(sizes, cap), [Phase(1, wanted)], budget)
    assert sum(found[name] * size for name, size in sizes.items()) == pytest.approx(budget)
    assert all(epochs <= cap * (1 + 1e-6) for epochs in found.values())
    scales = {name: found[name] * sizes[name] / wanted[name] for name in sizes}
    free = [scales[name] for name in sizes if found[name] < cap * (1 - 1e-6)]
    assume(free)
    assert max(free) == pytest.approx(min(free))
    assert all(scales[name] <= max(free) * (1 + 1e-6) for name in sizes)


def test_two_phases_by_hand() -> None:
    """100 of a, 10 of b, 2 epochs at most. b alone in the second phase of 20: it wants 5 there and 5 in the first: as
    it may have 20, both fit. With a budget of 100, phases of 75 and 25 want 7.5 + 25 = 32.5 of b: cut to 20 by one
    factor, 4.6154 and 15.3846; the second phase then has room that nobody may fill."""
    sizes, caps = {"a": 100.0, "b": 10.0}, {"a": 2.0, "b": 2.0}
    even = [Phase(0.75, {"a": 0.9, "b": 0.1}), Phase(0.25, {"a": 0.5, "b": 0.5})]
    first, second = allot(sizes, caps, even, 100)
    # 7.5 + 12.5 is the cap exactly.
    assert first == pytest.approx({"a": 0.675, "b": 0.75}) and second == pytest.approx({"a": 0.125, "b": 1.25})
    first, second = allot(sizes, caps, even, 200)
    # 15 + 25 is cut to 20 by a half: 7.5 and 12.5; a takes the rest of each phase.
    assert first == pytest.approx({"a": 1.425, "b": 0.75}) and second == pytest.approx({"a": 0.375, "b": 1.25})
    alone = [Phase(0.75, {"a": 0.9, "b": 0.1}), Phase(0.25, {"b": 1.0})]
    with pytest.raises(UserError, match="a budget of 100 is more than max_epochs allows"):
        allot(sizes, caps, alone, 100)
    most = largest_budget(sizes, caps, alone)
    assert allot(sizes, caps, alone, most * 0.999) and 60 < most < 80


@given(SIZES, st.lists(st.floats(1, 20), min_size=2, max_size=4), st.floats(0.01, 0.99))
def test_phases_conserve_budget_and_caps(sizes: dict[str, float], temperatures: list[float], part: float) -> None:
    fraction = 1 / len(temperatures)
    phases = [Phase(fraction, shares(sizes, "temperature", temperature)) for temperature in temperatures]
    budget = part * 3.0 * sum(sizes.values())
    found = allot(sizes, dict.fromkeys(sizes, 3.0), phases, budget)
    for phase in found:
        spent = sum(phase[name] * size for name, size in sizes.items())
        assert spent == pytest.approx(fraction * budget, rel=1e-5)
    assert all(sum(phase[name] for phase in found) <= 3 * (1 + 1e-6) for name in sizes)


def test_too_large_a_budget_names_the_one_that_works() -> None:
    sizes, phase = {"a": 100.0, "b": 50.0}, Phase(1, {"a": 0.5, "b": 0.5})
    with pytest.raises(UserError, match=r"a budget of 1,200 is more than max_epochs allows, 600: .*max_epochs = 8$"):
        allot(sizes, {"a": 4.0, "b": 4.0}, [phase], 1200)
    assert allot(sizes, {"a": 4.0, "b": 4.0}, [phase], 600)[0] == pytest.approx({"a": 4.0, "b": 4.0})


@given(SIZES, st.floats(1, 20), st.floats(0.001, 0.5), st.floats(1, 2))
def test_a_larger_budget_takes_no_less_of_any(
    sizes: dict[str, float], temperature: float, part: float, more: float
) -> None:
    phases, caps = [Phase(1, shares(sizes, "temperature", temperature))], dict.fromkeys(sizes, 4.0)
    budget = part * 4 * sum(sizes.values())
    small, large = allot(sizes, caps, phases, budget)[0], allot(sizes, caps, phases, budget * more)[0]
    assert all(large[name] >= small[name] * (1 - 1e-6) for name in sizes)
