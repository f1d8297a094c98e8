"""How much a masked model's answers hang on each of its weights: the diagonal of its Fisher information."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from train.fusing.hidden_texts import HiddenText, packed
from train.model.heads import MaskedLanguageModel


def fisher_diagonals(
    model: MaskedLanguageModel,
    texts: Sequence[HiddenText],
    *,
    empirical: bool = False,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Tensor]:
    """Of each parameter, float32, of its shape, on the CPU: F = sum over sequences of (d/dtheta sum_j log p(y_j))^2,
    over the number of all hidden tokens j.

    Matena and Raffel 2022 (arXiv 2111.09832), section 3.1, equation 4, with one draw a sequence in place of the
    expectation over labels: y_j is drawn from the model itself. The gradients of tokens that are drawn apart have the
    mean 0, so the square of their sum has the mean of the sum of their squares, and F is an unbiased estimate of the
    mean a token. empirical: y_j is what stood there; cheaper to explain, but another matrix (Kunstner et al. 2019,
    arXiv 1905.12558), and the tokens of a sequence do not fall apart. Draws hang on the texts' keys alone. Languages
    are not told. Memory: three times the model's. progress is told of tokens. ValueError where nothing is hidden.
    """
    named = dict(model.named_parameters())
    sums = {name: torch.zeros_like(value) for name, value in named.items()}
    hidden = 0
    for text in texts:
        if len(text.labels):
            hidden += len(text.labels)
            batch = packed(model, [text])
            logs = log_softmax(model(batch.input_ids, batch.positions, batch.layout, batch.targets).float(), dim=-1)
            labels = batch.labels if empirical else _drawn(logs.detach(), text.key)
            loss = logs.gather(1, labels[:, None]).sum()
            for name, gradient in zip(
                named, torch.autograd.grad(loss, [*named.values()], allow_unused=True), strict=True
            ):
                if gradient is not None:
                    sums[name].addcmul_(gradient, gradient)
        if progress:
            progress(len(text.input_ids))
    if not hidden:
        raise ValueError("no token is hidden")
    return {name: one.div_(hidden).cpu() for name, one in sums.items()}


def _drawn(logs: Tensor, key: int) -> Tensor:
    """Labels [M] drawn from log probabilities [M, V], by the inverse of their sums, the same on every device."""
    generator = torch.Generator().manual_seed(key >> 1)
    places = torch.rand(len(logs), 1, dtype=torch.float64, generator=generator).to(logs.device)
    sums = logs.double().exp().cumsum(1)
    return torch.searchsorted(sums, places * sums[:, -1:], right=True)[:, 0]
