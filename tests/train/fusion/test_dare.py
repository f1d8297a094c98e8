"""What DARE drops: by how much, of what, and that nothing but its keys decides it."""

import numpy as np
import pytest
import torch
from torch import Tensor

from train.fusion import parts
from train.fusion.dare import Dare

SHAPE = (97, 211)
ORIGIN, MOVE = torch.zeros(SHAPE), torch.full(SHAPE, 0.5)


def kept(rule: Dare, name: str = "x", parents: int = 1) -> Tensor:
    """Where something is left of the last parent's move; the others did not move."""
    given = [ORIGIN] * (parents - 1) + [MOVE]
    return rule.merge(name, given, ORIGIN) != 0


@pytest.mark.parametrize("drop", [0, 0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("then", ["linear", "ties"])
def test_so_many_are_dropped_and_the_rest_made_larger(drop: float, then: str) -> None:
    found = Dare(drop, then, scale=1).merge("x", [MOVE], ORIGIN)  # type: ignore[arg-type]
    left = found[found != 0]
    assert len(left.unique()) == 1 and float(left[0]) == pytest.approx(0.5 / (1 - drop), rel=1e-3)
    share = float((found == 0).float().mean())
    assert abs(share - drop) <= 4 * (drop * (1 - drop) / found.numel()) ** 0.5


def test_the_mean_over_seeds_is_task_arithmetic() -> None:
    random = np.random.default_rng(0)
    origin, one, two = (torch.tensor(random.normal(size=(30, 20))).float() for _ in range(3))
    found = torch.stack([Dare(0.5, seed=seed).merge("x", [one, two], origin) for seed in range(400)])
    expected = origin + 0.4 * (one - origin + two - origin)
    error = (found.mean(0) - expected) / (found.std(0) / 400**0.5 + 1e-9)
    assert abs(float(error.mean())) < 0.2 and 0.85 < float(error.std()) < 1.15  # standard errors


def test_what_is_dropped_hangs_on_seed_name_and_parent_and_on_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = Dare(0.5, scale=1)
    first = kept(rule)
    kept(rule, "another")
    assert torch.equal(kept(rule), first)
    monkeypatch.setattr(parts, "PART", 64)
    assert torch.equal(kept(rule), first)
    others = kept(rule, "another"), kept(rule, parents=2), kept(Dare(0.5, scale=1, seed=1))
    for other in others:
        assert abs(float((other == first).float().mean()) - 0.5) < 4 * 0.5 / first.numel() ** 0.5


def test_draws_stay_as_they_are() -> None:
    """A merge is the same on every machine and in every release."""
    assert kept(Dare(0.5, scale=1)).reshape(-1)[:16].int().tolist() == [1, 1, 0, 1, 0, 0, 1, 1, 0, 0, 1, 1, 1, 1, 1, 1]


def test_election_follows_the_dropping() -> None:
    """Where both are left, the larger wins; where one is, it does."""
    one, two = torch.full(SHAPE, 0.3), torch.full(SHAPE, -0.1)
    found = Dare(0.5, "ties").merge("x", [one, two], torch.zeros(SHAPE))
    assert {round(value, 3) for value in found.unique().tolist()} == {-0.2, 0.0, 0.6}
