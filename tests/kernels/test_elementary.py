"""Against the C library's functions of more digits than are kept."""

import math

import numpy as np
import pytest

from pipeline.kernels.compiling import kernel
from pipeline.kernels.elementary import exps, log1p, logs

RANDOM = np.random.default_rng(7)
WIDE = np.concatenate([RANDOM.uniform(-708, 709, 20_000), RANDOM.normal(0, 1, 20_000)])
NEAR_ONE, TINY = 1 + RANDOM.normal(0, 0.1, 20_000), [5e-324, 1e-310, 2.0]
POSITIVE = np.concatenate([10.0 ** RANDOM.uniform(-307, 308, 20_000), NEAR_ONE, TINY])


def ulps(answers: np.ndarray, true: np.ndarray) -> float:
    return float((np.abs(answers.astype(np.longdouble) - true) / np.spacing(np.abs(true.astype(np.float64)))).max())


def test_the_exponential_is_within_a_unit_of_the_last_place() -> None:
    assert ulps(exps(WIDE), np.exp(WIDE.astype(np.longdouble))) < 1


def test_the_logarithm_is_within_a_unit_of_the_last_place() -> None:
    assert ulps(logs(POSITIVE), np.log(POSITIVE.astype(np.longdouble))) < 1


def test_the_logarithm_of_one_and_more() -> None:
    @kernel
    def each(values, answers) -> None:
        for i in range(len(values)):
            answers[i] = log1p(values[i])

    values = np.concatenate([[0.0, 1e-300, np.inf], 10.0 ** RANDOM.uniform(-20, 20, 20_000)])
    answers = np.empty(len(values))
    each(values, answers)
    assert answers[0] == 0 and answers[2] == np.inf
    assert ulps(np.delete(answers, [0, 2]), np.log1p(np.delete(values, [0, 2]).astype(np.longdouble))) < 2


@pytest.mark.parametrize("function", [exps, logs])
def test_shapes_are_kept_and_float32_is_widened(function: object) -> None:
    values = np.ones((2, 3), np.float32)[:, ::2]
    answers = function(values)  # type: ignore[operator]
    assert answers.shape == (2, 2) and answers.dtype == np.float64


def test_ends_of_the_scale() -> None:
    assert exps(np.array([-np.inf, -1e9, -709.0, 0.0, 710.0, np.inf])).tolist() == [0, 0, 0, 1, np.inf, np.inf]
    assert logs(np.array([0.0, 1.0, np.inf])).tolist() == [-np.inf, 0, np.inf]
    assert math.isnan(logs(np.array([-1.0]))[0]) and math.isnan(logs(np.array([np.nan]))[0])
    assert math.isnan(exps(np.array([np.nan]))[0])
