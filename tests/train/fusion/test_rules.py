"""Each rule against NumPy in float64, written another way, and by what must hold of it."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from train.fusion import parts
from train.fusion.rule import Rule
from train.fusion.rules import RULES

SHAPES = [(), (0,), (0, 5), (1,), (7,), (13, 5), (3, 1, 11), (129, 67)]
COUNTS = [1, 2, 3]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the tensors here have several."""
    monkeypatch.setattr(parts, "PART", 1 << 10)


def tensors(shape: tuple[int, ...], count: int, seed: int = 0) -> list[Tensor]:
    """An ancestor and `count` parents. Numbers are eighths, so that many differences are 0 or as large as others."""
    random = np.random.default_rng(seed)
    origin = random.integers(-20, 21, shape) / 8
    return [torch.tensor(origin + random.integers(-4, 5, shape) / 8 * bool(one)).float() for one in range(count + 1)]


def numpy_of(found: list[Tensor]) -> list[np.ndarray]:
    return [one.double().numpy() for one in found]


def check(rule: Rule, given: list[Tensor], expected: np.ndarray) -> None:
    before = [one.clone() for one in given]
    found = rule.merge("x", given[1:], given[0] if rule.needs_ancestor else None)
    assert found.dtype == torch.float32 and found.shape == given[0].shape
    np.testing.assert_allclose(found.double().numpy(), expected, rtol=2e-6, atol=2e-6)
    assert all(torch.equal(one, two) for one, two in zip(before, given, strict=True))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", COUNTS)
def test_average(shape: tuple[int, ...], count: int) -> None:
    given = tensors(shape, count)
    check(RULES["average"](), given, np.mean(numpy_of(given[1:]), axis=0))
    weights = [1.0, 0.0, 3.0][:count]
    check(RULES["average"](weights), given, np.average(numpy_of(given[1:]), axis=0, weights=weights))


def test_the_average_of_what_one_parent_alone_counts_for_is_that_parent() -> None:
    _, one, two = tensors((40, 3), 2)
    assert torch.equal(RULES["average"]([0, 1]).merge("x", [one, two], None), two)


def slerped(one: np.ndarray, two: np.ndarray, t: float) -> np.ndarray:
    """The angle as Kahan has it; the way as an arc in the plane of both, whose length goes along the factors."""
    first, second = np.linalg.norm(one), np.linalg.norm(two)
    if not first or not second:
        return one + t * (two - one)
    u, v = one / first, two / second
    angle = 2 * np.arctan2(np.linalg.norm(u - v), np.linalg.norm(u + v))
    if abs(np.cos(angle)) > 0.9995:
        return one + t * (two - one)
    side = (v - np.cos(angle) * u) / np.sin(angle)
    on_sphere = np.cos(t * angle) * u + np.sin(t * angle) * side
    return first * on_sphere + (second - first) * np.sin(t * angle) / np.sin(angle) * v


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("t", [0, 0.25, 0.5, 1])
def test_slerp(shape: tuple[int, ...], t: float) -> None:
    given = tensors(shape, 2)
    check(RULES["slerp"](t), given, slerped(*numpy_of(given[1:]), t))


def test_slerp_of_right_angles_and_of_what_has_no_angle() -> None:
    rule = RULES["slerp"](0.5)
    east, north, nothing = torch.tensor([2.0, 0]), torch.tensor([0, 2.0]), torch.zeros(2)
    assert rule.merge("x", [east, north], None).tolist() == pytest.approx([2**0.5, 2**0.5])
    assert rule.merge("x", [east, nothing], None).tolist() == [1, 0]
    assert rule.merge("x", [nothing, nothing], None).tolist() == [0, 0]
    assert rule.merge("x", [east, -east], None).tolist() == [0, 0]
    near = torch.tensor([2.0, 0.02])  # cos > 0.9995
    assert rule.merge("x", [east, near], None).tolist() == pytest.approx([2, 0.01])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", COUNTS)
