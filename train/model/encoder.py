"""The ModernBERT encoder (Warner et al. 2024, arXiv 2412.13663) over packed sequences.

Rotary positions, LayerNorm before each block and without bias, GeGLU, and local attention in all but every n-th layer.
Parameters carry the names of transformers' `ModernBertModel`, so that a state dict is a checkpoint as it stands.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from train.model.attention import AttentionLayout, packed_attention
from train.model.feed_forward import gated_feed_forward
from train.model.layers import LayerNorm, Linear, language_table
from train.model.rotary import rotary_table
from train.model.shape import EncoderShape


@dataclass(frozen=True)
class EncoderConfig(EncoderShape):
    """Shape of the encoder; names and meanings are those of transformers' `ModernBertConfig`.

    Raises UserError where the sizes do not fit together.
    """

    hidden_size: int = 384
    intermediate_size: int = 1152
    num_hidden_layers: int = 6
    num_attention_heads: int = 6
    max_position_embeddings: int = 1024
    norm_eps: float = 1e-5
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


class Embeddings(nn.Module):
    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.tok_embeddings = nn.Embedding(config.padded_vocab_size, config.hidden_size)
        self.language_embeddings = language_table(config)
        self.norm = LayerNorm(config)

    def forward(self, input_ids: Tensor, languages: Tensor | None, dtype: torch.dtype) -> Tensor:
        """There is no row of a segment: the separator between them tells."""
        tokens = self.tok_embeddings(input_ids)
        if self.language_embeddings is not None:
            rows = self.language_embeddings
            tokens = tokens + (rows.weight[0] if languages is None else rows(languages))
        return self.norm(tokens.to(dtype))


class Attention(nn.Module):
    def __init__(self, config: EncoderConfig, layer: int) -> None:
        super().__init__()
        self.heads = config.num_attention_heads
        self.local = config.is_local(layer)
        self.Wqkv = Linear(config.hidden_size, 3 * config.hidden_size)
        self.Wo = Linear(config.hidden_size, config.hidden_size)

    def forward(self, hidden: Tensor, rotary: Tensor, layout: AttentionLayout, targets: Tensor | None) -> Tensor:
        attended = packed_attention(self.Wqkv(hidden), self.heads, rotary, layout, self.local)
        return self.Wo(attended if targets is None else attended.index_select(0, targets))


class GeGLU(nn.Module):
    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.Wi = Linear(config.hidden_size, 2 * config.intermediate_size)
        self.Wo = Linear(config.intermediate_size, config.hidden_size)

    def forward(self, hidden: Tensor) -> Tensor:
        return gated_feed_forward(hidden, self.Wi.weight.to(hidden.dtype), self.Wo.weight.to(hidden.dtype))


class Layer(nn.Module):
    def __init__(self, config: EncoderConfig, layer: int) -> None:
        super().__init__()
        # The embeddings end in a norm, so that the first block needs none.
        self.attn_norm: nn.Module = LayerNorm(config) if layer else nn.Identity()
        self.attn = Attention(config, layer)
        self.mlp_norm = LayerNorm(config)
        self.mlp = GeGLU(config)

    def forward(
        self, hidden: Tensor, rotary: Tensor, layout: AttentionLayout, targets: Tensor | None = None
    ) -> Tensor:  # fmt: skip
        """All tokens attend; what comes after is for the tokens `targets` alone where they are given."""
        attended = self.attn(self.attn_norm(hidden), rotary, layout, targets)
        hidden = (hidden if targets is None else hidden.index_select(0, targets)) + attended
        return hidden + self.mlp(self.mlp_norm(hidden))

    def queries_keys_values(self, hidden: Tensor) -> Tensor:
        """Of the layer's input, [T, hidden_size] to [T, 3 * hidden_size]: normed as the layer does, heads side by side,
        queries and keys not yet turned by their positions."""
        found: Tensor = self.attn.Wqkv(self.attn_norm(hidden))
        return found


class Encoder(nn.Module):
    """Token ids to contextual vectors of dtype `compute_dtype`.

    Parameters stay in float32, and are cast where they are used; the residual stream, the products and what is kept for
    the backward pass are of `compute_dtype`, without autocast. With `activation_checkpointing` a layer keeps its input
    alone and computes the rest again in the backward pass (Chen et al. 2016, arXiv 1604.06174).
    """

    rotary_global: Tensor
    rotary_local: Tensor

    def __init__(
        self,
        config: EncoderConfig,
        compute_dtype: torch.dtype = torch.float32,
        activation_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.config, self.compute_dtype = config, compute_dtype
        self.activation_checkpointing = activation_checkpointing
        self.embeddings = Embeddings(config)
        self.layers = nn.ModuleList(Layer(config, layer) for layer in range(config.num_hidden_layers))
        self.final_norm = LayerNorm(config)
        for name, theta in (("rotary_global", config.global_rope_theta), ("rotary_local", config.local_rope_theta)):
            table = rotary_table(theta, config.max_position_embeddings, config.head_dim)
            self.register_buffer(name, table, persistent=False)
        initialize(self, config)

    @property
    def token_embeddings(self) -> Tensor:
        """[padded vocabulary, hidden_size]."""
        return self.embeddings.tok_embeddings.weight

    def forward(
        self,
        input_ids: Tensor,
        positions: Tensor,
        layout: AttentionLayout,
        targets: Tensor | None = None,
        *,
        segments: Tensor | None = None,
        languages: Tensor | None = None,
        layer_inputs: dict[int, Tensor | None] | None = None,
    ) -> Tensor:
        """input_ids and positions [T], packed as `layout` says, to [T, hidden_size].

        targets: int64 [M], the only places that are asked for, to [M, hidden_size]; the last layer then does for them
        alone what each token does for itself. segments: int64 [T], of no effect here. languages: int64 [T], rows of the
        language embedding, 0 where a language is not told; None: none is. layer_inputs: its keys are layers, whose
        inputs, [T, hidden_size], become its values.
        """
        hidden = self.embeddings(input_ids, languages, self.compute_dtype)
        # In float32, in which they are applied: next to queries and keys of all heads they are small.
        rotary = (self.rotary_global[:, positions], self.rotary_local[:, positions])
        for layer, block in enumerate(self.layers):
            asked = targets if layer == len(self.layers) - 1 else None
            if layer_inputs is not None and layer in layer_inputs:
                layer_inputs[layer] = hidden
            arguments = hidden, rotary[self.config.is_local(layer)], layout, asked
            if self.activation_checkpointing and torch.is_grad_enabled():
                hidden = checkpoint(block, *arguments, use_reentrant=False, preserve_rng_state=False)
            else:
                hidden = block(*arguments)
        return self.final_norm(hidden)


@torch.no_grad()
def initialize(module: nn.Module, config: EncoderShape) -> None:
    """Truncated normal matrices and no biases, as ModernBERT and BERT start; draws from torch's default generator.

    The language embedding stays at zero.
    """
    for name, parameter in module.named_parameters():
        if "language_embeddings" in name:
            continue
        if parameter.ndim == 2:
            std = config.std(out=name.endswith(("Wo.weight", "dense.weight")))
            bound = config.initializer_cutoff_factor * std
            nn.init.trunc_normal_(parameter, 0.0, std, -bound, bound)
        elif name.endswith("bias"):
            parameter.zero_()
