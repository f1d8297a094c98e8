"""Batches on the model's device."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from train.data.batches import FEWEST_TOKENS, PackedBatch
from train.model.attention import build_layout, filled_lengths
from train.objectives.objective import Batch


class DeviceBatches:
    """Puts batches on `device`, for queries of `dtype`. On CUDA shapes are those of the padded batch, and copies are
    from pinned memory, so that nothing waits for them."""

    def __init__(self, device: torch.device, dtype: torch.dtype, local_attention: int, max_seq_len: int) -> None:
        self.device, self.dtype = device, dtype
        self.local_attention, self.max_seq_len = local_attention, max_seq_len

    def __call__(self, batch: PackedBatch) -> Batch:
        if self.device.type == "cuda":
            tokens = len(batch.input_ids)
            # Padding is sequences of its own, so that it costs no attention between it and the texts.
            layout = build_layout(
                filled_lengths(batch.lengths, tokens, self.max_seq_len),
                self.local_attention,
                self.device,
                self.dtype,
                max_sequences=tokens // FEWEST_TOKENS + -(-tokens // self.max_seq_len),
                longest=self.max_seq_len,
            )
        else:
            layout = build_layout(batch.lengths, self.local_attention, self.device, self.dtype)
        arrays = {
            name: {key: self.put(values) for key, values in labels.arrays.items()}
            for name, labels in batch.labels.items()
        }
        parts = {
            name: {
                key: build_layout(part.lengths, part.local_attention, self.device, self.dtype)
                for key, part in labels.parts.items()
            }
            for name, labels in batch.labels.items()
        }
        segments, languages = (
            None if values is None else self.put(values) for values in (batch.segments, batch.languages)
        )
        return Batch(self.put(batch.input_ids), self.put(batch.positions), layout, segments, languages, arrays, parts)

    def put(self, values: NDArray[np.generic]) -> Tensor:
        tensor = torch.from_numpy(values)
        if self.device.type != "cuda":
            return tensor
        return tensor.pin_memory().to(self.device, non_blocking=True)

    def weights(self, by_objective: Mapping[str, NDArray[np.float64]]) -> dict[str, Tensor]:
        """float32 [languages] of each objective."""
        return {name: self.put(values.astype(np.float32)) for name, values in by_objective.items()}
