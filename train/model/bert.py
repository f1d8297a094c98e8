"""The encoder of BERT (Devlin et al. 2019, arXiv 1810.04805) and XLM-RoBERTa (Conneau et al. 2020, arXiv 1911.02116)
over packed sequences.

Learned absolute positions, LayerNorm behind each block, biases, a feed-forward block without gate, and each layer sees
the whole sequence. Parameters carry the names of transformers' `BertModel` and `XLMRobertaModel`, which are the same.
There is no dropout, as in ModernBERT.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu
from torch.utils.checkpoint import checkpoint

from train.model.attention import AttentionLayout, packed_attention
from train.model.encoder import initialize
from train.model.layers import LayerNorm, Linear, language_table
from train.model.shape import EncoderShape


@dataclass(frozen=True)
class BertConfig(EncoderShape):
    """Shape of the encoder; names are those of transformers' `BertConfig`, but for norm_eps, its layer_norm_eps.

    max_position_embeddings counts tokens in both kinds: the rows that XLM-RoBERTa's table keeps for padding are none
    of ours. The shares of dropout are not used here; they pass into exports for those who fine-tune them.

    Raises UserError where the sizes do not fit together.
    """

    hidden_size: int = 768
    intermediate_size: int = 3072
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    max_position_embeddings: int = 512
    norm_eps: float = 1e-12
    type_vocab_size: int = 2
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    kind: Literal["bert", "xlm-roberta"] = "bert"

    feed_forward_matrices: ClassVar[int] = 2
    biases: ClassVar[bool] = True

    @property
    def layout(self) -> str:
        return self.kind


class Embeddings(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(config.padded_vocab_size, config.hidden_size)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, config.hidden_size)
        self.language_embeddings = language_table(config)
        self.LayerNorm = LayerNorm(config)

    def forward(
        self,
        input_ids: Tensor,
        positions: Tensor,
        segments: Tensor | None,
        languages: Tensor | None,
        dtype: torch.dtype,
    ) -> Tensor:
        """Without segments, or with one row of them as in XLM-RoBERTa, all tokens are of the first one."""
        types, rows = self.token_type_embeddings, self.language_embeddings
        kind = types.weight[0] if segments is None or types.num_embeddings == 1 else types(segments)
        if rows is not None:  # added to the segment's, as in an export
            kind = kind + (rows.weight[0] if languages is None else rows(languages))
        hidden = self.word_embeddings(input_ids) + kind + self.position_embeddings(positions)
        return self.LayerNorm(hidden.to(dtype))


class SelfAttention(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.heads = config.num_attention_heads
        self.query, self.key, self.value = (
            Linear(config.hidden_size, config.hidden_size, bias=True) for _ in range(3)
        )  # fmt: skip

    def forward(self, hidden: Tensor, layout: AttentionLayout) -> Tensor:
        return packed_attention(self.queries_keys_values(hidden), self.heads, None, layout, local=False)

    def queries_keys_values(self, hidden: Tensor) -> Tensor:
        return torch.cat([project(hidden) for project in (self.query, self.key, self.value)], dim=1)


class Intermediate(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.dense = Linear(config.hidden_size, config.intermediate_size, bias=True)

    def forward(self, hidden: Tensor) -> Tensor:
        return gelu(self.dense(hidden))


class Output(nn.Module):
    """The end of a block: into the residual stream, and the norm over the sum."""

    def __init__(self, config: BertConfig, width: int) -> None:
        super().__init__()
        self.dense = Linear(width, config.hidden_size, bias=True)
        self.LayerNorm = LayerNorm(config)

    def forward(self, inner: Tensor, hidden: Tensor) -> Tensor:
        return self.LayerNorm(self.dense(inner) + hidden)


class Layer(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.attention = nn.ModuleDict({"self": SelfAttention(config), "output": Output(config, config.hidden_size)})
        self.intermediate = Intermediate(config)
        self.output = Output(config, config.intermediate_size)

    def forward(self, hidden: Tensor, layout: AttentionLayout) -> Tensor:
        hidden = self.attention["output"](self.attention["self"](hidden, layout), hidden)
        return self.output(self.intermediate(hidden), hidden)

    def queries_keys_values(self, hidden: Tensor) -> Tensor:
        """Of the layer's input, [T, hidden_size] to [T, 3 * hidden_size], heads side by side."""
        attention = self.attention["self"]
        assert isinstance(attention, SelfAttention)
        return attention.queries_keys_values(hidden)


class BertEncoder(nn.Module):
    """Token ids to contextual vectors, as `train.model.encoder.Encoder` has them.

    Positions count from 0 in each sequence, for XLM-RoBERTa too.
    """

    def __init__(
        self,
        config: BertConfig,
        compute_dtype: torch.dtype = torch.float32,
        activation_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.config, self.compute_dtype = config, compute_dtype
        self.activation_checkpointing = activation_checkpointing
        self.embeddings = Embeddings(config)
        layers = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        self.encoder = nn.ModuleDict({"layer": layers})
        initialize(self, config)

    @property
    def token_embeddings(self) -> Tensor:
        """[padded vocabulary, hidden_size]."""
        return self.embeddings.word_embeddings.weight

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
        """input_ids and positions [T], packed as `layout` says, to [T, hidden_size]; of the places `targets`, int64
        [M], alone where they are given. segments: int64 [T], rows of the segment embedding; None: all 0. languages:
        int64 [T], rows of the language embedding, 0 where a language is not told; None: none is. layer_inputs: its keys
        are layers, whose inputs, [T, hidden_size], become its values."""
        hidden = self.embeddings(input_ids, positions, segments, languages, self.compute_dtype)
        for layer, block in enumerate(self.layers):
            if layer_inputs is not None and layer in layer_inputs:
                layer_inputs[layer] = hidden
            if self.activation_checkpointing and torch.is_grad_enabled():
                hidden = checkpoint(block, hidden, layout, use_reentrant=False, preserve_rng_state=False)
            else:
                hidden = block(hidden, layout)
        return hidden if targets is None else hidden.index_select(0, targets)

    @property
    def layers(self) -> nn.ModuleList:
        """The blocks, under the name that they have in the other encoder."""
        layers = self.encoder["layer"]
        assert isinstance(layers, nn.ModuleList)
        return layers
