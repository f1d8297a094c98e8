"""Attention among packed sequences: each token sees its own sequence, and in a local layer its neighbourhood.

Two ways to the same numbers. On CUDA in bfloat16 or float16, `varlen_attn` (a Flash Attention kernel) takes the
concatenated sequences as they are. Elsewhere whole sequences are laid side by side in rows as wide as the longest one,
and a block-diagonal mask keeps them apart; that is one fused call a layer, however many sequences there are.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention


@dataclass(frozen=True)
class AttentionLayout:
    """Where the sequences of one packed batch of T tokens lie.

    cu_seqlens: int32 [sequences + 1], the bounds of the sequences, from 0 to T.
    slots: int64 [rows * width], the token in each slot of the rows; a free slot names token 0 and is never read back.
    places: int64 [T], the slot of each token.
    masks: additive [rows, 1, width, width] for the global and the local layers.
    The last three are None where `varlen_attn` does the work.
    """

    cu_seqlens: Tensor
    longest: int
    window: int
    slots: Tensor | None = None
    places: Tensor | None = None
    masks: tuple[Tensor, Tensor] | None = None


def build_layout(
    lengths: NDArray[np.integer], local_attention: int, device: torch.device, dtype: torch.dtype
) -> AttentionLayout:
    """Layout of sequences with these `lengths`, concatenated in this order, for queries of `dtype` on `device`.

    `local_attention` is the whole window in tokens: a token sees local_attention // 2 on either side of it.
    """
    bounds = np.concatenate(([0], np.cumsum(lengths)))
    longest = int(lengths.max(initial=1))
    window = local_attention // 2
    cu_seqlens = torch.from_numpy(bounds.astype(np.int32)).to(device, non_blocking=True)
    if device.type == "cuda" and dtype in (torch.bfloat16, torch.float16):
        return AttentionLayout(cu_seqlens, longest, window)
    row, column = lay_in_rows(lengths, longest)
    rows = int(row.max(initial=0)) + 1
    sequence = np.repeat(np.arange(len(lengths)), lengths)
    offset = np.arange(bounds[-1]) - np.repeat(bounds[:-1], lengths)
    places = row[sequence] * longest + column[sequence] + offset
    slots = np.zeros(rows * longest, np.int64)
    slots[places] = np.arange(len(places))
    # Free slots share owner -1 and so attend to one another: a softmax over nothing would be NaN.
    owner = np.full(rows * longest, -1, np.int64)
    owner[places] = sequence
    owners = torch.from_numpy(owner.reshape(rows, longest)).to(device)
    apart = owners[:, :, None] != owners[:, None, :]
    index = torch.arange(longest, device=device)
    far = (index[:, None] - index[None, :]).abs() > window
    masks = tuple(
        torch.zeros(rows, 1, longest, longest, dtype=dtype, device=device).masked_fill_(hidden[:, None], float("-inf"))
        for hidden in (apart, apart | far)
    )
    return AttentionLayout(
        cu_seqlens,
        longest,
        window,
        torch.from_numpy(slots).to(device),
        torch.from_numpy(places.astype(np.int64)).to(device),
        (masks[0], masks[1]),
    )


def lay_in_rows(lengths: NDArray[np.integer], width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(row, first column) of each sequence: in order, a new row where the next sequence does not fit."""
    rows = np.zeros(len(lengths), np.int64)
    columns = np.zeros(len(lengths), np.int64)
    row = used = 0
    for number, length in enumerate(lengths.tolist()):
        if used + length > width:
            row, used = row + 1, 0
        rows[number], columns[number] = row, used
        used += length
    return rows, columns


def packed_attention(query: Tensor, key: Tensor, value: Tensor, layout: AttentionLayout, local: bool) -> Tensor:
    """Softmax attention of [T, heads, head_dim] tensors, scaled by head_dim ** -0.5; returns the same shape."""
    if not len(query):
        return value
    if layout.slots is None or layout.places is None or layout.masks is None:
        from torch.nn.attention.varlen import varlen_attn

        window = (layout.window, layout.window) if local else (-1, -1)
        bounds, longest = layout.cu_seqlens, layout.longest
        result = varlen_attn(query, key, value, bounds, bounds, longest, longest, window_size=window)
        assert isinstance(result, Tensor)
        return result
    heads, head_dim = query.shape[1:]
    width = layout.longest
    q, k, v = (
        x.index_select(0, layout.slots).view(-1, width, heads, head_dim).transpose(1, 2) for x in (query, key, value)
    )
    result = scaled_dot_product_attention(q, k, v, attn_mask=layout.masks[1 if local else 0])
    return result.transpose(1, 2).reshape(-1, heads, head_dim).index_select(0, layout.places)
