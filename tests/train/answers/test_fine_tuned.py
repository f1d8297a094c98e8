"""Classes and names are those of the pipelines of transformers; answers stand where they are said to."""

from pathlib import Path

import pytest
import transformers
from answering import SENTENCES, save

from schemas.errors import UserError
from train.answers.answer import answer
from train.answers.classify import classify
from train.answers.tag import tag
from train.encoders.opened import OpenedModel, open_model

TEXTS = list(SENTENCES.values())
CLASSES = {0: "entailment", 1: "neutral", 2: "contradiction"}
TAGS = {0: "O", 1: "B-PER", 2: "I-PER", 3: "B-LOC", 4: "I-LOC"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tuned")
    save(transformers.BertForSequenceClassification, folder / "classes", id2label=CLASSES)
    settings = {"num_labels": 1, "problem_type": "regression"}
    save(transformers.BertForSequenceClassification, folder / "score", **settings)
    save(transformers.BertForTokenClassification, folder / "tags", id2label=TAGS)
    save(transformers.BertForQuestionAnswering, folder / "answers")
    return folder


@pytest.mark.parametrize("seconds", [None, TEXTS[::-1]])
def test_classes_are_those_of_the_pipeline(folders: Path, seconds: list[str] | None) -> None:
    pipeline = transformers.pipeline("text-classification", model=str(folders / "classes"), device=-1, top_k=None)
    found = classify(open_model(folders / "classes", device="cpu"), TEXTS, seconds, batch_tokens=100)
    asked = TEXTS if seconds is None else [{"text": a, "text_pair": b} for a, b in zip(TEXTS, seconds, strict=True)]
    for text, second, ours, theirs in zip(TEXTS, seconds or [None] * len(TEXTS), found, pipeline(asked), strict=True):
        assert (ours.text, ours.second, ours.label, ours.is_score) == (text, second, theirs[0]["label"], False)
        assert ours.probabilities == pytest.approx({one["label"]: one["score"] for one in theirs}, rel=1e-4)


def test_a_score_is_no_probability(folders: Path) -> None:
    pipeline = transformers.pipeline("text-classification", model=str(folders / "score"), device=-1)
    for ours, theirs in zip(classify(open_model(folders / "score"), TEXTS), pipeline(TEXTS), strict=True):
        assert ours.is_score and ours.probabilities == {"score": pytest.approx(theirs["score"], rel=1e-4)}


def test_names_are_those_of_the_pipeline(folders: Path) -> None:
    """Of scripts with spaces, where a word of theirs is one of ours."""
    pipeline = transformers.pipeline(
        "token-classification", model=str(folders / "tags"), device=-1, aggregation_strategy="first"
    )
    spaced = [SENTENCES[name] for name in ("eng_Latn", "rus_Cyrl", "kat_Geor", "heb_Hebr")]
    found = tag(open_model(folders / "tags", device="cpu"), spaced, batch_tokens=100)
    assert sum(len(one.entities) for one in found) > 4
    for text, ours in zip(spaced, found, strict=True):
        assert ours.text == text
        theirs = [(one["entity_group"], one["start"], one["end"]) for one in pipeline(text)]
        assert [(one.kind, one.begin, one.end) for one in ours.entities] == theirs
        assert [one.text for one in ours.entities] == [text[begin:end] for _, begin, end in theirs]


def test_answers_stand_in_their_context(folders: Path) -> None:
    contexts = [text * 5 for text in TEXTS]  # longer than the model takes at once
    for question, context, found in zip(
        TEXTS, contexts, answer(open_model(folders / "answers"), TEXTS, contexts), strict=True
    ):
        assert (found.question, found.context) == (question, context)
        assert context[found.answer.begin : found.answer.end] == found.answer.text != ""
        assert 0 < found.answer.probability <= 1


def test_no_text_no_answer_and_no_head_is_told(folders: Path, model: OpenedModel) -> None:
    assert classify(open_model(folders / "classes"), []) == []
    for ask, head in (
        (lambda: classify(model, ["a"]), "classes of texts"),
        (lambda: tag(model, ["a"]), "tags of words"),
    ):
        with pytest.raises(UserError, match=f"has no head for {head}"):
            ask()
    with pytest.raises(UserError, match="has no head for answers in a text"):
        answer(model, ["a"], ["b"])
