"""Modules with an optimiser of their own: torch's AdamW at their rate, clipped by themselves, skipped together."""

from typing import Any

import pytest
import torch
from torch import nn

from train.optim.build import NAMES, build_optimizer
from train.optim.gradients import clip_apart, clip_gradients
from train.optim.grouping import group_parameters, parameters_apart

SETTINGS: dict[str, Any] = {"betas": (0.9, 0.98), "eps": 1e-8, "weight_decay": 0.1}
OWN = {"extra.judge": 2.5}
GO = torch.zeros(())


def make() -> nn.ModuleDict:
    torch.manual_seed(1)
    judge = nn.ModuleDict({"dense": nn.Linear(6, 5), "classifier": nn.Linear(5, 3)})
    return nn.ModuleDict({
        "body": nn.Sequential(nn.Embedding(7, 6), nn.Linear(6, 6), nn.LayerNorm(6)),
        "extra": nn.ModuleDict({"judge": judge, "judge2": nn.Linear(6, 2)}),
    })  # fmt: skip


def set_gradients(model: nn.Module, step: int, scale: float = 1.0) -> None:
    generator = torch.Generator().manual_seed(step)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator) * scale


def of_judge(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [(name, p) for name, p in model.named_parameters() if name.startswith("extra.judge.")]


def test_groups_of_their_own() -> None:
    model = make()
    groups = group_parameters(model, 0.1, OWN)
    own = [group for group in groups if group.owner]
    assert [group.names for group in own] == [
        ("extra.judge.dense.weight", "extra.judge.classifier.weight"),
        ("extra.judge.dense.bias", "extra.judge.classifier.bias"),
    ]
    assert [(group.rate, group.hidden, group.weight_decay) for group in own] == [(2.5, False, 0.1), (2.5, False, 0.0)]
    others = [name for group in groups if not group.owner for name in group.names]
    assert "extra.judge2.weight" in others and len(others) == len(list(model.parameters())) - 4
    assert all(group.rate == 1 for group in groups if not group.owner)
    apart = parameters_apart(model, OWN)
    assert [len(part) for part in apart] == [len(others), 4]
    assert [id(p) for p in apart[1]] == [id(p) for _, p in of_judge(model)]
    assert group_parameters(model, 0.1) == group_parameters(model, 0.1, {})


@pytest.mark.parametrize("name", NAMES)
def test_it_is_torchs_adamw_at_its_rate_and_the_others_are_as_without_it(name: str) -> None:
    ours, theirs, without = make(), make(), make()
    optimizer, plain = build_optimizer(ours, name, own=OWN, **SETTINGS), build_optimizer(without, name, **SETTINGS)
    reference = torch.optim.AdamW([
        {"params": [p for n, p in of_judge(theirs) if n.endswith("weight")], "weight_decay": 0.1},
        {"params": [p for n, p in of_judge(theirs) if n.endswith("bias")], "weight_decay": 0.0},
    ], betas=(0.9, 0.98), eps=1e-8)  # fmt: skip
    for step, rate in enumerate((1e-2, 2e-2, 5e-3, 1e-3)):
        for model in (ours, theirs, without):
            set_gradients(model, step)
        for one in (optimizer, plain):
            one.set_learning_rate(rate)
            one.step(GO)
        for group in reference.param_groups:
            group["lr"] = 2.5 * rate
        reference.step()
    for (key, mine), (_, other) in zip(of_judge(ours), of_judge(theirs), strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-6, msg=key)
    for (key, mine), (_, other) in zip(ours.named_parameters(), without.named_parameters(), strict=True):
        assert key.startswith("extra.judge.") or torch.equal(mine, other), key
    assert "exp_avg.extra.judge.dense.weight" in optimizer.state_tensors()
    assert "momentum.extra.judge.dense.weight" not in optimizer.state_tensors()


def test_they_are_clipped_by_themselves() -> None:
    model, other = make(), make()
    set_gradients(model, 0)
    for _, parameter in of_judge(model):
        assert parameter.grad is not None
        parameter.grad *= 1000
    set_gradients(other, 0)
    norm, found_inf = clip_apart(parameters_apart(model, OWN), 0.5)
    body = [p for n, p in other.named_parameters() if not n.startswith("extra.judge.")]
    expected, _ = clip_gradients(body, 0.5)
    assert norm == expected and found_inf == 0
    mine = [p for n, p in model.named_parameters() if not n.startswith("extra.judge.")]
    assert all(torch.equal(a.grad, b.grad) for a, b in zip(mine, body, strict=True))  # type: ignore[arg-type]
    total = torch.stack([p.grad.norm() for _, p in of_judge(model) if p.grad is not None]).norm()
    assert total.item() == pytest.approx(0.5, rel=1e-4)


@pytest.mark.parametrize("place", ["body.1.weight", "extra.judge.dense.weight"])
def test_a_step_that_is_not_finite_in_either_skips_both(place: str) -> None:
    model = make()
    optimizer = build_optimizer(model, "muon", own=OWN, **SETTINGS)
    optimizer.set_learning_rate(1e-2)
    set_gradients(model, 0)
    optimizer.step(GO)
    before = {n: t.detach().clone() for n, t in (dict(model.named_parameters()) | optimizer.state_tensors()).items()}
    set_gradients(model, 1)
    model.get_parameter(place).grad[0, 0] = float("inf")  # type: ignore[index]
    _, found_inf = clip_apart(parameters_apart(model, OWN), 1.0)
    assert found_inf == 1
    optimizer.step(found_inf)
    after = dict(model.named_parameters()) | optimizer.state_tensors()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_a_module_without_gradients_is_passed_over() -> None:
    model = make()
    set_gradients(model, 0)
    for _, parameter in of_judge(model):
        parameter.grad = None
    _, found_inf = clip_apart(parameters_apart(model, OWN), 1.0)
    assert found_inf == 0
