"""Each update rule against an independent one: torch's own AdamW and Muon, StableAdamW in NumPy, the SVD."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from schemas.errors import UserError
from train.optim.build import build_optimizer
from train.optim.muon import orthogonalise
from train.optim.optimizer import Optimizer

SETTINGS: dict[str, Any] = {"betas": (0.9, 0.98), "eps": 1e-8, "weight_decay": 0.1}
RATES = (1e-2, 2e-2, 5e-3, 1e-2, 1e-3, 1e-2)
GO = torch.zeros(())


class Block(nn.Module):
    """A norm and matrices that are wide, tall and several in one."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(8)
        self.wide = nn.Linear(16, 8, bias=False)
        self.tall = nn.Linear(8, 24)
        self.Wqkv = nn.Linear(8, 24, bias=False)


def models() -> tuple[Block, Block]:
    torch.manual_seed(3)
    ours, theirs = Block(), Block()
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def set_gradients(model: nn.Module, step: int) -> None:
    """The same at each call; every third step is ten times as large, so that StableAdamW has work to do."""
    generator = torch.Generator().manual_seed(step)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator) * (10.0 if step % 3 == 2 else 1.0)


def run(optimizer: Optimizer, model: nn.Module) -> None:
    for step, rate in enumerate(RATES):
        set_gradients(model, step)
        optimizer.set_learning_rate(rate)
        optimizer.step(GO)


