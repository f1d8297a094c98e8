"""What rules refuse, by name."""

from typing import Any

import pytest
import torch

from train.fusion.rules import RULES

GOOD = torch.ones(3, 2)


@pytest.mark.parametrize(
    ("rule", "settings", "says"),
    [
        ("slerp", {"t": 1.5}, "t 1.5 is not between 0"),
        ("slerp", {"t": float("nan")}, "t nan"),
        ("ties", {"density": 0}, "density 0 is not above 0"),
        ("ties", {"density": 1.01}, "at most 1"),
        ("ties", {"density": float("nan")}, "density nan"),
        ("ties", {"scale": float("inf")}, "scale inf"),
        ("task-arithmetic", {"scale": float("nan")}, "scale nan"),
        ("dare", {"drop": 1}, "drop 1 is not at least 0 and below 1"),
        ("dare", {"drop": -0.1}, "drop -0.1"),
        ("dare", {"then": "slerp"}, "not slerp"),
        ("average", {"weights": [0, 0]}, "not all are 0"),
        ("average", {"weights": [1, -1]}, "none is below 0"),
        ("average", {"weights": [1, float("nan")]}, "weights 1 nan"),
        ("fisher", {"of": None, "floor": 0}, "floor 0"),
        ("regmean", {"of": None, "shrink": 1.1}, "shrink 1.1"),
    ],
)
def test_settings_out_of_bounds(rule: str, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        RULES[rule](**settings)


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule not in ("slerp", "regmean")])
def test_weights_for_other_parents(rule: str) -> None:
    made = RULES[rule](weights=[1, 2], **({"of": lambda _: None} if rule == "fisher" else {}))
    made.check(2)
    with pytest.raises(ValueError, match="2 weights for 3 parents"):
        made.check(3)
    with pytest.raises(ValueError, match="2 weights for 3 parents"):
        made.merge("x", [GOOD] * 3, GOOD)


@pytest.mark.parametrize("parents", [1, 3])
def test_slerp_takes_two(parents: int) -> None:
    with pytest.raises(ValueError, match=f"two parents, not {parents}"):
        RULES["slerp"]().check(parents)
    with pytest.raises(ValueError, match=f"two parents, not {parents}"):
        RULES["slerp"]().merge("x", [GOOD] * parents, None)


def made(rule: str) -> Any:
    of = {"fisher": [GOOD, GOOD], "regmean": [torch.eye(2)] * 2}.get(rule)
    return RULES[rule](**({} if of is None else {"of": lambda _: of}))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_not_finite_are_told_with_tensor_and_parent(rule: str, value: float) -> None:
    bad = GOOD.clone()
    bad[2, 1] = value
    with pytest.raises(ValueError, match=r"layers\.0\.x of parent 2 holds numbers that are not finite"):
        made(rule).merge("layers.0.x", [GOOD, bad], GOOD)
    if made(rule).needs_ancestor:
        with pytest.raises(ValueError, match=r"layers\.0\.x of the ancestor holds"):
            made(rule).merge("layers.0.x", [GOOD, GOOD], bad)


@pytest.mark.parametrize("rule", RULES)
def test_shapes_that_differ(rule: str) -> None:
    with pytest.raises(ValueError, match=r"x has the shapes \[3, 2\] and \[2, 3\]"):
        made(rule).merge("x", [GOOD, GOOD.T], GOOD)
    if made(rule).needs_ancestor:
        with pytest.raises(ValueError, match="x has the shapes"):
            made(rule).merge("x", [GOOD, GOOD], GOOD.T)
        with pytest.raises(ValueError, match="needs the ancestor"):
            made(rule).merge("x", [GOOD, GOOD], None)


@pytest.mark.parametrize("rule", RULES)
def test_whole_numbers(rule: str) -> None:
    with pytest.raises(ValueError, match="x is int64"):
        made(rule).merge("x", [GOOD.long(), GOOD.long()], GOOD)


def test_statistics_that_do_not_fit() -> None:
    fisher, regmean = RULES["fisher"], RULES["regmean"]
    with pytest.raises(ValueError, match="x has 1 Fisher diagonals for 2 parents"):
        fisher(of=lambda _: [GOOD]).merge("x", [GOOD, GOOD], None)
    with pytest.raises(ValueError, match="x has the shapes"):
        fisher(of=lambda _: [GOOD, GOOD.T]).merge("x", [GOOD, GOOD], None)
    with pytest.raises(ValueError, match="x of the Fisher diagonals of parent 2 holds"):
        fisher(of=lambda _: [GOOD, GOOD * float("nan")]).merge("x", [GOOD, GOOD], None)
    for grams in ([torch.eye(3)] * 2, [torch.eye(2)]):
        with pytest.raises(ValueError, match="its Gram matrices are not of that"):
            regmean(of=lambda _, grams=grams: grams).merge("x", [GOOD, GOOD], None)
    with pytest.raises(ValueError, match="x has a Gram matrix with numbers that are not finite"):
        regmean(of=lambda _: [torch.eye(2), torch.eye(2) * float("inf")]).merge("x", [GOOD, GOOD], None)
