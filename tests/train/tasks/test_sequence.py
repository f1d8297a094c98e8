"""Classes of texts and pairs: those of transformers' pipeline."""

from pathlib import Path

import pytest
import torch
from tiny_encoders import KINDS, LONGEST, SENTENCES, save_encoder

from schemas.errors import UserError
from train.benchmarks.examples import Origin, TextExample
from train.encoders.opened import open_model
from train.tasks.running import outputs
from train.tasks.sequence import KIND, SCORE, features, predict

LABELS = {0: "no", 1: "neutral", 2: "yes"}


def example(text: str, second: str | None = None, label: str | float | None = None, row: int = 1) -> TextExample:
    return TextExample(text, second, label, "", Origin(Path("a.tsv"), row))


SHAPES = ["regression", "several", "one"]  # of answers, whatever the encoder


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize(
    ("kind", "shape"), [*((kind, "classes") for kind in KINDS), *(("bert", shape) for shape in SHAPES)]
)
def test_answers_are_the_pipeline_s(tmp_path: Path, kind: str, pairs: bool, shape: str) -> None:
    settings: dict[str, object] = {
        "classes": {"id2label": LABELS},
        "regression": {"num_labels": 1, "problem_type": "regression"},
        "several": {"id2label": LABELS, "problem_type": "multi_label_classification"},
        "one": {"num_labels": 1},
    }[shape]
    model = open_model(save_encoder(kind, tmp_path, head=KIND, **settings), device="cpu")
    texts = [text[:20] for text in SENTENCES.values()]
    examples = [example(text, other if pairs else None) for text, other in zip(texts, reversed(texts), strict=True)]
    pipeline = model.library.pipeline("text-classification", model=model.model(KIND), tokenizer=model.tokenizer)
    asked = [{"text": one.text, "text_pair": one.second} if pairs else one.text for one in examples]
    told = pipeline(asked, top_k=None)
    found = predict(model, examples, batch_tokens=100)
    for ours, theirs in zip(found, told, strict=True):
        scores = {SCORE if shape == "regression" else one["label"]: one["score"] for one in theirs}
        assert ours.probabilities == pytest.approx(scores, abs=1e-5)
        assert list(ours.probabilities) == (list(LABELS.values()) if len(scores) == 3 else list(scores))
        assert ours.label == max(scores, key=scores.__getitem__)
    assert max(scores.values()) - min(scores.values()) > 0.05 or len(scores) == 1


def test_long_texts_are_cut_and_empty_ones_answered(tmp_path: Path) -> None:
    model = open_model(save_encoder("bert", tmp_path, head=KIND, id2label=LABELS), device="cpu")
    examples = [example("Anna " * 500), example(""), example("Anna")]
    found = predict(model, examples)
    assert [sum(one.probabilities.values()) for one in found] == pytest.approx([1, 1, 1])
    fits = predict(model, [example("Anna " * (LONGEST - 2))])[0]
    assert found[0].probabilities == pytest.approx(fits.probabilities, abs=1e-5)
    assert predict(model, [example("a b c d e f g h")], max_tokens=8) == predict(model, [example("a b c d e f")])
    assert predict(model, []) == []
    with pytest.raises(UserError, match=f"--max-tokens 65: .* takes {LONGEST} at most"):
        predict(model, examples, max_tokens=65)
    with pytest.raises(UserError, match="no room"):
        predict(model, examples, max_tokens=2)


def test_between_batches_the_caller_is_itself(tmp_path: Path) -> None:
    model = open_model(save_encoder("bert", tmp_path, head=KIND), device="cpu", precision="bf16")
    encoded = features(model.tokenizer, [example("Anna")] * 3, 16).encoded
    for _, said in outputs(model, KIND, "", encoded, 8):
        assert said.logits.is_inference() and not torch.is_inference_mode_enabled()
        assert not torch.is_autocast_enabled("cpu")


def test_a_model_without_the_head_is_one_line(tmp_path: Path) -> None:
    model = open_model(save_encoder("bert", tmp_path), device="cpu")
    with pytest.raises(UserError, match=r"has no head for classes of texts \(bert.pooler.dense.bias is missing\)"):
        predict(model, [example("a")])


def test_labels_become_numbers_or_one_line(tmp_path: Path) -> None:
    tokenizer = open_model(save_encoder("bert", tmp_path), device="cpu").tokenizer
    made = features(tokenizer, [example("a", "b", "yes"), example("c", "d", "no")], 16, list(LABELS.values()))
    assert made.targets == [2, 0] and made.encoded["token_type_ids"][0] == [0, 0, 0, 1, 1]
    assert features(tokenizer, [example("a", label=2.5), example("a", label=1)], 16, [SCORE]).targets == [2.5, 1.0]
    assert features(tokenizer, [example("a")], 16).targets == []
    for label, labels, told in (
        ("maybe", ["no", "yes"], r"a.tsv:9: label 'maybe' is not among those of training \(no, yes\)"),
        (None, ["no", "yes"], "a.tsv:9 has no label"),
        ("yes", [SCORE], "a.tsv:9: label 'yes' is no number"),
    ):
        with pytest.raises(UserError, match=told):
            features(tokenizer, [example("a", label=label, row=9)], 16, labels)
