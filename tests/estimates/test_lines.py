"""Fixed costs and costs a unit, by hand."""

import pytest

from pipeline.estimates.lines import LEAST_DEVIATION, line


def test_a_line_through_what_lies_on_one() -> None:
    found = line((1.0, 7.0), [(10.0, 25.0), (20.0, 45.0)])  # 5 + 2 x
    assert (found.fixed, found.slope, found.deviation) == (5.0, 2.0, LEAST_DEVIATION)
    assert found.at(100) == 205


def test_the_first_run_says_what_starting_costs() -> None:
    """It took 30 where the second of the same took 7: 28 are fixed."""
    found = line((1.0, 7.0), [(10.0, 25.0)], cold=(1.0, 30.0))
    assert (found.fixed, found.slope) == (28.0, 2.0)


def test_without_a_tiny_run() -> None:
    assert line(None, [(10.0, 25.0), (20.0, 45.0)])[:2] == (5.0, 2.0)
    assert line(None, [(10.0, 25.0)])[:2] == (0.0, 2.5)


def test_points_apart_are_unsure() -> None:
    found = line((0.0, 0.0), [(10.0, 20.0), (10.0, 40.0)])
    assert found.slope == 3.0 and found.deviation == pytest.approx(1 / 6)  # 2 and 4 are a third off, halved


def test_noise_makes_no_cost_negative() -> None:
    found = line((1.0, 7.0), [(10.0, 5.0)])
    assert found.slope == 0.0 and found.fixed == 7.0
    assert line((4.0, 2.0), [(10.0, 50.0)]).fixed == 0.0
