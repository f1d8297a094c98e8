"""Schedules and learning rates against values by hand, and properties of any schedule."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UserError
from train.optim.schedule import Schedule, Shape, first_without_weight, learning_rate


def test_lines_between_steps() -> None:
    schedule = Schedule.parse("10:1, 20:0, 40:4")
    values = [schedule(step, 1000) for step in (0, 10, 15, 20, 25, 40, 999)]
    assert values == [1.0, 1.0, 0.5, 0.0, 1.0, 4.0, 4.0]


def test_shares_follow_the_length_of_the_run() -> None:
    schedule = Schedule.parse("0:0.3,90%:0.3,100%:0.1")
    assert [schedule(step, 100) for step in (0, 90, 95, 100)] == pytest.approx([0.3, 0.3, 0.2, 0.1])
    assert schedule(950, 1000) == pytest.approx(0.2)


def test_a_plain_number_is_constant() -> None:
    assert [Schedule.parse(" 1e-2")(step, 5) for step in (0, 4)] == [0.01, 0.01]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "'' is no number"),
        ("0.3,0.5", "is no number"),
        ("0:1,5", "'' is no number"),
        ("0:1,", "is no number"),
        ("nan", "is no number"),
        ("0:inf", "is no number"),
        ("a:1", "'a' is no number"),
        ("5:1,3:2", "must rise"),
        ("5:1,5:2", "must rise"),
        ("0:1,101%:2", "101% must be 0% to 100%"),
        ("-1:1", "-1 must be 0 or more"),
        ("10:1,50%:2", "mixes steps with shares"),
    ],
)
def test_bad_text_is_one_line_that_quotes_it(text: str, part: str) -> None:
    with pytest.raises(UserError) as caught:
        Schedule.parse(text)
    message = str(caught.value)
    assert part in message and repr(text) in message and "\n" not in message


VALUES = st.floats(-1e6, 1e6)


@given(st.dictionaries(st.integers(0, 10**6), VALUES, min_size=1, max_size=6), st.integers(0, 2 * 10**6))
def test_values_lie_between_neighbouring_points(points: dict[int, float], step: int) -> None:
    ordered = sorted(points.items())
    schedule = Schedule.parse(",".join(f"{place}:{value!r}" for place, value in ordered))
    before = [value for place, value in ordered if place <= step][-1:]
    after = [value for place, value in ordered if place >= step][:1]
    ends = before + after
    slack = 1e-9 * max(abs(value) for value in ends)
    assert min(ends) - slack <= schedule(step, 10**6) <= max(ends) + slack
    for place, value in ordered:
        assert schedule(place, 10**6) == value


def rates(shape: Shape, floor: float = 0.0) -> list[float]:
    settings = {"peak": 1.0, "warmup_ratio": 0.2, "decay_ratio": 0.15}
    return [learning_rate(step, 20, shape=shape, floor=floor, **settings) for step in range(20)]


@pytest.mark.parametrize(
    ("shape", "fall"),
    [
        ("1-sqrt", [1 - math.sqrt(x) for x in (0.25, 0.5, 0.75)]),
        ("linear", [0.75, 0.5, 0.25]),
        ("cosine", [0.5 + math.sqrt(0.125), 0.5, 0.5 - math.sqrt(0.125)]),
    ],
)
def test_warm_up_stable_decay_by_hand(shape: Shape, fall: list[float]) -> None:
    assert rates(shape)[:4] == [0.25, 0.5, 0.75, 1.0]
    assert rates(shape)[4:17] == [1.0] * 13
    assert rates(shape)[17:] == pytest.approx(fall)
    assert rates(shape, floor=0.2)[17:] == pytest.approx([0.2 + 0.8 * rate for rate in fall])


SHAPES = st.sampled_from(("1-sqrt", "linear", "cosine"))


@given(st.integers(1, 3000), st.floats(0, 1), st.floats(0, 1), SHAPES, st.data())
def test_never_zero_and_never_above_the_peak(
    steps: int, warmup: float, share: float, shape: Shape, data: st.DataObject
) -> None:
    decay = (1 - warmup) * share
    for step in (0, steps - 1, data.draw(st.integers(0, steps - 1))):
        rate = learning_rate(step, steps, peak=2e-3, warmup_ratio=warmup, decay_ratio=decay, shape=shape)
        assert 0 < rate <= 2e-3


POINTS = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 1)), min_size=1, max_size=4, unique_by=lambda one: one[0]
)


@given(st.lists(st.tuples(POINTS, st.booleans()), min_size=1, max_size=3), st.integers(1, 14))
def test_the_first_step_without_weight_is_that_of_a_search(
    texts: list[tuple[list[tuple[int, int]], bool]], steps: int
) -> None:
    schedules = []
    for points, shares in texts:
        unit = "%" if shares else ""
        written = (f"{7 * place if shares else place}{unit}:{value}" for place, value in sorted(points))
        schedules.append(Schedule.parse(",".join(written)))
    found = [step for step in range(steps) if not any(one(step, steps) for one in schedules)]
    assert first_without_weight(schedules, 0, steps, steps) == (found[0] if found else None)
