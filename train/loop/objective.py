"""The masked-language-model loss of one packed batch, and what it says about each language."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from train.data.batches import PackedBatch
from train.model.attention import build_layout

SUMS = ("loss", "correct", "masked")


def masked_loss(
    model: nn.Module, batch: PackedBatch, local_attention: int, languages: int, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """(sum of the cross-entropies in nats, with gradient; float64 [languages, 3], the SUMS of each language).

    `dtype` is the model's compute dtype; the softmax is in float32 always. The caller divides by the number of guesses
    of the whole step, over all batches and processes.
    """
    layout = build_layout(batch.lengths, local_attention, device, dtype)
    arrays = (batch.input_ids, batch.positions, batch.targets, batch.labels, batch.target_language)
    input_ids, positions, targets, labels, language = (
        torch.from_numpy(array).to(device, non_blocking=True) for array in arrays
    )
    logits = model(input_ids, positions, layout, targets)
    losses = cross_entropy(logits.float(), labels, reduction="none")
    with torch.no_grad():
        correct = logits.gather(1, labels[:, None])[:, 0] >= logits.amax(1)  # much faster than argmax on CPU
        values = torch.stack((losses.double(), correct.double(), torch.ones_like(losses, dtype=torch.double)), 1)
        sums = torch.zeros(languages, len(SUMS), dtype=torch.double, device=device).index_add_(0, language, values)
    return losses.sum(), sums
