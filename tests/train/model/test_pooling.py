"""Vectors of sequences against NumPy's means."""

import numpy as np
import pytest
import torch

from train.model.pooling import pooled

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]


@pytest.mark.parametrize("device", DEVICES)
def test_a_mean_is_that_of_a_sequence_s_tokens(device: str) -> None:
    lengths = [3, 1, 0, 4]
    hidden = torch.randn(8, 5, generator=torch.Generator().manual_seed(0)).bfloat16()
    found = pooled(hidden.to(device), torch.tensor(lengths, device=device)).cpu()
    assert found.dtype == torch.float32
    parts = np.split(hidden.double().numpy(), np.cumsum(lengths)[:-1])
    wanted = [part.mean(0) if len(part) else np.zeros(5) for part in parts]
    np.testing.assert_allclose(found.numpy(), np.stack(wanted), atol=1e-6)


def test_gradients_are_those_of_differences() -> None:
    hidden = torch.randn(6, 3, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda values: pooled(values, torch.tensor([2, 0, 4])), hidden)


def test_vectors_of_first_tokens_stay_as_they_are() -> None:
    hidden = torch.randn(3, 4).bfloat16()
    assert torch.equal(pooled(hidden), hidden.float())
    assert pooled(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64)).shape == (0, 4)
