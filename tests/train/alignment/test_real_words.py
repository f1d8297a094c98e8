"""MUSE on vectors of real words, of which one side is turned: five seeds in the setting for two cores."""

import gzip
import json
import re
from pathlib import Path

import fasttext
import numpy as np
import pytest
from benchmark_files import SHARED
from numpy.typing import NDArray

from train.alignment.adversarial_settings import REDUCED
from train.alignment.normalising import normalised
from train.alignment.unsupervised import align_without_supervision, rotation
from train.metrics.neighbours import csls

TEXTS = SHARED / "mono" / "eng.jsonl.gz"


def english_vectors(folder: Path, width: int = 50) -> NDArray[np.float32]:
    """By skip-gram, of words in lower case that come five times or more, the most frequent first."""
    with gzip.open(TEXTS, "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"].lower() for line in lines]
    file = folder / "words.txt"
    file.write_text("\n".join(" ".join(re.findall(r"[^\W\d_]+", text)) for text in texts), encoding="utf-8")
    model = fasttext.train_unsupervised(str(file), dim=width, minCount=5, epoch=10, thread=1, verbose=0)
    return np.stack([model.get_word_vector(word) for word in model.get_words()])


@pytest.mark.faults
@pytest.mark.timeout(1800)  # a minute a seed on a core of its own
@pytest.mark.skipif(not TEXTS.exists(), reason="no ../shared/data/mono/eng.jsonl.gz")
def test_a_planted_rotation_of_real_words_is_found_in_four_of_five_seeds(tmp_path: Path) -> None:
    X = normalised(english_vectors(tmp_path)).vectors
    turn, order = rotation(X.shape[1], 99).astype(np.float32), np.arange(len(X))
    Y = X @ turn
    found = align_without_supervision(X, Y, REDUCED, seeds=range(5))
    precision = [float((csls(X @ run.matrix, Y).indices[:, 0] == order).mean()) for run in found.runs]
    assert sum(one > 0.95 for one in precision) >= 4, precision
    # What no truth was asked for says the same.
    assert [run.failed for run in found.runs] == [one < 0.5 for one in precision]
    assert precision[found.runs.index(found.best)] > 0.95
