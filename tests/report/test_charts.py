"""Pictures are true to their numbers."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.pictures.charts import CURVE_POINTS, HEIGHT, WIDTH, curve, funnel, thin, ticks
from schemas.records import Account


def account(rows_in: int, **dropped: int) -> Account:
    return Account(rows_in=rows_in, rows_out=rows_in - sum(dropped.values()), dropped=dropped)


def test_funnel() -> None:
    read = Account(rows_in=250, rows_out=150, dropped={"type:request": 50, "status": 50})
    drawn = funnel({"extract": read, "clean": account(150, empty=30)})
    assert (drawn.full, drawn.pageless) == (200, 50)
    extract, _ = drawn.bars
    assert (extract.rows_in, extract.rows_out) == (200, 150)
    parts = [[(s.label, s.x, s.width, s.share) for s in bar.segments] for bar in drawn.bars]
    assert parts[0] == [("kept", 0, 75, 0.75), ("status", 75, 25, 0.25)]
    assert parts[1] == [("kept", 0, 60, 0.8), ("empty", 60, 15, 0.2)]


def test_rare_reasons_share_a_colour() -> None:
    (bar,) = funnel({"clean": account(1_000, **{f"reason{n}": n + 1 for n in range(10)})}).bars
    assert [s.label for s in bar.segments[1:]] == [*(f"reason{n}" for n in range(9, 2, -1)), "3 more reasons"]
    assert bar.segments[-1].value == 1 + 2 + 3
    assert len({s.kind for s in bar.segments}) == len(bar.segments)


def test_an_empty_stage_has_no_segments() -> None:
    (bar,) = funnel({"clean": account(0)}).bars
    assert bar.segments == []


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=12).filter(any))
def test_segments_fill_the_bar(rows: list[int]) -> None:
    (bar,) = funnel({"clean": account(sum(rows), **{f"r{n}": value for n, value in enumerate(rows[1:])})}).bars
    assert sum(segment.value for segment in bar.segments) == sum(rows)
    assert sum(segment.width for segment in bar.segments) == pytest.approx(100, abs=0.01)


def test_curve_by_hand() -> None:
    drawn = curve({"loss": [(0, 10.0), (50, 5.0), (100, 0.0)]}, {"validation": [(100, 5.0)]})
    assert drawn is not None
    assert drawn.y_ticks == [(100, 0), (80, 2), (60, 4), (40, 6), (20, 8), (0, 10)]
    assert drawn.x_ticks == [(0, 0), (20, 20), (40, 40), (60, 60), (80, 80), (100, 100)]
    assert drawn.lines == {"loss": "M0 0L500 50L1000 100"}
    assert drawn.dots == {"validation": [(1000, 50)]}


def test_no_points_no_curve() -> None:
    assert curve({"loss": []}) is None


@given(st.lists(st.tuples(st.integers(0, 10**6), st.floats(-1e6, 1e6)), min_size=1, max_size=40))
def test_curves_stay_in_the_box(points: list[tuple[int, float]]) -> None:
    drawn = curve({"any": points})
    assert drawn is not None
    for x, y in re.findall(r"[ML]([-\d.e+]+) ([-\d.e+]+)", drawn.lines["any"]):
        assert 0 <= float(x) <= WIDTH and 0 <= float(y) <= HEIGHT


@given(st.integers(1, 5_000))
def test_thin_keeps_ends_near_and_the_mean(length: int) -> None:
    points = [(float(n), float(n)) for n in range(length)]
    thinned = thin(points)
    assert len(thinned) <= CURVE_POINTS
    assert thinned == sorted(thinned)
    assert thinned[0][0] <= length / CURVE_POINTS and thinned[-1][0] >= (length - 1) * (1 - 1 / CURVE_POINTS) - 1


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
def test_ticks_enclose_and_are_few(low: float, span: float) -> None:
    high = low + span
    if high - low < 1e-9 * max(1.0, abs(low)):
        return
    found = ticks(low, high, 5)
    assert 2 <= len(found) <= 8
    slack = 1e-6 * max(span, abs(low), 1e-12)
    assert found[0] <= low + slack and found[-1] >= high - slack
