"""Token ids of texts in padded batches: texts of like length together, no more tokens than a batch may have."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Encoded = dict[str, list[list[int]]]
"""By the tokenizer's names (input_ids, attention_mask, token_type_ids), a list a sequence."""


@dataclass(frozen=True)
class PaddedBatch:
    """rows: int64 [B], the numbers of the sequences. inputs: int64 [B, longest] each, by the model's names."""

    rows: NDArray[np.int64]
    inputs: dict[str, torch.Tensor]


def padded_batches(
    encoded: Encoded, tokenizer: Any, batch_tokens: int, *, keep_order: bool = False
) -> Iterator[PaddedBatch]:
    """batch_tokens: of a batch, padding included. Longest first, so that memory that is enough for the first batch
    is enough for all. keep_order: as they come."""
    lengths = np.array([len(ids) for ids in encoded["input_ids"]], np.int64)
    order = np.arange(len(lengths)) if keep_order else np.argsort(-lengths, kind="stable")
    for rows in _groups(order, lengths, batch_tokens):
        yield PaddedBatch(rows, pad_rows(encoded, rows.tolist(), tokenizer))


def pad_rows(encoded: Encoded, rows: Sequence[int], tokenizer: Any) -> dict[str, torch.Tensor]:
    """The sequences with these numbers, filled up to the longest of them on the right."""
    longest = max(len(encoded["input_ids"][row]) for row in rows)
    filling = {"input_ids": tokenizer.pad_token_id or 0, "token_type_ids": tokenizer.pad_token_type_id}
    found = {}
    for name, lists in encoded.items():
        array = np.full((len(rows), longest), filling.get(name, 0), np.int64)
        for place, row in enumerate(rows):
            array[place, : len(lists[row])] = lists[row]
        found[name] = torch.from_numpy(array)
    return found


def _groups(order: NDArray[np.int64], lengths: NDArray[np.int64], room: int) -> Iterator[NDArray[np.int64]]:
    first, longest = 0, 0
    for place, row in enumerate(order.tolist()):
        longest = max(longest, int(lengths[row]))
        if place > first and longest * (place - first + 1) > room:
            yield order[first:place]
            first, longest = place, int(lengths[row])
    if first < len(order):
        yield order[first:]
