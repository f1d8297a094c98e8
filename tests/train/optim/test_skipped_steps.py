"""A step whose gradient is not finite leaves no trace; the state goes on in another optimiser; the host never looks."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from schemas.errors import UserError
from train.optim.build import NAMES, build_optimizer
from train.optim.ema import ExponentialMovingAverage
from train.optim.gradients import clip_gradients
from train.optim.optimizer import Optimizer

SETTINGS: dict[str, Any] = {"betas": (0.9, 0.98), "eps": 1e-8, "weight_decay": 0.1}
GO = torch.zeros(())


def make(name: str, seed: int = 0) -> tuple[nn.Module, Optimizer]:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Embedding(7, 6), nn.Linear(6, 5), nn.LayerNorm(5), nn.Linear(5, 6))
    optimizer = build_optimizer(model, name, **SETTINGS)
    optimizer.set_learning_rate(1e-2)
    return model, optimizer


def set_gradients(model: nn.Module, step: int) -> None:
    generator = torch.Generator().manual_seed(step)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)


def bits(model: nn.Module, optimizer: Optimizer, average: ExponentialMovingAverage) -> dict[str, Tensor]:
    tensors = dict(model.named_parameters()) | optimizer.state_tensors() | average.state_tensors()
    return {name: tensor.detach().clone().view(torch.int32) for name, tensor in tensors.items()}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_a_skipped_step_changes_no_bit(name: str, poison: float) -> None:
    model, optimizer = make(name)
    average = ExponentialMovingAverage(model, 0.9)
    for step in range(3):
        set_gradients(model, step)
        optimizer.step(GO)
        average.update(GO)
    before = bits(model, optimizer, average)
    set_gradients(model, 3)
    for parameter in model.parameters():
        assert parameter.grad is not None
        parameter.grad.view(-1)[1] = poison
    _, found_inf = clip_gradients(model.parameters(), 1.0)
    assert found_inf == 1
    for found in (found_inf, found_inf * 2):
        optimizer.step(found)
        average.update(found)
        after = bits(model, optimizer, average)
        assert [key for key in before if not torch.equal(before[key], after[key])] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_run_with_a_skipped_step_goes_on_as_one_without(name: str) -> None:
    (model, optimizer), (other, reference) = make(name), make(name)
    for step in range(5):
        set_gradients(model, step)
        set_gradients(other, step)
        optimizer.step(torch.tensor(float(step == 2)))
        if step != 2:
            reference.step(GO)
    for mine, expected in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, expected)


@pytest.mark.parametrize("name", NAMES)
def test_state_goes_on_in_another_optimiser(name: str) -> None:
    (model, optimizer), (other, taker) = make(name), make(name, seed=9)
    for step in range(3):
        set_gradients(model, step)
        optimizer.step(GO)
    other.load_state_dict(model.state_dict())
    taker.load_state_tensors({key: value.clone() for key, value in optimizer.state_tensors("cpu").items()})
    for step in range(3, 6):
        for net, steps in ((model, optimizer), (other, taker)):
            set_gradients(net, step)
            steps.step(GO)
    for mine, expected in zip(other.parameters(), model.parameters(), strict=True):
        assert torch.equal(mine, expected)


def test_state_names_are_those_of_the_parameters_without_wrappers() -> None:
    model, _ = make("adamw")
    compiled = torch.compile(model, backend="eager")
    assert isinstance(compiled, nn.Module)
    wrapped = nn.ModuleDict({"module": compiled})
    state = build_optimizer(wrapped, "muon", **SETTINGS).state_tensors()
    adamw = ("0.weight", "1.bias", "2.weight", "2.bias", "3.bias")
    expected = {f"{kind}.{name}" for kind in ("exp_avg", "exp_avg_sq", "step") for name in adamw}
    assert state.keys() == expected | {"momentum.1.weight", "momentum.3.weight"}
    assert state["step.0.weight"].shape == () and state["momentum.3.weight"].shape == (6, 5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("exp_avg.1.weight"), r"lacks exp_avg\.1\.weight: go on with"),
        (lambda s: s.update({"step.x": GO, "step.y": GO}), r"has unknown step\.x and 1 more: go on with"),
        (lambda s: s.update({"step.0.weight": torch.ones(2)}), r"step\.0\.weight .* is \[2\], here it is \[\]"),
    ],
)
def test_state_that_does_not_fit_changes_nothing(change: Any, message: str) -> None:
    model, optimizer = make("adamw")
    set_gradients(model, 0)
    state = {key: value + 1 for key, value in optimizer.state_tensors().items()}
    change(state)
    with pytest.raises(UserError, match=message) as caught:
        optimizer.load_state_tensors(state)
    assert "\n" not in str(caught.value)
    assert not any(value.any() for value in optimizer.state_tensors().values())


def test_settings_are_those_of_the_new_run() -> None:
    (_, optimizer), (model, taker) = make("adamw"), make("adamw")
    taker.set_learning_rate(0.0)
    taker.load_state_tensors(optimizer.state_tensors())
    before = [parameter.detach().clone() for parameter in model.parameters()]
    set_gradients(model, 0)
    taker.step(GO)
    assert all(torch.equal(now, then) for now, then in zip(model.parameters(), before, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_parameters_without_a_gradient_rest(name: str) -> None:
    model, optimizer = make(name)
    set_gradients(model, 0)
    idle = dict(model.named_parameters())["3.weight"]
    idle.grad = None
    before = idle.detach().clone()
    optimizer.step(GO)
    assert torch.equal(idle, before)
    assert not any(value.any() for key, value in optimizer.state_tensors().items() if key.endswith(".3.weight"))


@pytest.mark.parametrize("name", NAMES)
def test_the_host_never_reads_a_tensor(name: str) -> None:
    """Fake tensors have no values: whatever asks for one, as a wait for the device would, raises."""
    with FakeTensorMode():
        model, optimizer = make(name)
        average = ExponentialMovingAverage(model, 0.9)
        for parameter in model.parameters():
            parameter.grad = torch.ones(parameter.shape)
        norm, found_inf = clip_gradients(model.parameters(), 1.0)
        optimizer.step(found_inf)
        average.update(found_inf)
        with average.swap():
            pass
        with pytest.raises(DataDependentOutputException):
            norm.item()