def test_task_arithmetic(shape: tuple[int, ...], count: int) -> None:
    given = tensors(shape, count)
    start, *ends = numpy_of(given)
    check(RULES["task-arithmetic"](), given, (1 - 0.4 * count) * start + 0.4 * sum(ends))
    weights = [0.5, 2.0, 0.0][:count]
    expected = start * (1 - 0.7 * sum(weights)) + 0.7 * np.tensordot(weights, ends, 1)
    check(RULES["task-arithmetic"](scale=0.7, weights=weights), given, expected)


def elected(moves: list[np.ndarray], weights: list[float]) -> np.ndarray:
    """A number at a time."""
    out = np.zeros(moves[0].shape)
    for place in np.ndindex(out.shape):
        here = [(one[place], weight) for one, weight in zip(moves, weights, strict=True)]
        positive = sum(value * weight for value, weight in here) >= 0
        agree = [(value, weight) for value, weight in here if (value > 0 if positive else value < 0) and weight]
        if agree:
            out[place] = sum(value * weight for value, weight in agree) / sum(weight for _, weight in agree)
    return out


def trimmed(move: np.ndarray, density: float) -> np.ndarray:
    keep = max(1, int(density * move.size))
    order = sorted(abs(move).ravel().tolist(), reverse=True)
    return np.where(abs(move) >= order[keep - 1], move, 0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", COUNTS)
def test_ties(shape: tuple[int, ...], count: int) -> None:
    given = tensors(shape, count)
    start, *ends = numpy_of(given)
    for density, scale, weights in ((0.2, 1.0, None), (0.5, 0.3, [2.0, 0.5, 0.0][:count]), (1.0, 1.0, None)):
        moves = [trimmed(end - start, density) for end in ends] if start.size else [end - start for end in ends]
        expected = start + scale * elected(moves, weights or [1.0] * count)
        check(RULES["ties"](density=density, scale=scale, weights=weights), given, expected)


def test_ties_by_hand() -> None:
    """Of five numbers two are kept. Places: both agree; against each other, the larger wins; one alone; none; none."""
    start = torch.ones(5)
    one, two = torch.tensor([0.8, 0.6, 0.1, 0, 0.2]), torch.tensor([0.4, -0.9, 0, 0.1, 0.2])
    found = RULES["ties"](density=0.4).merge("x", [start + one, start + two], start)
    assert found.tolist() == pytest.approx([1 + (0.8 + 0.4) / 2, 1 - 0.9, 1, 1, 1])


def fisher_of(given: list[Tensor], seed: int = 1) -> list[Tensor]:
    random = np.random.default_rng(seed)
    return [torch.tensor(random.integers(0, 3, tuple(one.shape)) * 1e-4).float() for one in given[1:]]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", COUNTS)
def test_fisher(shape: tuple[int, ...], count: int) -> None:
    given = tensors(shape, count)
    diagonals = fisher_of(given)
    weights, floor = [1.0, 3.0, 0.5][:count], 1e-12
    importance = np.stack([np.maximum(one, floor) for one in numpy_of(diagonals)])
    shares = np.reshape(weights, (count,) + (1,) * len(shape)) * importance
    expected = np.average(numpy_of(given[1:]), axis=0, weights=shares)
    check(RULES["fisher"](of=lambda _: diagonals, weights=weights), given, expected)


def test_fisher_takes_the_number_of_the_one_model_that_cares_and_the_mean_where_none_does() -> None:
    one, two = torch.tensor([1.0, 5, 7]), torch.tensor([3.0, 9, 8])
    diagonals = [torch.tensor([0.0, 2, 0]), torch.tensor([0.0, 0, 5])]
    found = RULES["fisher"](of=lambda _: diagonals).merge("x", [one, two], None)
    assert found.tolist() == pytest.approx([2, 5, 8])
    assert RULES["fisher"](of=lambda _: None).merge("x", [one, two], None).tolist() == [2, 7, 7.5]


@pytest.mark.parametrize(("inputs", "outputs", "count"), [(1, 1, 2), (5, 3, 1), (7, 11, 2), (16, 4, 3)])
def test_regmean_without_shrinking_is_the_regression_on_all_inputs(inputs: int, outputs: int, count: int) -> None:
    random = np.random.default_rng(inputs)
    seen = [random.normal(size=(40 + 9 * one, inputs)) for one in range(count)]
    weights = [random.normal(size=(outputs, inputs)).astype(np.float32) for _ in range(count)]
    answers = np.concatenate([x @ w.T for x, w in zip(seen, weights, strict=True)])
    expected = np.linalg.lstsq(np.concatenate(seen), answers, rcond=None)[0].T
    grams = [torch.tensor(x.T @ x).float() for x in seen]
    found = RULES["regmean"](of=lambda _: grams, shrink=1).merge("x", [torch.tensor(w) for w in weights], None)
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-5)


