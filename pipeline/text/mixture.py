"""Temperature sampling over languages with an epoch cap.

share(l) ~ bytes(l)^(1/T) (Conneau et al. 2020, arXiv 1911.02116, with exponent 1/T), where no language is repeated more
than `max_epochs` times; what a capped language leaves goes to the others.
"""

from collections.abc import Mapping


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
    weight = {language: size ** (1 / temperature) for language, size in sizes.items()}
    if total_bytes is None:
        scale = max(size / weight[language] for language, size in sizes.items())
        return {language: min(max_epochs, scale * weight[language] / size) for language, size in sizes.items()}
    left, free = float(total_bytes), sum(weight[language] for language in sorted(sizes))
    result: dict[str, float] = {}
    # Small languages meet the cap first: walk up until the scale caps nobody more.
    for language in sorted(sizes, key=lambda name: (sizes[name] / weight[name], name)):
        cap = max_epochs * sizes[language]
        amount = min(cap, left * weight[language] / free) if free > 0 else cap
        result[language] = amount / sizes[language]
        left, free = left - amount, free - weight[language]
    return result
