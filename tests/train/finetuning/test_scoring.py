"""Scores are scikit-learn's and scipy's of what the tasks predict, language by language."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tiny_encoders import save_encoder
from toy_tasks import made

from schemas.errors import UserError
from train.encoders.opened import open_model
from train.finetuning.scoring import check_metric, metric_for, positive_of, score
from train.tasks import embedding, sequence, span, token

CLASSES: dict[str, Any] = {"id2label": {0: "bad", 1: "good"}}


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory):
    def opened(head: str, **settings: Any):
        return open_model(save_encoder("bert", tmp_path_factory.mktemp("model"), 3, head, **settings), device="cpu")

    return opened


def test_classes_by_language(opened) -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="no scikit-learn: pip install -e .[evaluate]")
    model, examples = opened(sequence.KIND, **CLASSES), made("sequence", 30)
    for metric, theirs in {
        "accuracy": metrics.accuracy_score,
        "macro_f1": lambda right, given: metrics.f1_score(right, given, average="macro"),
        "f1": lambda right, given: metrics.f1_score(right, given, pos_label="good"),
        "matthews": metrics.matthews_corrcoef,
    }.items():
        found = score("sequence", model, examples, metric)
        assert list(found) == ["eng_Latn", "rus_Cyrl"]
        for language, own in examples.items():
            right = [one.label for one in own]  # type: ignore[union-attr]
            given = [one.label for one in sequence.predict(model, own)]  # type: ignore[arg-type]
            assert found[language] == pytest.approx(theirs(right, given))
    assert score("sequence", model, examples) == score("sequence", model, examples, "accuracy")


def test_numbers_tags_spans_and_vectors(opened) -> None:
    stats = pytest.importorskip("scipy.stats", reason="no scipy: pip install -e .[evaluate]")
    model, examples = opened(sequence.KIND, num_labels=1, problem_type="regression"), made("number", 30)
    for language, own in examples.items():
        given = [one.probabilities["score"] for one in sequence.predict(model, own)]  # type: ignore[arg-type]
        right = [one.label for one in own]  # type: ignore[union-attr]
        for metric, theirs in (("pearson", stats.pearsonr), ("spearman", stats.spearmanr)):
            assert score("sequence", model, examples, metric)[language] == pytest.approx(theirs(right, given)[0])

    tagger, words = opened(token.KIND, id2label={0: "B-LOC", 1: "O"}), made("token", 30)["eng_Latn"]
    tags = token.predict_tags(tagger, words)  # type: ignore[arg-type]
    right_tags = [one.tags for one in words]  # type: ignore[union-attr]
    same = np.mean(
        [a == b for one, other in zip(tags, right_tags, strict=True) for a, b in zip(one, other, strict=True)]
    )
    assert score("token", tagger, {"": words}, "accuracy")[""] == pytest.approx(same)
    hits = sum(
        a == b == "B-LOC" for one, other in zip(tags, right_tags, strict=True) for a, b in zip(one, other, strict=True)
    )
    both = sum(tag == "B-LOC" for own in (*tags, *right_tags) for tag in own)
    assert score("token", tagger, {"": words})[""] == pytest.approx(2 * hits / both)

    answering, questions = opened(span.KIND), made("span", 30)["eng_Latn"]
    answers = span.predict(answering, questions)  # type: ignore[arg-type]
    exact = np.mean([one.text == "Paris" for one in answers])
    twice = [*questions, *(replace(one, id=questions[0].id) for one in questions)]  # type: ignore[union-attr, call-arg]
    assert score("span", answering, {"": questions}, "exact_match")[""] == pytest.approx(exact)
    assert score("span", answering, {"": twice}, "exact_match")[""] == pytest.approx(exact)
    assert score("span", answering, {"": questions})[""] >= exact

    encoder, pairs = opened("AutoModel"), made("scores", 30)["eng_Latn"]
    cosines = embedding.predict(encoder, pairs)  # type: ignore[arg-type]
    right_scores = [one.score for one in pairs]  # type: ignore[union-attr]
    assert score("embedding", encoder, {"": pairs})[""] == pytest.approx(stats.spearmanr(cosines, right_scores)[0])
    assert 0 <= score("embedding", encoder, {"": made("pairs", 30)["eng_Latn"]})[""] <= 1


@pytest.mark.parametrize(
    ("task", "examples", "metric", "told"),
    [
        ("token", "token", "bleu", "--metric bleu: --task token has f1, accuracy"),
        ("sequence", "sequence", "pearson", "--metric pearson: for these labels there are accuracy"),
        ("sequence", "number", "accuracy", "--metric accuracy: for these labels there are pearson, spearman"),
        ("embedding", "pairs", "spearman", "for these labels there are retrieval"),
    ],
)
def test_metrics_that_do_not_suit_are_one_line(task, examples, metric, told) -> None:
    with pytest.raises(UserError, match=told):
        metric_for(task, made(examples, 2)["eng_Latn"], metric)


@pytest.mark.parametrize(
    ("labels", "positive"),
    [
        (("0", "1"), "1"),
        (("equivalent", "not_equivalent"), "equivalent"),
        (("not_duplicate", "duplicate"), "duplicate"),
        (("bad", "good"), "good"),
        (("no", "nothing"), "nothing"),
    ],
)
def test_f1_is_of_the_class_that_glue_means(opened, labels: tuple[str, str], positive: str) -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="no scikit-learn: pip install -e .[evaluate]")
    assert positive_of(labels) == positive
    model = opened(sequence.KIND, id2label=dict(enumerate(sorted(labels))))
    own = [replace(one, label=labels[one.label == "good"]) for one in made("sequence", 30)["eng_Latn"]]  # type: ignore[call-arg, union-attr]
    given = [one.label for one in sequence.predict(model, own)]  # type: ignore[arg-type]
    right = [one.label for one in own]  # type: ignore[union-attr]
    theirs = metrics.f1_score(right, given, pos_label=positive)
    assert 0 < theirs < 1 and score("sequence", model, {"": own}, "f1")[""] == pytest.approx(theirs)


def test_what_has_no_score_is_one_line(opened) -> None:
    with pytest.raises(UserError, match="--metric f1 is of two classes, and there are 3: take macro_f1"):
        score("sequence", opened(sequence.KIND, num_labels=3), made("sequence", 3), "f1")
    with pytest.raises(UserError, match=r"eng_Latn.tsv:1: a correlation of one example says nothing"):
        score("embedding", opened("AutoModel"), made("scores", 1))
    # The same before any training.
    with pytest.raises(UserError, match="--metric f1 is of two classes, and there are 3: take macro_f1"):
        check_metric("pair", "f1", ["a", "b", "c"], {})
    with pytest.raises(UserError, match=r"rus_Cyrl.tsv:1: a correlation of one example says nothing"):
        check_metric("embedding", "pearson", [], made("scores", 2) | {"rus_Cyrl": made("scores", 1)["rus_Cyrl"]})
    check_metric("sequence", "f1", ["a", "b"], made("sequence", 1))


def test_metric_for_the_labels() -> None:
    for task, examples, metric in (
        ("sequence", "sequence", "accuracy"),
        ("sequence", "number", "pearson"),
        ("token", "token", "f1"),
        ("span", "span", "f1"),
        ("embedding", "scores", "spearman"),
        ("embedding", "pairs", "retrieval"),
    ):
        assert metric_for(task, made(examples, 2)["eng_Latn"]) == metric  # type: ignore[arg-type]