@pytest.mark.parametrize("shrink", [0, 0.9])
def test_regmean_shrinks_what_is_off_the_diagonal(shrink: float) -> None:
    random = np.random.default_rng(4)
    weights = [random.normal(size=(6, 9)) for _ in range(2)]
    grams = [x.T @ x for x in (random.normal(size=(30, 9)) for _ in range(2))]
    scaled = [gram * (shrink + (1 - shrink) * np.eye(9)) for gram in grams]
    expected = (np.linalg.inv(sum(scaled)) @ sum(g @ w.T for g, w in zip(scaled, weights, strict=True))).T
    rule = RULES["regmean"](of=lambda _: [torch.tensor(one).float() for one in grams], shrink=shrink)
    found = rule.merge("x", [torch.tensor(one).float() for one in weights], None)
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-5)


def test_regmean_keeps_the_mean_for_inputs_that_nobody_saw_and_for_what_is_no_linear_layer() -> None:
    one, two = torch.tensor([[1.0, 2.0]]), torch.tensor([[5.0, 8.0]])
    of = {
        "half": [torch.diag(torch.tensor([3.0, 0])), torch.diag(torch.tensor([1.0, 0]))],
        "none": [torch.zeros(2, 2)] * 2,
    }
    rule = RULES["regmean"](of=of.get)
    np.testing.assert_allclose(rule.merge("half", [one, two], None), [[2, 5]], rtol=1e-5)
    assert rule.merge("none", [one, two], None).tolist() == rule.merge("other", [one, two], None).tolist() == [[3, 5]]


def settings(name: str, parents: int) -> dict[str, Any]:
    grams = [torch.eye(5) * (1 + one) for one in range(parents)]
    return {"fisher": {"of": lambda _: [torch.full((13, 5), 0.5)] * parents}, "regmean": {"of": lambda _: grams}}.get(
        name, {}
    )


@pytest.mark.parametrize("name", [name for name in RULES if name not in ("task-arithmetic", "dare")])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_parents_that_are_one_give_that_one_in_float32(name: str, dtype: torch.dtype) -> None:
    origin, one = tensors((13, 5), 1)
    settled = settings(name, 2) | ({"density": 1.0} if name == "ties" else {})
    found = RULES[name](**settled).merge("x", [one.to(dtype), one.to(dtype)], origin.to(dtype))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, one, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", [name for name in RULES if name not in ("slerp", "dare")])
def test_the_order_of_parents_decides_nothing(name: str) -> None:
    origin, *parents = tensors((13, 5), 3)
    found = []
    for order in itertools.permutations(range(3)):
        grams = [torch.eye(5) * (1 + one) for one in order]
        of = {"fisher": [torch.full((13, 5), 0.1 * (1 + one)) for one in order], "regmean": grams}.get(name)
        rule = RULES[name](**({} if of is None else {"of": lambda _, of=of: of}))
        found.append(rule.merge("x", [parents[one] for one in order], origin))
    for one in found[1:]:
        torch.testing.assert_close(one, found[0], atol=2e-6, rtol=2e-6)


def test_what_does_not_lie_in_one_piece_is_merged_as_it_reads() -> None:
    origin, one, two = tensors((13, 5), 2)
    for name in ("average", "slerp", "ties"):
        rule = RULES[name]()
        turned = rule.merge("x", [one.T, two.T], origin.T)
        torch.testing.assert_close(turned, rule.merge("x", [one, two], origin).T, atol=1e-6, rtol=1e-6)
