"""Attention by tiles: neighbouring queries against the neighbouring keys that they may see, one kernel call each.

A tile is a sequence, or some queries of it in a local layer, so that hardly a pair is computed in vain, and nothing is
copied or padded; only short sequences share one, since a call has its price.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import scaled_dot_product_attention

from train.model.rotary import rotate, rotate_

SHARED = 64  # tokens of a tile of several sequences
QUERIES = 128  # of a tile of a local layer
TILE_KERNELS_ON = "cpu"

flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
flash_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


class Tile(NamedTuple):
    """Tokens as slices of the batch. mask: additive [queries, keys]; None where each query sees all keys."""

    queries: slice
    keys: slice
    mask: Tensor | None


def global_tiles(lengths: NDArray[np.integer], device: torch.device, dtype: torch.dtype) -> list[Tile]:
    tiles = []
    for start, sequences in _groups(lengths):
        part = slice(start, start + sum(sequences))
        mask = _mask(sequences, part.stop, device, dtype) if len(sequences) > 1 else None
        tiles.append(Tile(part, part, mask))
    return tiles


def local_tiles(lengths: NDArray[np.integer], window: int, device: torch.device, dtype: torch.dtype) -> list[Tile]:
    """`window`: how far apart a query and a key may be."""
    tiles = []
    index = torch.arange(QUERIES + 2 * window, device=device)
    far = (index[:QUERIES, None] + window - index).abs() > window
    band = torch.zeros(far.shape, dtype=dtype, device=device).masked_fill_(far, float("-inf"))
    for start, sequences in _groups(lengths):
        stop = start + sum(sequences)
        if len(sequences) > 1:
            part = slice(start, stop)
            tiles.append(Tile(part, part, _mask(sequences, window, device, dtype)))
            continue
        for first in range(start, stop, QUERIES):
            queries = slice(first, min(first + QUERIES, stop))
            keys = slice(max(start, first - window), min(stop, queries.stop + window))
            # Column 0 of the band is the key `window` before the first query.
            skipped = keys.start - first + window
            mask = band[: queries.stop - first, skipped : skipped + keys.stop - keys.start]
            tiles.append(Tile(queries, keys, None if stop - start <= window + 1 else mask))
    return tiles


def _groups(lengths: NDArray[np.integer]) -> list[tuple[int, list[int]]]:
    """(first token, lengths) of neighbouring sequences that share a tile."""
    groups: list[tuple[int, list[int]]] = []
    start = used = 0
    for length in lengths.tolist():
        if groups and used + length <= SHARED:
            groups[-1][1].append(length)
            used += length
        else:
            groups.append((start, [length]))
            used = length
        start += length
    return groups


def _mask(sequences: list[int], window: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    owner, index = np.repeat(np.arange(len(sequences)), sequences), np.arange(sum(sequences))
    hidden = (owner[:, None] != owner) | (np.abs(index[:, None] - index) > window)
    return torch.from_numpy(np.where(hidden, -np.inf, 0.0)).to(device, dtype)


def tiled_attention(qkv: Tensor, heads: int, rotary: Tensor | None, tiles: list[Tile]) -> Tensor:
    """What `packed_attention` promises; on CPU by kernels of torch for it, whose many calls autograd does not see."""
    if qkv.device.type == TILE_KERNELS_ON:
        return _TiledAttention.apply(qkv, heads, rotary, tiles)[0].flatten(1)
    split = qkv.view(len(qkv), 3, heads, qkv.shape[1] // (3 * heads))
    query, key = (split[:, :2] if rotary is None else rotate(split[:, :2], rotary)).unbind(1)
    parts = [split[:0, 2]]
    for queries, keys, mask in tiles:
        q, k, v = (x.transpose(0, 1) for x in (query[queries], key[keys], split[keys, 2]))
        parts.append(scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(0, 1))
    return torch.cat(parts).flatten(1)


class _TiledAttention(torch.autograd.Function):
    """qkv [T, 3 * heads * head_dim] is overwritten with its turned self, of which the gradient needs no copy."""

    @staticmethod
    def forward(ctx: Any, qkv: Tensor, heads: int, rotary: Tensor | None, tiles: list[Tile]) -> tuple[Tensor, Tensor]:
        split = qkv.view(len(qkv), 3, heads, qkv.shape[1] // (3 * heads))
        if rotary is not None:
            rotate_(split[:, :2], rotary)
        query, key, value = _by_head(split)
        result = qkv.new_empty(len(qkv), heads, split.shape[3])
        sums = []
        for tile in tiles:
            q, k, v = query[..., tile.queries, :], key[..., tile.keys, :], value[..., tile.keys, :]
            part, sum_of_powers = flash(q, k, v, 0.0, False, attn_mask=_wide(tile.mask))
            result[tile.queries] = part[0].transpose(0, 1)
            sums.append(sum_of_powers)
        ctx.mark_dirty(qkv)
        ctx.set_materialize_grads(False)
        ctx.heads, ctx.tiles = heads, tiles
        ctx.save_for_backward(qkv, rotary, result, *sums)
        return result, qkv

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, _: Any) -> tuple[Tensor | None, ...]:
        qkv, rotary, result, *sums = ctx.saved_tensors
        found = torch.empty_like(qkv)
        split = found.view(len(qkv), 3, ctx.heads, result.shape[2])
        split[:, 1:] = 0  # keys are in more than one tile
        query, key, value = _by_head(qkv.view(split.shape))
        d_query, d_key, d_value = _by_head(split)
        gradient, result = gradient.transpose(0, 1)[None], result.transpose(0, 1)[None]
        for tile, sum_of_powers in zip(ctx.tiles, sums, strict=True):
            q, k, v = query[..., tile.queries, :], key[..., tile.keys, :], value[..., tile.keys, :]
            given = gradient[..., tile.queries, :], q, k, v, result[..., tile.queries, :], sum_of_powers
            parts = flash_backward(*given, 0.0, False, attn_mask=_wide(tile.mask))
            d_query[..., tile.queries, :] = parts[0]
            d_key[..., tile.keys, :] += parts[1]
            d_value[..., tile.keys, :] += parts[2]
        if rotary is not None:
            rotate_(split[:, :2], rotary, back=True)
        return found, None, None, None


def _by_head(split: Tensor) -> tuple[Tensor, ...]:
    """Views [1, heads, T, head_dim] of queries, keys and values, as the kernels take them."""
    return split.permute(1, 2, 0, 3)[:, None].unbind(0)


def _wide(mask: Tensor | None) -> Tensor | None:
    return None if mask is None else mask[None, None]
