"""A fastText model from labelled lines, by the fastText library (Joulin et al. 2016, arXiv 1607.01759), quantised."""

import os
import tempfile
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.language.labels import PREFIX
from schemas.errors import UserError

LEAST_QUANTISED = 256  # rows, as many as there are centroids


class Settings(NamedTuple):
    """fastText's own names in words. `rows`: words and n-grams that the quantised model keeps."""

    dim: int = 16
    min_n: int = 2
    max_n: int = 4
    buckets: int = 1 << 20
    epochs: int = 5
    rate: float = 0.8
    min_count: int = 50
    loss: str = "softmax"
    rows: int = 80_000
    threads: int = 1
    word_ngrams: int = 1


def fit(lines: Iterable[tuple[str, str]], settings: Settings, output: str | Path, seed: int = 0) -> None:
    """Writes the model, dense where `rows` is 0 or the library finds too little to quantise. With one thread the same
    lines give the same file. The lines' order is by chance, from the seed. UserError where the library is missing."""
    fasttext = library()
    pairs = list(lines)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "lines.txt")
        with open(path, "w", encoding="utf-8", errors="ignore") as file:
            for place in np.random.default_rng(seed).permutation(len(pairs)).tolist():
                label, line = pairs[place]
                file.write(f"{PREFIX}{label} {' '.join(line.split())}\n")
        model = fasttext.train_supervised(
            path, dim=settings.dim, minn=settings.min_n, maxn=settings.max_n, bucket=settings.buckets,
            epoch=settings.epochs, lr=settings.rate, minCount=settings.min_count, loss=settings.loss,
            thread=settings.threads, wordNgrams=settings.word_ngrams, verbose=0, seed=seed,
        )  # fmt: skip
        if settings.rows and model.get_input_matrix().shape[0] >= LEAST_QUANTISED:
            model.quantize(path, cutoff=settings.rows, retrain=False, qnorm=True, dsub=2, verbose=0)
        model.save_model(str(output))


def library() -> Any:
    """The fastText library with what fits. UserError where it is not installed, or a part that only predicts is."""
    try:
        module = import_module("fasttext")
    except ImportError:
        module = None
    if not hasattr(module, "train_supervised"):
        raise UserError("fitting needs the fastText library: pip install 'wanyu[fit]'")
    return module


def language_names() -> dict[str, str]:
    """Names of all languages by ISO 639-3 code. UserError where the library that has them is missing."""
    try:
        from pycountry import languages
    except ImportError:
        raise UserError("fitting needs the names of languages: pip install 'wanyu[fit]'") from None
    return {language.alpha_3: language.name for language in languages}