def assert_alike(ours: nn.Module, theirs: nn.Module, tolerance: float) -> None:
    for (name, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert (mine - other).abs().max() <= tolerance, name


def test_adamw_is_torchs() -> None:
    ours, theirs = models()
    run(build_optimizer(ours, "adamw", **SETTINGS), ours)
    groups = [{"params": [p for p in theirs.parameters() if (p.ndim < 2) == level], "weight_decay": decay}
              for level, decay in ((False, 0.1), (True, 0.0))]  # fmt: skip
    oracle = torch.optim.AdamW(groups, lr=1.0, betas=(0.9, 0.98), eps=1e-8, foreach=False)
    for step, rate in enumerate(RATES):
        set_gradients(theirs, step)
        for group in oracle.param_groups:
            group["lr"] = rate
        oracle.step()
    assert_alike(ours, theirs, 3e-7)


def stable_adamw(weight: np.ndarray, gradients: list[np.ndarray], decay: float) -> np.ndarray:
    """Algorithm 2 of Wortsman et al. 2023, with its corrected betas, in float64."""
    first = second = np.zeros_like(weight)
    for t, (gradient, alpha) in enumerate(zip(gradients, RATES, strict=True), 1):
        beta1 = 0.9 * (1 - 0.9 ** (t - 1)) / (1 - 0.9**t)
        beta2 = 0.98 * (1 - 0.98 ** (t - 1)) / (1 - 0.98**t)
        first = beta1 * first + (1 - beta1) * gradient
        second = beta2 * second + (1 - beta2) * gradient**2
        rms = np.sqrt(np.mean(gradient**2 / np.maximum(second, 1e-8**2)))
        rate = alpha / max(1.0, rms)
        weight = weight - rate * decay * weight - rate * first / (np.sqrt(second) + 1e-8)
    return weight


def test_stable_adamw_is_the_papers() -> None:
    ours, reference = models()
    run(build_optimizer(ours, "stableadamw", **SETTINGS), ours)
    gradients: list[list[np.ndarray]] = []
    for step in range(len(RATES)):
        set_gradients(reference, step)
        gradients.append([p.grad.double().numpy() for p in reference.parameters() if p.grad is not None])
    for number, (mine, start) in enumerate(zip(ours.parameters(), reference.parameters(), strict=True)):
        weight = start.detach().double().numpy()
        expected = stable_adamw(weight, [row[number] for row in gradients], 0.1 if start.ndim == 2 else 0.0)
        np.testing.assert_allclose(mine.detach().numpy(), expected, atol=2e-6)


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon")
def test_muon_is_torchs_for_whole_matrices() -> None:
    ours, theirs = models()
    run(build_optimizer(ours, "muon", blocks={}, dtype=torch.bfloat16, **SETTINGS), ours)
    matrices = [p for p in theirs.parameters() if p.ndim == 2]
    oracle = torch.optim.Muon(matrices, lr=1.0, weight_decay=0.1, momentum=0.95, adjust_lr_fn="match_rms_adamw")
    before = [p.detach().clone() for p in matrices]
    for step, rate in enumerate(RATES):
        set_gradients(theirs, step)
        oracle.param_groups[0]["lr"] = rate
        oracle.step()
    for mine, other, start in zip((p for p in ours.parameters() if p.ndim == 2), matrices, before, strict=True):
        # bfloat16 keeps 8 bits, and the products of the two are not rounded in the same order.
        assert torch.linalg.norm(mine - other) <= 0.01 * torch.linalg.norm(other - start)


def test_muon_leaves_vectors_to_adamw() -> None:
    muon, adamw = models()
    run(build_optimizer(muon, "muon", **SETTINGS), muon)
    run(build_optimizer(adamw, "adamw", **SETTINGS), adamw)
    assert torch.equal(muon.norm.weight, adamw.norm.weight) and torch.equal(muon.tall.bias, adamw.tall.bias)


def test_blocks_of_a_fused_matrix_move_as_matrices_of_their_own() -> None:
    fused, _ = models()
    parts = nn.ParameterList(nn.Parameter(rows.detach().clone()) for rows in fused.Wqkv.weight.chunk(3))
    ours, single = build_optimizer(fused, "muon", **SETTINGS), build_optimizer(parts, "muon", **SETTINGS)
    for step, rate in enumerate(RATES):
        set_gradients(fused, step)
        assert fused.Wqkv.weight.grad is not None
        for part, rows in zip(parts, fused.Wqkv.weight.grad.chunk(3), strict=True):
            part.grad = rows.clone()
        for optimizer in (ours, single):
            optimizer.set_learning_rate(rate)
            optimizer.step(GO)
    assert (fused.Wqkv.weight - torch.cat(list(parts))).abs().max() < 1e-5


@pytest.mark.parametrize("shape", [(1, 12, 12), (3, 8, 20), (2, 20, 8)])
def test_orthogonalise_keeps_singular_vectors_and_evens_values(shape: tuple[int, int, int]) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.double)
    u, _, vh = torch.linalg.svd(matrices, full_matrices=False)
    rotated: Tensor = u.mT @ orthogonalise(matrices) @ vh.mT
    values = rotated.diagonal(dim1=-2, dim2=-1)
    assert (rotated - torch.diag_embed(values)).abs().max() < 1e-10
    assert values.min() > 0.6 and values.max() < 1.25


def test_orthogonalise_leaves_zero() -> None:
    assert not orthogonalise(torch.zeros(2, 4, 6)).any()


def test_update_of_muon_is_as_large_as_one_of_adamw() -> None:
    """About 0.2 of the learning rate, root mean square, whatever the shape (Liu et al. 2025)."""
    ours, start = models()
    optimizer = build_optimizer(ours, "muon", betas=(0.9, 0.98), eps=1e-8, weight_decay=0.0)
    set_gradients(ours, 0)
    optimizer.set_learning_rate(1.0)
    optimizer.step(GO)
    for mine, before in zip(ours.parameters(), start.parameters(), strict=True):
        if mine.ndim == 2:
            assert 0.15 < (mine - before).square().mean().sqrt() < 0.25


def test_an_unknown_name_names_the_known_ones() -> None:
    with pytest.raises(UserError, match="optimizer = lion is not known: choose one of adamw, stableadamw, muon"):
        build_optimizer(Block(), "lion", **SETTINGS)
