"""The divergence from a teacher's likeliest tokens and the rest, against NumPy and autograd."""

import numpy as np
import pytest
import torch
from torch import Tensor

from train.model.soft_targets import SoftTargets, soft_divergence, soft_targets

PLACES, WIDTH, SIZE, ROWS = 13, 6, 23, 32


def side(seed: int, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """[hidden, weight, bias] of a model of 30 tokens, of which 23 are the other one's too."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, dtype=dtype) for shape in ((PLACES, WIDTH), (ROWS, WIDTH), (30,))]


def reference(student: list[Tensor], teacher: list[Tensor], top_k: int, temperature: float) -> np.ndarray:
    """[PLACES] by plain softmaxes over all of the vocabulary, whose rest is added up."""
    losses = []
    logits = [(h.numpy().astype(np.float64) @ w[:SIZE].numpy().T + b[:SIZE].numpy()) / temperature
              for h, w, b in (student, teacher)]  # fmt: skip
    for ours, theirs in zip(*logits, strict=True):
        q, p = (np.exp(one - one.max()) / np.exp(one - one.max()).sum() for one in (ours, theirs))
        order = np.argsort(-p)
        top, rest = order[:top_k], order[top_k:]
        classes = [(p[n], q[n]) for n in top] + ([(p[rest].sum(), q[rest].sum())] if len(rest) else [])
        losses.append(temperature**2 * sum(a * np.log(a / b) for a, b in classes))
    return np.array(losses)


@pytest.mark.parametrize("chunk", [1, 5, None])
@pytest.mark.parametrize(("top_k", "temperature"), [(1, 1.0), (4, 2.0), (22, 0.7), (23, 3.0), (500, 1.0)])
def test_it_is_the_sum_over_likeliest_tokens_and_the_rest(top_k: int, temperature: float, chunk: int | None) -> None:
    student, teacher = side(1), side(2)
    weight = torch.linspace(0.1, 1, PLACES)
    targets = soft_targets(*teacher, SIZE, top_k, temperature, chunk)
    total, losses, _ = soft_divergence(*student, SIZE, targets, temperature, weight, chunk)
    expected = reference(student, teacher, top_k, temperature)
    np.testing.assert_allclose(losses.numpy(), expected, rtol=1e-5, atol=1e-5)
    assert total.item() == pytest.approx((expected * weight.numpy()).sum(), rel=1e-5)


def test_all_tokens_are_the_full_divergence_and_fewer_never_more() -> None:
    student, teacher = side(1), side(2)
    logs = [(h @ w[:SIZE].T + b[:SIZE]).log_softmax(1) for h, w, b in (student, teacher)]
    full = torch.nn.functional.kl_div(*logs, reduction="none", log_target=True).sum(1)
    of = {}
    for top_k in (1, 8, SIZE, 1000):
        of[top_k] = soft_divergence(*student, SIZE, soft_targets(*teacher, SIZE, top_k, 1.0), 1.0, torch.ones(PLACES))
    torch.testing.assert_close(of[SIZE][1], full, atol=1e-5, rtol=1e-5)
    assert torch.equal(of[1000][1], of[SIZE][1])
    assert (of[1][1] <= of[8][1] + 1e-6).all() and (of[8][1] <= full + 1e-6).all()


@pytest.mark.parametrize("top_k", [1, 5, SIZE])
def test_gradients(top_k: int) -> None:
    student, teacher = side(1, torch.float64), side(2, torch.float64)
    targets = soft_targets(*teacher, SIZE, top_k, 2.0)
    weight = torch.rand(PLACES, dtype=torch.float64)
    inputs = tuple(one.requires_grad_() for one in student)
    assert torch.autograd.gradcheck(lambda *x: soft_divergence(*x, SIZE, targets, 2.0, weight, 4)[0], inputs)
    soft_divergence(*student, SIZE, targets, 2.0, weight)[0].backward()
    assert student[1].grad is not None and not student[1].grad[SIZE:].any()
    assert student[2].grad is not None and not student[2].grad[SIZE:].any()


def test_a_student_that_is_its_teacher_has_no_loss_and_all_hits() -> None:
    teacher = side(2)
    _, losses, correct = soft_divergence(*teacher, SIZE, soft_targets(*teacher, SIZE, 5, 2.0), 2.0, torch.ones(PLACES))
    assert losses.abs().max() < 1e-6 and correct.all()
    _, _, correct = soft_divergence(*side(1), SIZE, soft_targets(*teacher, SIZE, 5, 2.0), 2.0, torch.ones(PLACES))
    first = [(h @ w[:SIZE].T + b[:SIZE]).argmax(1) for h, w, b in (side(1), teacher)]
    assert correct.tolist() == (first[0] == first[1]).tolist() and not correct.all()


def test_logits_far_apart_stay_finite() -> None:
    """A teacher that is sure of one token, a student that is sure of another: the rest has no more than e^-1000."""
    teacher = [torch.tensor([[1000.0, 0.0, 0.0]]), torch.eye(3), torch.zeros(3)]
    hidden = torch.tensor([[0.0, 1000.0, 0.0]], requires_grad=True)
    for top_k in (1, 2, 3):
        targets = soft_targets(*teacher, 3, top_k, 1.0)
        loss, _, _ = soft_divergence(hidden, torch.eye(3), torch.zeros(3), 3, targets, 1.0, torch.ones(1))
        (gradient,) = torch.autograd.grad(loss, hidden)
        assert loss.item() == pytest.approx(1000) and gradient.tolist() == [[-1.0, 1.0, 0.0]]


def test_nothing_to_compare() -> None:
    student = [one.requires_grad_() for one in side(1)]
    targets = soft_targets(*(one[:0] if n == 0 else one for n, one in enumerate(side(2))), SIZE, 5, 1.0)
    total, losses, _ = soft_divergence(student[0][:0], *student[1:], SIZE, targets, 1.0, torch.ones(0))
    total.backward()
    assert total.item() == 0 and len(losses) == 0 and student[1].grad is not None and not student[1].grad.any()


def test_bfloat16_is_near() -> None:
    student, teacher = ([one.bfloat16() for one in side(n)] for n in (1, 2))
    exact = reference([one.float() for one in student], [one.float() for one in teacher], 4, 2.0)
    targets = soft_targets(*teacher, SIZE, 4, 2.0)
    assert isinstance(targets, SoftTargets) and targets.log_probs.dtype == torch.float32
    _, losses, _ = soft_divergence(*student, SIZE, targets, 2.0, torch.ones(PLACES))
    assert np.abs(losses.numpy() - exact).max() < 0.1
