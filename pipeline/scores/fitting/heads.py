"""A head over an encoder's vectors, fitted on the pairs that a classifier of words would be fitted on."""

from pathlib import Path

import numpy as np

from pipeline.scores.embedding import head
from pipeline.scores.embedding.encoder import Encoder, Reading
from pipeline.scores.fitting import balancing
from pipeline.scores.fitting.balancing import Pairs
from pipeline.scores.fitting.documents import Documents


def fit(reading: Reading, good: Documents, bad: Documents, paired: Pairs, output: Path) -> int:
    """Writes the head without its trailer; the width of the vectors. Each language counts alike, and each class in it.

    UserError where the encoder cannot be opened."""
    sides = ((good, paired.good), (bad, paired.bad))
    texts = [text for documents, rows in sides for text in balancing.cut(documents, rows, paired.words)]
    encoder = Encoder(reading)
    try:
        vectors = encoder.vectors(texts)
    finally:
        encoder.close()
    is_good = np.arange(len(texts)) < len(paired.good)
    labels = np.concatenate([documents.labels()[rows] for documents, rows in sides]).astype(str)
    _, of, counts = np.unique(labels, return_inverse=True, return_counts=True)
    weights = len(texts) / (len(counts) * counts[of])
    head.save(head.fitted(reading, encoder.probe, vectors, is_good, weights), output)
    return int(vectors.shape[1])
