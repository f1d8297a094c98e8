"""A head over vectors of an encoder: against scikit-learn, and vectors that come from a process."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import transformers
from answering import save
from sklearn.linear_model import LogisticRegression

from pipeline.scores.embedding import head as heads
from pipeline.scores.embedding.encoder import Encoder, Reading
from schemas.errors import UserError
from train.encoders.opened import open_model
from train.encoders.vectors import embed


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(transformers.BertForPreTraining, tmp_path_factory.mktemp("models") / "both")


def drawn(n: int, width: int = 16) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(3)
    vectors = draw.normal(size=(n, width)).astype(np.float32)
    direction = draw.normal(size=width)
    return vectors, heads.unit(vectors) @ direction + draw.normal(size=n) * 0.3 > 0.2


def test_fitted_is_scikit_learn_s_logistic_regression() -> None:
    vectors, good = drawn(400)
    weights = np.where(good, 2.0, 0.5)
    head = heads.fitted(Reading("m"), vectors[0], vectors, good, weights)
    rows = heads.unit(vectors)
    mean = np.average(rows, axis=0, weights=weights)
    scale = np.sqrt(np.average((rows - mean) ** 2, axis=0, weights=weights))
    other = LogisticRegression(C=1 / heads.PENALTY, tol=1e-10, max_iter=10_000)
    other.fit((rows - mean) / scale, good, sample_weight=weights)
    assert head.raw(vectors) == pytest.approx(other.predict_proba((rows - mean) / scale)[:, 1], abs=1e-5)
    assert np.mean((head.raw(vectors) > 0.5) == good) > 0.85


def test_a_file_comes_back_and_what_is_none_is_told(tmp_path: Path) -> None:
    vectors, good = drawn(60)
    head = heads.fitted(Reading("here", "cls", 2, 64), vectors[0], vectors, good, np.ones(60))
    heads.save(head, tmp_path / "a.head")
    with (tmp_path / "a.head").open("ab") as file:
        file.write(b"a trailer")
    back = heads.load(tmp_path / "a.head")
    assert heads.is_head(tmp_path / "a.head") and back.reading == Reading("here", "cls", 2, 64)
    assert (back.raw(vectors) == head.raw(vectors)).all()
    assert heads.load(tmp_path / "a.head", "there").reading.folder == "there"
    for damaged in (b"", heads.MAGIC, (tmp_path / "a.head").read_bytes()[:100]):
        (tmp_path / "b.head").write_bytes(damaged)
        with pytest.raises(UserError, match=r"b\.head is no head of jobs/fit_classifier\.py --embeddings, or damaged"):
            heads.load(tmp_path / "b.head")
    with pytest.raises(UserError, match="of one class"):
        heads.fitted(Reading("m"), vectors[0], vectors, np.ones(60, bool), np.ones(60))


def test_vectors_of_a_process_are_the_model_s_own(folder: Path) -> None:
    texts = ["The river is high.", "河水很高。", "", "a\nb " * 40, "нет"]
    encoder = Encoder(Reading(str(folder), max_tokens=12))
    try:
        found = encoder.vectors(texts)
        model = open_model(folder, device="cpu")
        from train.encoders.vectors import Reading as OfModel

        assert found == pytest.approx(embed(model, texts, OfModel(max_tokens=12)), abs=1e-5)
        assert encoder.vectors([]).shape == (0, found.shape[1])
        encoder.check(encoder.probe, "x.head")
        with pytest.raises(
            UserError, match=r"x\.head was fitted on another encoder than .*name that one, or fit again"
        ):
            encoder.check(-encoder.probe, "x.head")
        with pytest.raises(UserError, match="another encoder"):
            encoder.check(encoder.probe[:3], "x.head")
    finally:
        encoder.close()


def test_an_encoder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere") as caught:
        Encoder(Reading(str(tmp_path / "nowhere")))
    assert "\n" not in str(caught.value)


def test_a_stream_takes_no_file(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "train.predict", "embed", "--stream", "--json", "--model", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and "--stream reads standard input and writes stdout" in done.stderr
