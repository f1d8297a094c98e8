"""Which side a vector comes from, as MUSE asks it."""

from torch import Tensor, nn

SLOPE = 0.2  # of LeakyReLU below 0


class Discriminator(nn.Module):
    """Dropout of the input, two hidden layers with LeakyReLU, one logit: vectors [n, d] to [n], above 0 where the first
    side is likelier (Conneau et al. 2018, section 3.1). The sigmoid is in the loss."""

    def __init__(self, inputs: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(inputs, hidden),
            nn.LeakyReLU(SLOPE),
            nn.Linear(hidden, hidden),
            nn.LeakyReLU(SLOPE),
            nn.Linear(hidden, 1),
        )

    def forward(self, vectors: Tensor) -> Tensor:
        logits: Tensor = self.layers(vectors)
        return logits[:, 0]
