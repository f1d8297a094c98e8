"""A linear head over vectors of an encoder: the logistic regression that a few hundred labels can carry, in languages
that they are not in as far as the encoder has aligned them (FineWeb2-HQ's setting, arXiv 2502.10361)."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.kernels.elementary import exps
from pipeline.scores.embedding.encoder import Reading
from schemas.errors import UserError

MAGIC = b"WANYUHEAD1\n"
PENALTY = 1.0  # of the squared weights over standardised vectors; the data's loss is a sum
STEPS = 50
CONVERGED = 1e-8


class Head(NamedTuple):
    """reading: of the encoder. probe: float32 (width,), its vector of the text that all know. weights: float64 (width,)
    and bias, over vectors of length 1."""

    reading: Reading
    probe: np.ndarray
    weights: np.ndarray
    bias: float

    def raw(self, vectors: np.ndarray) -> np.ndarray:
        """float64 (n,), the probability of good. vectors: (n, width)."""
        logits = unit(vectors) @ self.weights + self.bias
        near = exps(-np.abs(logits))
        return np.where(logits >= 0, 1 / (1 + near), near / (1 + near))


def unit(vectors: np.ndarray) -> np.ndarray:
    """float64, brought to length 1; what is zero stays."""
    rows = np.asarray(vectors, np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1.0)


def fitted(reading: Reading, probe: np.ndarray, vectors: np.ndarray, good: np.ndarray, weights: np.ndarray) -> Head:
    """Newton's method on the penalised log-likelihood (Hastie et al. 2009, 4.4.1). vectors: (n, width); good: bool
    (n,); weights: of each text, such that languages and classes count alike. UserError where all are of one class."""
    if good.all() or not good.any():
        raise UserError("the labels are of one class: give positives and negatives")
    rows = unit(vectors)
    total = weights.sum()
    mean = (weights @ rows) / total
    scale = np.sqrt(weights @ (rows - mean) ** 2 / total)
    scale[scale == 0] = 1.0
    design = np.hstack([(rows - mean) / scale, np.ones((len(rows), 1))])
    ridge = np.full(design.shape[1], PENALTY)
    ridge[-1] = 0.0
    found = np.zeros(design.shape[1])
    for _ in range(STEPS):
        logits = np.clip(design @ found, -30, 30)
        chances = 1 / (1 + exps(-logits))
        gradient = design.T @ (weights * (chances - good)) + ridge * found
        curvature = (design * (weights * chances * (1 - chances))[:, None]).T @ design + np.diag(ridge + 1e-9)
        step = np.linalg.solve(curvature, gradient)
        found -= step
        if np.abs(step).max() < CONVERGED:
            break
    own = found[:-1] / scale
    return Head(reading, np.asarray(probe, np.float32), own, float(found[-1] - own @ mean))


def save(head: Head, path: str | Path) -> None:
    """A trailer may be put behind it (`pipeline.scores.trailer`)."""
    about = json.dumps(
        {**head.reading._asdict(), "bias": head.bias, "width": len(head.weights)}, sort_keys=True
    ).encode()
    cells = (head.probe.astype("<f4").tobytes(), head.weights.astype("<f8").tobytes())
    Path(path).write_bytes(MAGIC + len(about).to_bytes(8, "little") + about + b"".join(cells))


def is_head(path: str | Path) -> bool:
    with open(path, "rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def load(path: str | Path, folder: str = "") -> Head:
    """folder: of the encoder on this machine, where that is another than it was fitted with. UserError for what is no
    head."""
    data = Path(path).read_bytes()
    try:
        if not data.startswith(MAGIC):
            raise ValueError
        at = len(MAGIC) + 8
        size = int.from_bytes(data[len(MAGIC) : at], "little")
        about: dict[str, Any] = json.loads(data[at : at + size])
        width, bias = int(about.pop("width")), float(about.pop("bias"))
        probe = np.frombuffer(data, "<f4", width, at + size)
        weights = np.frombuffer(data, "<f8", width, at + size + 4 * width)
        reading = Reading(**about)
    except (ValueError, KeyError, TypeError):
        raise UserError(
            f"{path} is no head of jobs/fit_classifier.py --embeddings, or damaged; copy it again"
        ) from None
    return Head(reading._replace(folder=folder or reading.folder), probe, weights, bias)
