"""The weight average by hand, and what a model has inside and behind `swap`."""

import pytest
import torch
from torch import nn

from schemas.errors import UserError
from train.optim.ema import ExponentialMovingAverage


def line(value: float) -> nn.Linear:
    model = nn.Linear(1, 1)
    set_weights(model, value)
    return model


def set_weights(model: nn.Module, value: float) -> None:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(value)


def test_by_hand() -> None:
    model = line(1.0)
    average = ExponentialMovingAverage(model, 0.2)
    expected = 1.0
    # (1 + t) / (10 + t) for t = 0, 1, 2 is 0.1, 2 / 11, 0.25; the decay of 0.2 bounds it from the third on.
    for weight, decay in ((2.0, 0.1), (5.0, 2 / 11), (-1.0, 0.2), (3.0, 0.2)):
        set_weights(model, weight)
        average.update(torch.zeros(()))
        expected = decay * expected + (1 - decay) * weight
        set_weights(model, 99.0)
        average.update(torch.ones(()))
        with average.swap():
            assert model.weight.item() == pytest.approx(expected, rel=1e-6)
            assert model.bias.item() == pytest.approx(expected, rel=1e-6)
        assert model.weight.item() == 99.0
    assert average.state_tensors()["updates"].item() == 4


def test_an_exception_inside_swap_gives_the_weights_back() -> None:
    model = line(1.0)
    average = ExponentialMovingAverage(model, 0.2)
    set_weights(model, 3.0)
    with pytest.raises(KeyError), average.swap():
        raise KeyError
    assert model.weight.item() == 3.0 and average.state_tensors()["average.weight"].item() == 1.0


def test_state_goes_on_elsewhere() -> None:
    model, other = line(1.0), line(7.0)
    first, second = ExponentialMovingAverage(model, 0.9), ExponentialMovingAverage(other, 0.9)
    set_weights(model, 2.0)
    first.update(torch.zeros(()))
    state = {name: tensor.clone() for name, tensor in first.state_tensors().items()}
    assert state.keys() == {"average.weight", "average.bias", "updates"}
    second.load_state_tensors(state)
    set_weights(other, 2.0)
    for average in (first, second):
        average.update(torch.zeros(()))
    assert torch.equal(first.state_tensors()["average.weight"], second.state_tensors()["average.weight"])
    with pytest.raises(UserError, match="state of the weight average lacks updates"):
        second.load_state_tensors({name: tensor for name, tensor in state.items() if name != "updates"})
