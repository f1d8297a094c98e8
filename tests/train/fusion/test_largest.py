"""The k-th largest difference against a sort, on tensors of which a sample says much, little and nothing true."""

import numpy as np
import pytest
import torch

from train.fusion import largest
from train.fusion.largest import threshold


@pytest.mark.parametrize("share", [1e-4, 0.2, 0.5, 0.999, 1])
@pytest.mark.parametrize("kind", ["normal", "heavy", "equal", "zeros", "periodic", "sorted"])
def test_it_is_that_of_a_sort(share: float, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(largest, "SAMPLE", 512)
    random, count = np.random.default_rng(0), 50_021
    numbers = {
        "normal": random.normal(size=count),
        "heavy": random.standard_cauchy(count),
        "equal": random.integers(-2, 3, count) / 4,
        "zeros": random.normal(size=count) * (random.random(count) < 0.01),
        "periodic": np.where(np.arange(count) % (count // 512 | 1) == 0, 100, random.normal(size=count)),
        "sorted": np.linspace(-1, 1, count),
    }[kind].astype(np.float32)
    tensor, keep = torch.tensor(numbers), max(1, int(share * count))
    expected = np.sort(abs(numbers))[::-1][keep - 1]
    assert threshold(tensor, torch.zeros(count), keep) == expected


def test_a_large_tensor_is_not_searched_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    searched = []
    whole = torch.kthvalue
    monkeypatch.setattr(torch, "kthvalue", lambda found, rank: searched.append(len(found)) or whole(found, rank))
    tensor = torch.randn(1 << 20, generator=torch.Generator().manual_seed(0))
    found = threshold(tensor, torch.zeros_like(tensor), len(tensor) // 5)
    assert int((tensor.abs() >= found).sum()) == len(tensor) // 5
    assert sum(searched) < len(tensor) // 30
