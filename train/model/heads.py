"""The heads over the encoder: masked words, of which only the places asked for reach the vocabulary, and pairs."""

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, linear, pad

from train.model.attention import AttentionLayout
from train.model.bert import BertConfig, BertEncoder
from train.model.encoder import Encoder, EncoderConfig, initialize
from train.model.layers import LayerNorm, Linear
from train.model.shape import EncoderShape


class PredictionHead(nn.Module):
    def __init__(self, config: EncoderShape) -> None:
        super().__init__()
        self.dense = Linear(config.hidden_size, config.hidden_size, config.biases)
        self.norm = LayerNorm(config)
        initialize(self, config)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.norm(gelu(self.dense(hidden)))


PAIR_OBJECTIVES = ("nsp", "sop")  # that have a PairHead; where both do, the first one's is the model's


class PairHead(nn.Module):
    """Whether the second text of a pair follows the first, from the vector of <s>: BERT's pooler and its classifier,
    under the names of `BertForPreTraining` without what stands before them. Class 0: it follows."""

    def __init__(self, config: EncoderShape) -> None:
        super().__init__()
        self.pooler = nn.ModuleDict({"dense": Linear(config.hidden_size, config.hidden_size, bias=True)})
        self.seq_relationship = Linear(config.hidden_size, 2, bias=True)
        initialize(self, config)

    def forward(self, hidden: Tensor) -> Tensor:
        """[pairs, hidden_size] to [pairs, 2]."""
        logits: Tensor = self.seq_relationship(torch.tanh(self.pooler["dense"](hidden)))
        return logits


class DecoderBias(nn.Module):
    """The decoder is the embedding matrix; what it has of its own is a bias for each of the vocabulary's tokens."""

    def __init__(self, vocab_size: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(vocab_size))


class MaskedLanguageModel(nn.Module):
    """Encoder of either kind, prediction head, tied decoder. Parameter names are those of `ModernBertForMaskedLM`; of
    BERT's encoder, under `model.`, those of `BertModel`.
    """

    def __init__(
        self,
        config: EncoderConfig | BertConfig,
        compute_dtype: torch.dtype = torch.float32,
        activation_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.config = config
        self.model: Encoder | BertEncoder
        if isinstance(config, BertConfig):
            self.model = BertEncoder(config, compute_dtype, activation_checkpointing)
        else:
            self.model = Encoder(config, compute_dtype, activation_checkpointing)
        self.head = PredictionHead(config)
        self.decoder = DecoderBias(config.vocab_size)

    def forward(self, input_ids: Tensor, positions: Tensor, layout: AttentionLayout, targets: Tensor) -> Tensor:
        """Logits [targets, padded vocabulary] at the positions `targets` of the packed batch.

        The rows that pad the embedding matrix have logit minus infinity: no probability, no gradient.
        """
        hidden = self.head(self.model(input_ids, positions, layout, targets))
        spare = self.config.padded_vocab_size - self.config.vocab_size
        bias = pad(self.decoder.bias, (0, spare), value=float("-inf"))
        return linear(hidden, self.model.token_embeddings.to(hidden.dtype), bias.to(hidden.dtype))
