"""The ModernBERT encoder (Warner et al. 2024, arXiv 2412.13663) over packed sequences.

Rotary positions, LayerNorm before each block and without bias, GeGLU, and local attention in all but every n-th layer.
Parameters carry the names of transformers' `ModernBertModel`, so that a state dict is a checkpoint as it stands.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from train.model.attention import AttentionLayout, packed_attention
from train.model.shape import EncoderShape


@dataclass(frozen=True)
class EncoderConfig(EncoderShape):
    """Shape of the encoder; names and meanings are those of transformers' `ModernBertConfig`.

    Raises UserError where the sizes do not fit together.
    """

    vocab_size: int
    hidden_size: int = 384
    intermediate_size: int = 1152
    num_hidden_layers: int = 6
    num_attention_heads: int = 6
    max_position_embeddings: int = 1024
    norm_eps: float = 1e-5
    initializer_range: float = 0.02
    initializer_cutoff_factor: float = 2.0
    global_attn_every_n_layers: int = 3
    local_attention: int = 128
    global_rope_theta: float = 160_000.0
    local_rope_theta: float = 10_000.0

    feed_forward_matrices: ClassVar[int] = 3  # one more for the gate
    biases: ClassVar[bool] = False

    @property
    def layout(self) -> str:
        return "modernbert"

    def is_local(self, layer: int) -> bool:
        return layer % self.global_attn_every_n_layers != 0

    def std(self, out: bool = False) -> float:
        """A matrix that writes into the residual stream is scaled by the depth."""
        return self.initializer_range / ((2.0 * self.num_hidden_layers) ** 0.5 if out else 1.0)


def rotary_table(theta: float, length: int, head_dim: int) -> Tensor:
    """[2, length, head_dim / 2]: cosine and sine of each position's angles (Su et al. 2021, arXiv 2104.09864).

    On the CPU always: no checkpoint holds it, so that it must be there in a model that is built without its weights.
    """
    cpu = torch.device("cpu")
    frequency = 1.0 / (theta ** (torch.arange(0, head_dim, 2, dtype=torch.float, device=cpu) / head_dim))
    angle = torch.arange(length, device=cpu).float()[:, None] * frequency
    return torch.stack((angle.cos(), angle.sin()))


def rotate(x: Tensor, rotary: Tensor) -> Tensor:
    """x [T, ..., head_dim] turned by `rotary` [2, T, head_dim / 2] in float32; elements i and i + head_dim / 2 pair."""
    cosine, sine = rotary.view(2, len(x), *[1] * (x.ndim - 2), rotary.shape[-1])
    low, high = x.float().chunk(2, dim=-1)
    return torch.cat((low * cosine - high * sine, high * cosine + low * sine), dim=-1).to(x.dtype)


class Embeddings(nn.Module):
    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.tok_embeddings = nn.Embedding(config.padded_vocab_size, config.hidden_size)
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.norm_eps, bias=False)

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.norm(self.tok_embeddings(input_ids))


class Attention(nn.Module):
    def __init__(self, config: EncoderConfig, layer: int) -> None:
        super().__init__()
        self.heads, self.head_dim = config.num_attention_heads, config.head_dim
        self.local = config.is_local(layer)
        self.Wqkv = nn.Linear(config.hidden_size, 3 * config.hidden_size, bias=False)
        self.Wo = nn.Linear(config.hidden_size, config.hidden_size, bias=False)

    def forward(self, hidden: Tensor, rotary: Tensor, layout: AttentionLayout) -> Tensor:
        query_key, value = self.Wqkv(hidden).view(-1, 3, self.heads, self.head_dim).split((2, 1), dim=1)
        query, key = rotate(query_key, rotary).unbind(1)
        return self.Wo(packed_attention(query, key, value.squeeze(1), layout, self.local).flatten(1))


class GeGLU(nn.Module):
    """Gated feed-forward block (Shazeer 2020, arXiv 2002.05202)."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.Wi = nn.Linear(config.hidden_size, 2 * config.intermediate_size, bias=False)
        self.Wo = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, hidden: Tensor) -> Tensor:
        value, gate = self.Wi(hidden).chunk(2, dim=-1)
        return self.Wo(gelu(value) * gate)


class Layer(nn.Module):
    def __init__(self, config: EncoderConfig, layer: int) -> None:
        super().__init__()
        # The embeddings end in a norm, so that the first block needs none.
        self.attn_norm: nn.Module = nn.Identity()
        if layer:
            self.attn_norm = nn.LayerNorm(config.hidden_size, eps=config.norm_eps, bias=False)
        self.attn = Attention(config, layer)
        self.mlp_norm = nn.LayerNorm(config.hidden_size, eps=config.norm_eps, bias=False)
        self.mlp = GeGLU(config)

    def forward(self, hidden: Tensor, rotary: Tensor, layout: AttentionLayout) -> Tensor:
        hidden = hidden + self.attn(self.attn_norm(hidden), rotary, layout)
        return hidden + self.mlp(self.mlp_norm(hidden))


class Encoder(nn.Module):
    """Token ids to contextual vectors: input_ids and positions [T], packed as `layout` says, to [T, hidden_size]."""

    rotary_global: Tensor
    rotary_local: Tensor

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = Embeddings(config)
        self.layers = nn.ModuleList(Layer(config, layer) for layer in range(config.num_hidden_layers))
        self.final_norm = nn.LayerNorm(config.hidden_size, eps=config.norm_eps, bias=False)
        for name, theta in (("rotary_global", config.global_rope_theta), ("rotary_local", config.local_rope_theta)):
            table = rotary_table(theta, config.max_position_embeddings, config.head_dim)
            self.register_buffer(name, table, persistent=False)
        initialize(self, config)

    @property
    def token_embeddings(self) -> Tensor:
        """[padded vocabulary, hidden_size]."""
        return self.embeddings.tok_embeddings.weight

    def forward(self, input_ids: Tensor, positions: Tensor, layout: AttentionLayout) -> Tensor:
        hidden = self.embeddings(input_ids)
        rotary = (self.rotary_global[:, positions], self.rotary_local[:, positions])
        for layer, block in enumerate(self.layers):
            hidden = block(hidden, rotary[self.config.is_local(layer)], layout)
        return self.final_norm(hidden)


@torch.no_grad()
def initialize(module: nn.Module, config: EncoderShape) -> None:
    """Truncated normal matrices and no biases, as ModernBERT and BERT start; draws from torch's default generator."""
    for name, parameter in module.named_parameters():
        if parameter.ndim == 2:
            std = config.std(out=name.endswith(("Wo.weight", "dense.weight")))
            bound = config.initializer_cutoff_factor * std
            nn.init.trunc_normal_(parameter, 0.0, std, -bound, bound)
        elif name.endswith("bias"):
            parameter.zero_()
