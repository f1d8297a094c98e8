"""How evenly vectors fill their space. All take [n, d] and compute in float64.

ValueError where the shape is another, a number is not finite, or there are too few vectors.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def mean_cosine(vectors: ArrayLike) -> float:
    """The mean cosine of two different vectors (Ethayarajh 2019): 0 where they point everywhere, 1 where all point one
    way. Over all pairs, by the length of their sum, so nothing is drawn. A vector of zeros has cosine 0 with all."""
    units = _checked(vectors, 2)
    largest = np.abs(units).max(1, keepdims=True)
    units = units / np.where(largest > 0, largest, 1)
    lengths = np.linalg.norm(units, axis=1, keepdims=True)
    units = units / np.where(lengths > 0, lengths, 1)
    whole = units.sum(0)
    return float((whole @ whole - (units * units).sum()) / (len(units) * (len(units) - 1)))


def partition_ratio(vectors: ArrayLike) -> float:
    """I(W) of Mu & Viswanath 2018: min Z(c) / max Z(c), Z(c) the sum of exp(c w), over the eigenvectors c of W'W; 1 for
    isotropic vectors, near 0 for a cone. Each c counts with both signs, which an eigenvector does not tell."""
    array = _checked(vectors, 1)
    _, directions = np.linalg.eigh(array.T @ array)
    along = array @ np.concatenate([directions, -directions], 1)
    highest = along.max(0)
    logs = highest + np.log(np.exp(along - highest).sum(0))
    return float(np.exp(logs.min() - logs.max()))


def isoscore(vectors: ArrayLike) -> float:
    """IsoScore of Rudman et al. 2022: 1 where the variance is the same in all d directions, 0 where it is in one; about
    the share of dimensions in use. 0 where there is no variance. ValueError where d is 1, too."""
    array = _checked(vectors, 2)
    d = array.shape[1]
    if d < 2:
        raise ValueError("one dimension is neither isotropic nor not")
    centred = array - array.mean(0)
    # Variances along the principal components, the diagonal that the paper's algorithm takes after its PCA.
    variances = np.clip(np.linalg.eigvalsh(centred.T @ centred), 0, None)
    length = np.linalg.norm(variances)
    if length <= np.finfo(np.float64).eps * (array * array).sum():
        return 0.0
    defect = np.linalg.norm(variances * np.sqrt(d) / length - 1) / np.sqrt(2 * (d - np.sqrt(d)))
    used = (d - defect**2 * (d - np.sqrt(d))) ** 2 / d
    return float(np.clip((used - 1) / (d - 1), 0, 1))


def effective_rank(vectors: ArrayLike) -> float:
    """Roy & Vetterli 2007: exp of the entropy of the singular values as shares of their sum; 1 to min(n, d), 0 where
    all are 0. The vectors are not centred."""
    array = _checked(vectors, 1)
    values = np.sqrt(np.clip(np.linalg.eigvalsh(_gram(array)), 0, None))
    if not values.sum():
        return 0.0
    shares = values[values > 0] / values.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _gram(array: NDArray[np.float64]) -> NDArray[np.float64]:
    """The smaller of the two products that have the squared singular values."""
    scaled = array / (np.abs(array).max() or 1)
    return scaled.T @ scaled if len(array) > array.shape[1] else scaled @ scaled.T


def _checked(vectors: ArrayLike, least: int) -> NDArray[np.float64]:
    array = np.asarray(vectors, np.float64)
    if array.ndim != 2 or not array.shape[1]:
        raise ValueError(f"vectors have the shape {array.shape}: [n, d] is needed")
    if len(array) < least:
        raise ValueError(f"{len(array)} vectors: {least} are needed")
    if not np.isfinite(array).all():
        raise ValueError("vectors that are not finite have no geometry")
    return array
