"""Classes of texts by logistic regression (scikit-learn): on frozen vectors, and on n-grams of characters."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.errors import UserError
from train.encoders.vectors import Vectors

OF_VECTORS = (0.001, 0.01, 0.1, 1.0)  # inverse strengths of regularisation that are tried
OF_NGRAMS = (1.0, 10.0, 100.0)
FOLDS = 3
STEPS = 1000
NGRAMS = (1, 4)


def check_library() -> None:
    """UserError where scikit-learn is not installed."""
    try:
        import sklearn  # noqa: F401
    except ImportError as error:
        raise UserError(f"scikit-learn is not installed ({error}): pip install scikit-learn") from None


class VectorClasses:
    """Of vectors, standardised by those that it learns from."""

    def __init__(self, vectors: Vectors, labels: Sequence[str]) -> None:
        """vectors: [texts, width]."""
        from sklearn.preprocessing import StandardScaler

        self.scaler = StandardScaler().fit(vectors)
        self.classes = _fitted(self.scaler.transform(vectors), labels, OF_VECTORS)

    def labels(self, vectors: Vectors) -> NDArray[np.str_]:
        return np.asarray(self.classes.predict(self.scaler.transform(vectors)))


class NgramClasses:
    """Of texts by the n-grams of characters inside words, as a baseline that knows no other language; second texts have
    n-grams of their own."""

    def __init__(self, texts: Sequence[tuple[str, str | None]], labels: Sequence[str]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        sides = 1 if all(second is None for _, second in texts) else 2
        self.tables = [
            TfidfVectorizer(analyzer="char_wb", ngram_range=NGRAMS, sublinear_tf=True).fit(self._side(texts, side))
            for side in range(sides)
        ]
        self.classes = _fitted(self._features(texts), labels, OF_NGRAMS)

    def labels(self, texts: Sequence[tuple[str, str | None]]) -> NDArray[np.str_]:
        return np.asarray(self.classes.predict(self._features(texts)))

    def _features(self, texts: Sequence[tuple[str, str | None]]) -> Any:
        from scipy.sparse import hstack

        return hstack([one.transform(self._side(texts, side)) for side, one in enumerate(self.tables)], "csr")

    @staticmethod
    def _side(texts: Sequence[tuple[str, str | None]], side: int) -> list[str]:
        return [pair[side] or "" for pair in texts]


def _fitted(features: Any, labels: Sequence[str], strengths: Sequence[float]) -> Any:
    """With the strength that is best by cross-validation within the same texts; the weakest where a class is too rare
    for that. Nothing hangs on chance: folds have a seed, and the solver begins at zero."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedKFold

    wanted = np.asarray(labels)
    if min(Counter(labels).values()) < FOLDS:
        return LogisticRegression(C=strengths[-1], max_iter=STEPS).fit(features, wanted)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    search = GridSearchCV(LogisticRegression(max_iter=STEPS), {"C": list(strengths)}, cv=folds)
    return search.fit(features, wanted).best_estimator_
