"""The chunked cross-entropy against torch's own in float64, with its gradients."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from train.model.cross_entropy import masked_cross_entropy, softmax_in_place, softmax_of_chunk

TOKENS, HIDDEN, VOCABULARY, ROWS = 41, 16, 50, 64


def inputs(dtype: torch.dtype = torch.float32) -> tuple[list[Tensor], Tensor, Tensor]:
    """([hidden, weight, bias], labels with padding among them, token_weight)."""
    generator = torch.Generator().manual_seed(5)
    shapes = (TOKENS, HIDDEN), (ROWS, HIDDEN), (VOCABULARY,)
    tensors = [torch.randn(shape, generator=generator).to(dtype).requires_grad_() for shape in shapes]
    labels = torch.randint(0, VOCABULARY, (TOKENS,), generator=generator)
    labels[::7] = -1
    return tensors, labels, torch.rand(TOKENS, generator=generator)


def oracle(tensors: list[Tensor], labels: Tensor, token_weight: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
    hidden, weight, bias = (tensor.detach().double().requires_grad_() for tensor in tensors)
    logits = hidden @ weight[:VOCABULARY].T + bias
    losses = cross_entropy(logits, labels, ignore_index=-1, reduction="none")
    total = (token_weight.double() * losses).sum()
    return total, losses, list(torch.autograd.grad(total, (hidden, weight, bias)))


@pytest.mark.parametrize("chunk", [1, 8, TOKENS, 1000, None])
def test_it_is_the_cross_entropy_of_torch(chunk: int | None) -> None:
    tensors, labels, token_weight = inputs()
    total, losses, gradients = oracle(tensors, labels, token_weight)
    found, each, _ = masked_cross_entropy(*tensors, labels, token_weight, chunk)
    assert found.item() == pytest.approx(total.item(), rel=1e-6)
    torch.testing.assert_close(each.double(), losses, atol=1e-5, rtol=1e-5)
    for ours, theirs in zip(torch.autograd.grad(found, tensors), gradients, strict=True):
        torch.testing.assert_close(ours.double(), theirs, atol=2e-6, rtol=1e-5)


def test_gradients_are_scaled_by_what_comes_after() -> None:
    tensors, labels, token_weight = inputs()
    loss = masked_cross_entropy(*tensors, labels, token_weight)[0]
    once = torch.autograd.grad(loss, tensors, retain_graph=True)
    thrice = torch.autograd.grad(3 * loss, tensors)
    for one, three in zip(once, thrice, strict=True):
        torch.testing.assert_close(3 * one, three)


def test_padding_has_no_loss_no_gradient_and_no_hit() -> None:
    (hidden, weight, bias), labels, token_weight = inputs()
    loss, losses, correct = masked_cross_entropy(hidden, weight, bias, labels, token_weight, 8)
    loss.backward()
    padding = labels < 0
    assert padding.any() and not losses[padding].any() and not correct[padding].any()
    assert hidden.grad is not None and not hidden.grad[padding].any() and hidden.grad[~padding].any(1).all()
    assert weight.grad is not None and not weight.grad[VOCABULARY:].any()


def test_a_hit_is_above_all_others() -> None:
    hidden, weight = torch.eye(3), torch.tensor([[2.0, 1.0, 1.0], [0.0, 1.0, 3.0], [0.0, 0.0, 2.0]])
    labels = torch.tensor([0, 0, 0])  # the first is the highest, one of two highest, the lowest
    _, _, correct = masked_cross_entropy(hidden, weight, torch.zeros(3), labels)
    assert correct.tolist() == [True, False, False]
    _, _, correct = masked_cross_entropy(hidden, weight, torch.tensor([0.1, 0.0, 0.0]), labels)
    assert correct.tolist() == [True, True, False]


def test_rows_beyond_the_vocabulary_take_no_probability() -> None:
    hidden, weight = torch.ones(1, 2), torch.tensor([[1.0, 0.0], [1.0, 0.0], [50.0, 50.0]])
    _, losses, _ = masked_cross_entropy(hidden, weight, torch.zeros(2), torch.tensor([0]))
    assert losses.item() == pytest.approx(0.6931472)


def test_logits_too_large_for_exp() -> None:
    hidden = torch.tensor([[1000.0, 0.0]], requires_grad=True)
    loss, losses, _ = masked_cross_entropy(hidden, torch.eye(2), torch.zeros(2), torch.tensor([1]))
    loss.backward()
    assert losses.item() == 1000 and hidden.grad is not None and hidden.grad.tolist() == [[1.0, -1.0]]


def test_bfloat16_products_with_float32_masters() -> None:
    """The sum of many losses in bfloat16 would be off by percents."""
    tensors, labels, token_weight = inputs()
    total, _, gradients = oracle(tensors, labels, token_weight)
    hidden, weight, bias = tensors
    found, each, _ = masked_cross_entropy(hidden.bfloat16(), weight, bias, labels, token_weight, 8)
    assert found.dtype == each.dtype == torch.float32
    assert found.item() == pytest.approx(total.item(), rel=5e-3)
    for ours, theirs in zip(torch.autograd.grad(found, tensors), gradients, strict=True):
        assert ours.dtype == torch.float32
        assert (ours.double() - theirs).norm() <= 0.02 * theirs.norm()


def test_nothing_to_guess() -> None:
    (_, weight, bias), _, _ = inputs()
    hidden = torch.empty(0, HIDDEN, requires_grad=True)
    loss, losses, correct = masked_cross_entropy(hidden, weight, bias, torch.empty(0, dtype=torch.long))
    loss.backward()
    assert loss.item() == 0 and len(losses) == len(correct) == 0
    assert weight.grad is not None and not weight.grad.any()


def test_without_gradient_the_numbers_are_the_same() -> None:
    tensors, labels, token_weight = inputs()
    learning = masked_cross_entropy(*tensors, labels, token_weight)
    with torch.no_grad():
        looking = masked_cross_entropy(*tensors, labels, token_weight)
    assert not looking[0].requires_grad
    assert all(torch.equal(one, other) for one, other in zip(learning, looking, strict=True))


def test_a_compiled_caller_gets_the_same_gradients() -> None:
    tensors, labels, token_weight = inputs()

    def loss(hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return masked_cross_entropy(hidden * 2, weight, bias, labels, token_weight, 16)[0] * 0.5

    plain = torch.autograd.grad(loss(*tensors), tensors)
    compiled = torch.autograd.grad(torch.compile(loss, backend="aot_eager")(*tensors), tensors)
    for one, other in zip(plain, compiled, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("learning", [False, True])
def test_what_is_compiled_for_a_gpu_is_one_graph_with_the_same_numbers(learning: bool) -> None:
    tensors, labels, token_weight = inputs()
    logits = (tensors[0] @ tensors[1][:VOCABULARY].T).detach()
    logits[1] = 1.0  # all the same: no hit
    rest = tensors[2].detach() * 0, labels.clamp(min=0), token_weight, learning
    compiled = torch.compile(softmax_of_chunk, backend="aot_eager", fullgraph=True)(logits, *rest)
    plain = softmax_in_place(logits.clone(), *rest)
    for one, other in zip(compiled[: 2 + learning], plain, strict=False):
        torch.testing.assert_close(one, other)
