"""Attention among packed sequences: each token sees its own sequence, and in a local layer its neighbourhood.

Two ways to the same numbers. On CUDA in bfloat16 or float16, `varlen_attn` (a Flash Attention kernel) takes the
concatenated sequences as they are. Elsewhere they are cut into the tiles of `train.model.tiles`.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from train.model.rotary import rotate
from train.model.tiles import Tile, global_tiles, local_tiles, tiled_attention

# It loads the compiler, as long as all else of torch, so a build that has no CUDA does without.
if torch.version.cuda is not None:
    from torch.nn.attention.varlen import varlen_attn


@dataclass(frozen=True)
class AttentionLayout:
    """Where the sequences of one packed batch of T tokens lie.

    cu_seqlens: int32 [sequences + 1], the bounds of the sequences, from 0 to T; sequences at the end may be empty.
    longest: no sequence has more tokens. window: tokens on either side that a token of a local layer sees.
    tiles: those of the global and the local layers; None where `varlen_attn` does the work.
    """

    cu_seqlens: Tensor
    longest: int
    window: int
    tiles: tuple[list[Tile], list[Tile]] | None = None


def build_layout(
    lengths: NDArray[np.integer],
    local_attention: int,
    device: torch.device,
    dtype: torch.dtype,
    *,
    max_sequences: int | None = None,
    longest: int | None = None,
) -> AttentionLayout:
    """Layout of sequences with these `lengths`, concatenated in this order, for queries of `dtype` on `device`.

    `local_attention` is the whole window in tokens: a token sees local_attention // 2 on either side of it.
    With `max_sequences` and `longest` the layout of any batch of T tokens has the same shape, as a compiled or captured
    step needs it. ValueError where there are more sequences, or longer ones. On CUDA one copy from pinned memory, which
    nothing waits for.
    """
    most, tokens = int(lengths.max(initial=1)), int(lengths.sum())
    if longest is not None and most > longest:
        raise ValueError(f"a sequence of {most} tokens in a layout of at most {longest}")
    if max_sequences is not None and len(lengths) > max_sequences:
        raise ValueError(f"{len(lengths)} sequences in a layout of at most {max_sequences}")
    bounds = np.full((max_sequences or len(lengths)) + 1, tokens, np.int32)
    bounds[0] = 0
    np.cumsum(lengths, out=bounds[1 : len(lengths) + 1])
    cu_seqlens, window = torch.from_numpy(bounds), local_attention // 2
    if device.type == "cuda":
        cu_seqlens = cu_seqlens.pin_memory().to(device, non_blocking=True)
    tiles = None
    if device.type != "cuda" or dtype not in (torch.bfloat16, torch.float16):
        tiles = global_tiles(lengths, device, dtype), local_tiles(lengths, window, device, dtype)
    return AttentionLayout(cu_seqlens, longest or most, window, tiles)


def filled_lengths(lengths: NDArray[np.integer], tokens: int, longest: int) -> NDArray[np.int64]:
    """`lengths` and those of sequences of padding up to `tokens` in all, none longer than `longest`."""
    padding = tokens - int(lengths.sum())
    if padding < 0:
        raise ValueError(f"{tokens - padding} tokens in a batch of {tokens}")
    return np.concatenate((lengths, np.diff(np.r_[0:padding:longest, padding]))).astype(np.int64)


def packed_attention(qkv: Tensor, heads: int, rotary: Tensor | None, layout: AttentionLayout, local: bool) -> Tensor:
    """Softmax attention, scaled by head_dim ** -0.5, of queries and keys turned by their positions.

    qkv [T, 3 * heads * head_dim]: queries, keys, values; a tensor that nobody else needs, since it may be overwritten.
    rotary [2, T, head_dim / 2], None where positions are in the embeddings. Returns [T, heads * head_dim].
    """
    if layout.tiles is not None:
        return tiled_attention(qkv, heads, rotary, layout.tiles[1 if local else 0])
    split = qkv.view(len(qkv), 3, heads, -1)
    query, key = (split[:, :2] if rotary is None else rotate(split[:, :2], rotary)).unbind(1)
    window = (layout.window, layout.window) if local else (-1, -1)
    bounds, longest = layout.cu_seqlens, layout.longest
    result = varlen_attn(query, key, split[:, 2], bounds, bounds, longest, longest, window_size=window)
    assert isinstance(result, Tensor)
    return result.flatten(1)
