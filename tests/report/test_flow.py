"""The flow picture is true to its numbers, whatever they are, and nothing in it lies on something else."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.pictures.charts import funnel
from pipeline.report.pictures.flow import LABEL_HEIGHT, THINNEST, Flow, across, down
from schemas.records import Account

STAGES = ("extract", "clean", "dedup", "sample")


def account(rows_in: int, **dropped: int) -> Account:
    return Account(rows_in=rows_in, rows_out=rows_in - sum(dropped.values()), dropped=dropped)


def numbers(path: str) -> list[float]:
    return [float(one) for one in re.findall(r"-?\d+\.?\d*", path)]


def test_across_by_hand() -> None:
    drawn = across(funnel({"extract": account(200, status=50), "clean": account(150, empty=30)}), 350, 100)
    assert [(node.name, node.rows, node.x, node.height) for node in drawn.nodes] == [
        ("records read", 200, 0, 100), ("documents", 150, 100, 75), ("pass the rules", 120, 200, 60),
    ]  # fmt: skip
    kept, status, _, _ = drawn.bands
    assert (kept.kind, kept.path) == ("kept", "M 12 52 H 100 V 127 H 12 Z")
    # Leaves the lower quarter of the bar, ends 30 below the next bar in the middle of its label.
    assert status.path.startswith("M 12 127 C 45 127 45 161.5 78 161.5 v 25 C") and status.path.endswith("12 152 Z")
    assert (status.label, status.rows, status.share, status.kind) == ("status", 50, 0.25, "r0")


def test_down_by_hand() -> None:
    drawn = down(funnel({"extract": account(200, status=50)}), 340, 80)
    assert [(node.rows, node.width) for node in drawn.nodes] == [(200, 80), (150, 60)]
    kept, status = drawn.bands
    assert kept.path == "M 0 32 H 60 V 104 H 0 Z"
    assert status.path == "M 60 32 C 60 71 60 71 114 71 V 51 C 80 51 80 51 80 32 Z"


def test_nothing_read_is_drawn_without_bands_that_leave() -> None:
    for drawn in (across(funnel({"extract": account(0)})), down(funnel({"extract": account(0)}))):
        assert [band.kind for band in drawn.bands] == ["kept"] and [node.rows for node in drawn.nodes] == [0, 0]


def test_a_stage_made_of_an_earlier_run_keeps_its_own_rows() -> None:
    """More documents than clean lets through now: what leaves there bends below the higher bar."""
    drawn = across(funnel({"clean": account(100, empty=60), "dedup": account(90, exact=10)}), thick=100)
    assert [node.rows for node in drawn.nodes] == [100, 40, 80]
    leaving = next(band for band in drawn.bands if band.label == "empty")
    assert leaving.y > 52 + 90


@st.composite
def accounts(draw: st.DrawFn) -> dict[str, Account]:
    rows, found = draw(st.integers(0, 10**12)), dict[str, Account]()
    for stage in draw(st.sampled_from([STAGES, STAGES[:2], STAGES[1:], STAGES[2:3]])):
        left, dropped = rows, dict[str, int]()
        for number in range(draw(st.integers(0, 12))):
            dropped[f"reason{number}"] = draw(st.integers(0, left))
            left -= dropped[f"reason{number}"]
        found[stage] = Account(rows_in=rows, rows_out=left, dropped=dropped)
        rows = left
    return found


@given(accounts())
def test_every_row_is_in_a_band(given: dict[str, Account]) -> None:
    picture = funnel(given)
    for drawn in (across(picture), down(picture)):
        assert sum(band.rows for band in drawn.bands) == sum(bar.rows_in for bar in picture.bars)
        assert [node.rows for node in drawn.nodes] == [picture.bars[0].rows_in, *(b.rows_out for b in picture.bars)]


@given(accounts())
def test_texts_lie_apart_and_inside(given: dict[str, Account]) -> None:
    picture = funnel(given)
    for drawn in (across(picture), down(picture)):
        columns: dict[float, list[float]] = {}
        for band in drawn.bands:
            if band.kind != "kept":
                columns.setdefault(band.x, []).append(band.y)
        for places in columns.values():
            assert all(after - before >= LABEL_HEIGHT - 0.1 for before, after in pairwise(places))
        assert all(0 < band.y + 15 < drawn.height for band in drawn.bands if band.kind != "kept")
        inside(drawn)


def inside(drawn: Flow) -> None:
    for node in drawn.nodes:
        assert 0 <= node.x <= drawn.width - node.width and 0 <= node.y <= drawn.height
        assert min(node.width, node.height) >= THINNEST
    for band in drawn.bands:
        assert all(0 <= value <= max(drawn.width, drawn.height) for value in numbers(band.path))


@pytest.mark.parametrize("layout", [across, down])
def test_thickness_is_the_rows(layout: object) -> None:
    drawn = layout(funnel({"clean": account(1_000, a=400, b=200, c=1)}))  # type: ignore[operator]
    ends = {"a": 400, "b": 200}
    scale = max(max(node.width, node.height) for node in drawn.nodes) / 1_000
    for band in drawn.bands:
        if band.label in ends:
            found = re.search(r" v ([\d.]+)", band.path)
            if found:
                thick = float(found[1])
            else:
                values = numbers(band.path)
                thick = values[3] - values[8]
            assert thick == pytest.approx(ends[band.label] * scale, abs=0.02)
