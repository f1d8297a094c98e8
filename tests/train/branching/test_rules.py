"""Rules as a flag names them."""

import pytest

from schemas.errors import UserError
from train.branching.rules import NamedRule, read_rule


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("average", NamedRule("average", "average")),
        ("ties:density=0.5,scale=1", NamedRule("ties-density0.5-scale1", "ties", {"density": 0.5, "scale": 1.0})),
        ("average:tune", NamedRule("average-tune", "average", {"tune": True})),
        ("average:weights=2/1/1", NamedRule("average-weights2_1_1", "average", {"weights": (2.0, 1.0, 1.0)})),
        ("dare:then=ties,seed=4", NamedRule("dare-thenties-seed4", "dare", {"then": "ties", "seed": 4})),
        ("soup", NamedRule("soup", "soup")),
        ("fisher", NamedRule("fisher", "fisher")),
    ],
)
def test_what_a_name_says(text: str, found: NamedRule) -> None:
    assert read_rule(text, 3) == found


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("tie", "tie is no rule: did you mean ties"),
        ("zzz", "zzz is no rule: take some of average, "),
        ("ties:t=1", "t=1 is no setting of ties, which takes density, scale, weights, tune"),
        ("regmean:density=1", "density=1 is no setting of regmean, which takes none"),
        ("ties:density=x", "density = x is no number"),
        ("ties:density=", "density= is no setting"),
        ("ties:density=7", "density 7"),
        ("average:weights=1/2", "--rules average:weights=1/2: "),
        ("slerp", "slerp goes between two parents, not 3"),
        ("fisher:weights=1/2", "--rules fisher:weights=1/2: 2 weights for 3 parents"),
        ("fisher:tune", "rule fisher has no weights that can be tuned"),
        ("average:tune,weights=1/2/1", "tune finds the weights"),
        ("task-arithmetic:scale=1e9", "scale 1e+09 is out of bounds"),
    ],
)
def test_what_is_no_rule_is_one_line_before_anything_is_trained(text: str, why: str) -> None:
    with pytest.raises(UserError, match="--rules ") as error:
        read_rule(text, 3)
    assert why in str(error.value) and "\n" not in str(error.value)
