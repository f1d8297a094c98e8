"""How well languages are told from a model's features, by a classifier that is trained anew each time.

What the discriminator of an adversary says of itself is no measure: it may merely be a weak one.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from train.corpus.hashing import U64

STRENGTH = 1.0  # C of the regression, as scikit-learn's default
ITERATIONS = 100

Features = NDArray[np.float64]
Classes = NDArray[np.int64]


def probe(features: NDArray[np.floating[Any]], language: Classes, keys: U64) -> dict[str, Any] | None:
    """Of features [sequences, width], their languages and a hash of what each is a piece of: of the half with even keys
    a probe is trained, and what it makes of the other half is told.

    accuracy: share of right answers. balanced_accuracy: the mean over languages of that share. majority: the share of
    the largest language. centred_accuracy: what remains where from each vector the mean of its language, in the first
    half, is taken (Libovický et al. 2020, arXiv 2004.05160), which is what an adversary has to be held against.
    sequences: of both halves. None where the halves do not have two languages and one sequence, or a feature is not
    finite.
    """
    train = (keys & np.uint64(1)) == 0
    if len(np.unique(language[train])) < 2 or train.all() or not np.isfinite(features).all():
        return None
    values = features.astype(np.float64)
    right = _right(values, language, train)
    wanted = language[~train]
    counts = np.bincount(wanted)
    there = counts > 0
    recalls = np.bincount(wanted, right, len(counts))[there] / counts[there]
    return {
        "accuracy": float(right.mean()),
        "balanced_accuracy": float(recalls.mean()),
        "majority": float(counts.max() / len(wanted)),
        "centred_accuracy": float(_right(centred(values, language, train), language, train).mean()),
        "sequences": len(language),
    }


def centred(features: Features, language: Classes, train: NDArray[np.bool_]) -> Features:
    """Less the mean of its language over the rows `train`; as it is where that has none."""
    result = features.copy()
    for one in np.unique(language[train]):
        rows = language == one
        result[rows] -= features[rows & train].mean(0)
    return result


def _right(features: Features, language: Classes, train: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether a probe of the rows `train` knows the language of each of the others; one that it has not seen it does
    not."""
    known, classes = np.unique(language[train], return_inverse=True)
    spread = features[train].std(0)
    standard = (features - features[train].mean(0)) / np.where(spread > 0, spread, 1.0)
    weight, bias = fit(standard[train], classes)
    answers = known[(standard[~train] @ weight.T + bias).argmax(1)]
    return answers == language[~train]


def fit(features: Features, classes: Classes) -> tuple[Features, Features]:
    """(weight [classes, width], bias [classes]) of a multinomial logistic regression: the minimum of the mean
    cross-entropy, in which all classes count alike, plus |weight|^2 / (2 C rows). By L-BFGS from zero, so that nothing
    hangs on chance."""
    rows, width = features.shape
    counts = np.bincount(classes)
    share = torch.from_numpy(1.0 / (len(counts) * counts[classes]))
    inputs, wanted = torch.from_numpy(features), torch.from_numpy(classes)
    found = torch.zeros(len(counts), width + 1, dtype=torch.double, requires_grad=True)

    def loss() -> Tensor:
        log_probs = torch.log_softmax(torch.addmm(found[:, -1], inputs, found[:, :-1].T), 1)
        each = log_probs.gather(1, wanted[:, None])[:, 0]
        return found[:, :-1].square().sum() / (2 * STRENGTH * rows) - (share * each).sum()

    optimizer = torch.optim.LBFGS(
        [found], max_iter=ITERATIONS, tolerance_grad=1e-6, tolerance_change=1e-10, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    with torch.enable_grad():
        optimizer.step(closure)
    result = found.detach().numpy()
    return result[:, :-1], result[:, -1]
