"""How like two texts are: the cosine of their vectors."""

from pathlib import Path

import numpy as np
import pytest
from tiny_encoders import SENTENCES, save_encoder

from schemas.errors import UserError
from train.benchmarks.examples import Origin, SimilarExample
from train.encoders.opened import open_model
from train.tasks.embedding import features, predict


def example(first: str, second: str, score: float | None = None, row: int = 1) -> SimilarExample:
    return SimilarExample(first, second, score, "", Origin(Path("a.jsonl"), row))


def test_cosines_are_those_of_sentence_transformers(tmp_path: Path) -> None:
    sentence_transformers = pytest.importorskip(
        "sentence_transformers", reason="no sentence-transformers: pip install -e .[dev]"
    )
    folder = save_encoder("modernbert", tmp_path, head="AutoModel")
    texts = [text[:30] for text in SENTENCES.values()]
    found = predict(open_model(folder, device="cpu"), [example(a, b) for a, b in zip(texts, texts[::-1], strict=True)])
    theirs = sentence_transformers.SentenceTransformer(str(folder), device="cpu").encode(texts)
    theirs = theirs / np.linalg.norm(theirs, axis=1, keepdims=True)
    assert found == pytest.approx((theirs * theirs[::-1]).sum(1).tolist(), abs=1e-5)
    assert predict(open_model(folder, device="cpu"), []) == []


def test_both_sides_and_scores(tmp_path: Path) -> None:
    tokenizer = open_model(save_encoder("bert", tmp_path), device="cpu").tokenizer
    made = features(tokenizer, [example("Anna", "Paris", 4.5), example("a b c d e", "c", 0)], 4)
    assert made.scores == [4.5, 0.0] and [len(ids) for ids in made.first["input_ids"]] == [3, 4]
    assert made.second["input_ids"] == [[2, tokenizer.convert_tokens_to_ids(word), 3] for word in ("Paris", "c")]
    assert features(tokenizer, [example("a", "b")], 8).scores == []
    with pytest.raises(UserError, match=r"a.jsonl:2 has no score, and the ones before have"):
        features(tokenizer, [example("a", "b", 1.0), example("a", "b", row=2)], 8)
    with pytest.raises(UserError, match=r"a.jsonl:2 has a score, and the ones before have none"):
        features(tokenizer, [example("a", "b"), example("a", "b", 1.0, 2)], 8)
