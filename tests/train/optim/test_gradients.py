"""Clipping against torch's, and the marks of a norm that is not finite."""

import pytest
import torch
from torch import nn

from train.optim.gradients import clip_gradients


def parameters(dtype: torch.dtype = torch.float32, scale: float = 1.0) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(5)
    result = [nn.Parameter(torch.zeros(shape, dtype=dtype)) for shape in ((3, 4), (7,), (5,))]
    for parameter in result[:2]:
        parameter.grad = (torch.randn(parameter.shape, generator=generator) * scale).to(dtype)
    return result


@pytest.mark.parametrize("max_norm", [0.5, 100.0, float("inf")])
def test_clips_as_torch_does(max_norm: float) -> None:
    ours, theirs = parameters(), parameters()
    norm, found_inf = clip_gradients(ours, max_norm)
    assert norm.item() == pytest.approx(nn.utils.clip_grad_norm_(theirs, max_norm).item(), rel=1e-6)
    assert found_inf.item() == 0 and found_inf.shape == () and found_inf.dtype == torch.float32
    for mine, other in zip(ours, theirs, strict=True):
        assert (mine.grad is None) == (other.grad is None)
        if mine.grad is not None and other.grad is not None:
            torch.testing.assert_close(mine.grad, other.grad)


def test_norm_of_bfloat16_gradients_is_added_up_in_float32() -> None:
    ours = parameters(torch.bfloat16)
    expected = torch.cat([p.grad.float().flatten() for p in ours if p.grad is not None]).norm()
    norm, _ = clip_gradients(ours, 0.5)
    assert norm.dtype == torch.float32 and norm.item() == pytest.approx(expected.item(), rel=1e-6)
    clipped = torch.cat([p.grad.float().flatten() for p in ours if p.grad is not None]).norm()
    assert clipped.item() == pytest.approx(0.5, rel=1e-2)


@pytest.mark.parametrize("poison", [float("nan"), float("inf"), float("-inf")])
def test_one_bad_element_is_found(poison: float) -> None:
    ours = parameters()
    assert ours[1].grad is not None
    ours[1].grad[3] = poison
    assert clip_gradients(ours, 1.0)[1].item() == 1
