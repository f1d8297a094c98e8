"""Gradient reversal against the negated numerical gradient, the discriminator against NumPy, its schedule by hand."""

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from train.objectives.discriminator import SLOPE, Discriminator, Turning, reverse, told_apart


def test_the_strength_by_hand() -> None:
    """2 / (1 + exp(-10 p)) - 1 is 0 at 0, 0.986614 at a half, tanh(5 p) all along."""
    found = [Turning(1.0, 1, 10)(step) for step in range(11)]
    assert found[0] == 0 and found[5] == pytest.approx(0.9866142981514303, abs=1e-15)
    assert found == pytest.approx(np.tanh(5 * np.arange(11) / 10).tolist(), abs=1e-12)
    assert [Turning(0.1, 1, 10)(step) for step in range(11)] == pytest.approx([0.1 * value for value in found])


def test_the_encoder_is_turned_in_the_last_of_every_few_steps() -> None:
    every, third = Turning(0.5, 1, 12), Turning(0.5, 3, 12)
    found = [third(step) for step in range(12)]
    assert [step for step, value in enumerate(found) if value] == [2, 5, 8, 11]
    assert all(value in (0.0, every(step)) for step, value in enumerate(found))


def features(rows: int = 5, width: int = 4) -> torch.Tensor:
    return torch.randn(rows, width, dtype=torch.double, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("strength", [0.3, torch.tensor(0.3), torch.tensor([0.3]), 0.0])
def test_reversal_is_the_identity_whose_gradient_is_turned(strength: float | torch.Tensor) -> None:
    torch.manual_seed(0)
    discriminator, classes = Discriminator(4, 6, 3).double(), torch.tensor([0, 2, 1, 1, 0])
    inputs = features().requires_grad_()

    def loss(values: torch.Tensor) -> torch.Tensor:
        return told_apart(discriminator, values, classes)[0].sum()

    turned = reverse(inputs, strength)
    assert torch.equal(turned, inputs)
    loss(turned).backward()
    step, numerical = 1e-6, torch.zeros_like(inputs)
    with torch.no_grad():
        for place in np.ndindex(*inputs.shape):
            moved = torch.zeros_like(inputs)
            moved[place] = step
            numerical[place] = (loss(inputs + moved) - loss(inputs - moved)) / (2 * step)
    torch.testing.assert_close(inputs.grad, -float(strength) * numerical, rtol=1e-5, atol=1e-8)
    # What lies behind it, the discriminator, learns as if it were not there.
    own = {name: p.grad.clone() for name, p in discriminator.named_parameters() if p.grad is not None}
    discriminator.zero_grad()
    loss(features()).backward()
    assert all(torch.equal(own[name], p.grad) for name, p in discriminator.named_parameters() if p.grad is not None)
    assert len(own) == 4


def test_gradients_of_the_parts() -> None:
    torch.manual_seed(0)
    discriminator, classes = Discriminator(4, 6, 3).double(), torch.tensor([0, 2, 1, 1, 0])
    weights = [p.detach().clone().requires_grad_() for p in discriminator.parameters()]
    names = [name for name, _ in discriminator.named_parameters()]

    def losses(values: torch.Tensor, *parameters: torch.Tensor) -> torch.Tensor:
        logits = torch.func.functional_call(discriminator, dict(zip(names, parameters, strict=True)), (values,))
        return torch.nn.functional.cross_entropy(logits, classes, reduction="none")

    assert gradcheck(losses, (features().requires_grad_(), *weights))
    # A strength of -1 turns the gradient twice.
    assert gradcheck(lambda values: losses(reverse(values, -1.0), *weights), (features().requires_grad_(),))


def test_losses_and_hits_are_those_of_numpy() -> None:
    torch.manual_seed(0)
    discriminator, classes = Discriminator(4, 6, 3).double(), np.array([0, 2, 1, 1, 0])
    inputs = features()
    losses, hits = told_apart(discriminator, inputs, torch.from_numpy(classes))
    first, bias, second, last = (p.detach().numpy() for p in discriminator.parameters())
    inner = inputs.numpy() @ first.T + bias
    logits = np.where(inner > 0, inner, SLOPE * inner) @ second.T + last
    expected = np.log(np.exp(logits).sum(1)) - logits[np.arange(5), classes]
    np.testing.assert_allclose(losses.detach().numpy(), expected, atol=1e-12)
    assert hits.tolist() == (logits.argmax(1) == classes).tolist()
