"""What the shapes of all encoders have in common, whatever their layers are made of."""

from dataclasses import dataclass
from typing import ClassVar

from schemas.errors import UserError

VOCAB_MULTIPLE = 64  # rows of the embedding matrix come in multiples that tensor cores like


@dataclass(frozen=True)
class EncoderShape:
    """Sizes by the names that transformers gives them. max_position_embeddings: tokens of the longest sequence.

    norm_eps: the term in the LayerNorms' denominator. initializer_range: standard deviation of the weights at the
    start; none is more than initializer_cutoff_factor deviations from zero. languages: those that the language
    embedding has rows of, behind row 0 for a language that is not told; none, and there is no such embedding.
    feed_forward_matrices: in each layer, of hidden_size x intermediate_size. biases: whether linear layers and norms
    have them.

    Raises UserError where the sizes do not fit together.
    """

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    max_position_embeddings: int
    norm_eps: float
    initializer_range: float = 0.02
    initializer_cutoff_factor: float = 2.0
    languages: tuple[str, ...] = ()

    feed_forward_matrices: ClassVar[int]
    biases: ClassVar[bool]

    def __post_init__(self) -> None:
        if self.hidden_size % self.num_attention_heads or self.head_dim % 2:
            raise UserError(
                f"hidden_size = {self.hidden_size} does not divide into num_attention_heads = "
                f"{self.num_attention_heads} heads of even size: change one of them"
            )

    @property
    def layout(self) -> str:
        """transformers' model_type."""
        raise NotImplementedError

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.num_attention_heads

    @property
    def padded_vocab_size(self) -> int:
        return -(-self.vocab_size // VOCAB_MULTIPLE) * VOCAB_MULTIPLE

    def is_local(self, layer: int) -> bool:
        """Whether a layer's tokens see their neighbourhood alone."""
        return False

    def std(self, out: bool = False) -> float:
        """Standard deviation of a matrix at the start; `out`: it writes into the residual stream."""
        return self.initializer_range
