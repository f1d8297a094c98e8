"""How an arm's steps are divided: nothing is lost, and no run is empty."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UserError
from train.branching.budget import Budget, divided


def test_by_hand() -> None:
    """Of 100 steps 40 are the seed's, 20 the decay's; 40 are 13 for each of three branches, and one more of decay."""
    found = divided(100, 3, 0.4, 0.2, 0.05, 0.1)
    assert found == Budget(total=100, seed=40, branch=13, decay=21, warmup=5, rewarmup=0.1)
    assert [found.again(steps) for steps in (13, 21, 2, 1)] == [1, 2, 1, 0]
    assert divided(100, 3, 0.4, 0.2, 0.9, 0).warmup == 40  # no more than the seed has
    assert divided(100, 3, 0.4, 0.2, 0.9, 0).again(13) == 0


@given(st.integers(1, 10_000), st.integers(2, 6), st.floats(0.01, 0.9), st.floats(0.01, 0.9))
def test_parts_add_up_to_the_whole(total: int, branches: int, seed: float, decay: float) -> None:
    try:
        found = divided(total, branches, seed, decay, 0.02, 0.1)
    except UserError:
        assert seed + decay >= 1 or (total - round(total * seed) - round(total * decay)) < branches or total < 60
        return
    assert found.seed + branches * found.branch + found.decay == total
    assert min(found.seed, found.branch, found.decay) >= 1 and found.warmup <= found.seed


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ((5, 3, 0.4, 0.2, 0.1, 0.1), "5 steps are too few for a seed, 3 branches and a decay: give more --tokens"),
        ((100, 3, 0.8, 0.2, 0.1, 0.1), "--seed-share 0.8 and --decay-share 0.2 leave nothing to the branches"),
        ((100, 3, 0, 0.2, 0.1, 0.1), "--seed-share 0: give a number above 0 and below 1"),
        ((100, 3, 0.4, float("nan"), 0.1, 0.1), "--decay-share nan: give a number above 0"),
        ((100, 3, 0.4, 0.2, 0.1, 1), "--rewarmup 1: give a number from 0 up, below 1"),
    ],
)
def test_what_cannot_be_divided_is_one_line(values: tuple[float, ...], why: str) -> None:
    with pytest.raises(UserError, match=why) as error:
        divided(*values)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)
