"""Temperature sampling over languages with an epoch cap.

share(l) ~ bytes(l)^(1/T) (Conneau et al. 2020, arXiv 1911.02116, with exponent 1/T), where no language is repeated more
than `max_epochs` times; what a capped language leaves goes to the others.
"""

import math
from collections.abc import Mapping
from itertools import accumulate


def epochs(
    sizes: Mapping[str, int], temperature: float, max_epochs: float, total_bytes: int | None = None
) -> dict[str, float]:
    """How often each language's documents are seen in one pass over the mixture.

    `sizes`: UTF-8 bytes a language, positive. Without `total_bytes` the largest language is seen exactly once, so that
    nothing is left out; with it, the mixture has that many bytes (or every language is at its cap) and epochs below 1
    mean a subset. Solves sum over l of min(max_epochs * c_l, scale * c_l^(1/T)) = total_bytes for `scale`.
    """
    if not sizes:
        return {}
    if total_bytes is None:
        largest = max(sizes.values())
        return {name: min(max_epochs, (largest / size) ** (1 - 1 / temperature)) for name, size in sizes.items()}
    weight = {language: size ** (1 / temperature) for language, size in sizes.items()}
    # Small languages meet the cap first: walk up until the scale caps nobody more.
    order = sorted(sizes, key=lambda name: (sizes[name] / weight[name], name))
    behind = list(accumulate(weight[language] for language in reversed(order)))[::-1]  # weight of it and of all larger
    left, scale = float(total_bytes), math.inf
    for language, free in zip(order, behind, strict=True):
        cap = max_epochs * sizes[language]
        if left * weight[language] < cap * free:
            scale = left / free
            break
        left -= cap
    return {language: min(max_epochs, scale * weight[language] / size) for language, size in sizes.items()}
