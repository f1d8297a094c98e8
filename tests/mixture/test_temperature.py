import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.mixture.temperature import epochs

SIZES = st.dictionaries(st.sampled_from("abcdefghij"), st.integers(1, 10**14), min_size=1)
TEMPERATURES = st.one_of(st.just(1.0), st.floats(1, 100))
CAPS = st.one_of(st.just(1.0), st.floats(1, 20))


def oracle(sizes: dict[str, int], temperature: float, max_epochs: float, total: float) -> dict[str, float]:
    """Bisection on the scale, which is monotone: no order of languages, no caps one by one."""

    def amounts(scale: float) -> dict[str, float]:
        return {name: min(max_epochs * size, scale * size ** (1 / temperature)) for name, size in sizes.items()}

    low, high = 0.0, max(max_epochs * size / size ** (1 / temperature) for size in sizes.values())
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if sum(amounts(middle).values()) < total else (low, middle)
    return {name: amount / sizes[name] for name, amount in amounts(high).items()}


@given(SIZES, TEMPERATURES, CAPS, st.floats(0.001, 30))
@example({"a": 1, "b": 10**14}, 3.33, 4.0, 1.0)
def test_a_budget_is_met_by_one_scale(sizes: dict[str, int], temperature: float, cap: float, share: float) -> None:
    total = max(1, round(share * sum(sizes.values())))
    found = epochs(sizes, temperature, cap, total)
    assert found == pytest.approx(oracle(sizes, temperature, cap, total), rel=1e-6)
    assert all(0 < seen <= cap for seen in found.values())
    spent = sum(found[name] * size for name, size in sizes.items())
    assert spent == pytest.approx(min(total, cap * sum(sizes.values())), rel=1e-9)


@given(SIZES, TEMPERATURES, CAPS)
def test_without_a_budget_nothing_is_left_out(sizes: dict[str, int], temperature: float, cap: float) -> None:
    found = epochs(sizes, temperature, cap)
    assert set(found) == set(sizes)
    assert found[max(sizes, key=lambda name: sizes[name])] == 1.0  # exactly: less would drop documents
    assert all(1.0 <= seen <= cap for seen in found.values())
    total = sum(found[name] * size for name, size in sizes.items())
    if all(seen < cap for seen in found.values()):
        assert found == pytest.approx(oracle(sizes, temperature, cap, total), rel=1e-6)


@given(SIZES, CAPS, st.floats(0.001, 30))
def test_temperature_one_repeats_all_alike(sizes: dict[str, int], cap: float, share: float) -> None:
    assert set(epochs(sizes, 1.0, cap).values()) == {1.0}
    total = max(1, round(share * sum(sizes.values())))
    found = epochs(sizes, 1.0, cap, total).values()
    assert list(found) == pytest.approx([min(cap, total / sum(sizes.values()))] * len(sizes), rel=1e-9)


@given(SIZES, TEMPERATURES, CAPS, st.floats(0.001, 30), st.floats(1, 10))
def test_a_larger_budget_takes_no_less_of_any(
    sizes: dict[str, int], temperature: float, cap: float, share: float, more: float
) -> None:
    total = max(1, round(share * sum(sizes.values())))
    less = epochs(sizes, temperature, cap, total)
    larger = epochs(sizes, temperature, cap, math.ceil(total * more))
    assert all(larger[name] >= less[name] * (1 - 1e-9) for name in sizes)


@given(SIZES, TEMPERATURES, CAPS, st.floats(0.001, 30))
def test_the_order_of_languages_does_not_count(
    sizes: dict[str, int], temperature: float, cap: float, share: float
) -> None:
    total = max(1, round(share * sum(sizes.values())))
    backwards = dict(reversed(sizes.items()))
    assert epochs(backwards, temperature, cap, total) == epochs(sizes, temperature, cap, total)
    assert epochs(backwards, temperature, cap) == epochs(sizes, temperature, cap)


def test_by_hand() -> None:
    """Roots of 100, 16 and 1 are 10, 4 and 1.

    150 bytes over 15 points of weight are 10 a point: 100, 40 and 10 bytes.
    With at most 4 epochs the 1-byte language stops at 4 bytes, and 146 are shared as 10 : 4.
    """
    sizes = {"eng": 100, "tha": 16, "amh": 1}
    assert epochs(sizes, 2.0, 100.0, 150) == pytest.approx({"eng": 1.0, "tha": 2.5, "amh": 10.0})
    assert epochs(sizes, 2.0, 4.0, 150) == pytest.approx(
        {"eng": 146 * 10 / 14 / 100, "tha": 146 * 4 / 14 / 16, "amh": 4.0}
    )
    assert epochs(sizes, 2.0, 100.0) == pytest.approx({"eng": 1.0, "tha": 2.5, "amh": 10.0})
    assert epochs(sizes, 2.0, 4.0) == pytest.approx({"eng": 1.0, "tha": 2.5, "amh": 4.0})
    assert epochs(sizes, 2.0, 4.0, 10_000) == {"eng": 4.0, "tha": 4.0, "amh": 4.0}
    assert epochs({}, 2.0, 4.0, 10) == {}
