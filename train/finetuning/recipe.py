"""How fast and how long a model learns a task where nobody says it: by its size and the number of examples."""

from dataclasses import dataclass

SMALL = 30_000_000  # parameters of an encoder
FEW = 5000  # examples


@dataclass(frozen=True)
class Recipe:
    """As `FinetuneSettings` has them."""

    epochs: int
    learning_rate: float
    layer_decay: float


def recipe_for(parameters: int, examples: int) -> Recipe:
    """parameters: of the encoder. Small models need higher rates (Turc et al. 2019, arXiv 1908.08962, search up to 3e-4
    from 4 million parameters on; what `tiny` learns of SIB-200 was best at 1e-3, the same in all layers), and few
    examples many epochs (Mosbach et al. 2021, arXiv 2006.04884); else as Devlin et al. 2019 (arXiv 1810.04805) have it.
    """
    small = parameters < SMALL
    return Recipe(20 if examples < FEW else 3, 1e-3 if small else 5e-5, 1.0 if small else 0.9)
