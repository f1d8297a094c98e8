"""Figures as the file of an evaluation has them."""

import json

import numpy as np
import pytest

from schemas.evaluation import Figure
from train.metrics.figures import mean_of, measured, number, share
from train.metrics.intervals import bootstrap, t_interval, wilson


def test_a_share_has_its_bootstrap_interval() -> None:
    hits = [True] * 280 + [False] * 120  # a standard error of 2.3 %
    found = share(hits)
    assert found == {
        "value": 0.7,
        "low": pytest.approx(0.655, abs=0.01),
        "high": pytest.approx(0.745, abs=0.01),
        "count": 400,
    }
    assert (found["low"], found["high"]) == bootstrap(hits)[1:]


@pytest.mark.parametrize("hit", [True, False])
def test_a_share_of_all_or_none_is_not_certain(hit: bool) -> None:
    for count in (1, 5, 1000):
        value, low, high = wilson(count * hit, count)
        assert share([hit] * count) == {"value": value, "low": low, "high": high, "count": count}
        assert high - low > 1 / count / 2


def test_a_mean_over_languages_counts_each_once() -> None:
    rows: dict[str, Figure] = {"fra_Latn": number(0.5, 10), "tha_Thai": number(0.75, 1000), "all": number(0.1, 5)}
    found = mean_of(rows)
    assert found["value"] == 0.625 and found["count"] == 2
    assert 0.5 <= found["low"] <= found["high"] <= 0.75
    assert mean_of(dict(reversed(rows.items()))) == found
    assert mean_of({"fra_Latn": number(0.5, 10)}) == {"value": 0.5, "low": None, "high": None, "count": 1}


def test_figures_are_json() -> None:
    figures = [
        share(np.array([True, False])),
        number(np.float32(0.5), np.int64(3)),
    ]
    figures.append(measured(t_interval([1, 2, 4]), 3))
    assert json.loads(json.dumps(figures)) == figures


def test_of_nothing_there_is_no_figure() -> None:
    for call in (
        lambda: share([]),
        lambda: mean_of({}),
        lambda: mean_of({"all": number(1, 1)}),
    ):
        with pytest.raises(ValueError):
            call()
