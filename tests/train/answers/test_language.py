"""A checkpoint with a language embedding is told each text's language, in whatever order the texts come."""

import sys
from pathlib import Path

import numpy as np
import pytest
from answering import SENTENCES
from training_runs import pretrain

from schemas.errors import UserError
from train.answers.language import DETECT, Models, check_language, detector
from train.answers.texts import BadText, Text
from train.encoders.folders import languages_of
from train.encoders.opened import OpenedModel, open_model
from train.encoders.vectors import embed

KNOWN = ("eng_Latn", "rus_Cyrl", "zho_Hans")


@pytest.fixture(scope="module")
def checkpoint(corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a model whose rows of languages differ."""
    output = tmp_path_factory.mktemp("runs") / "languages"
    pretrain(corpus.flags(output, language_embedding=True, steps=3, learning_rate=0.05))
    return output / "checkpoints" / "step-00000003"


def vectors(model: OpenedModel, texts: list[Text]) -> list[np.ndarray]:
    return list(embed(model, [text.parts[0] for text in texts]))


def test_each_text_is_read_by_the_model_for_its_language(checkpoint: Path) -> None:
    languages = ["rus_Cyrl", None, "eng_Latn", "rus_Cyrl", "kat_Geor", "zho_Hans"]
    texts = [Text((f"the river {row}",), "", row) for row in range(len(languages))]
    models = Models(checkpoint, DETECT, False, "cpu", "auto")
    assert sorted(models.languages) == sorted(KNOWN)
    found = models.ask(texts, languages, vectors)
    for text, language, vector in zip(texts, languages, found, strict=True):
        alone = open_model(checkpoint, language=language if language in KNOWN else None, device="cpu")
        np.testing.assert_allclose(vector, embed(alone, [text.parts[0]])[0], atol=1e-5)
    assert np.abs(found[0] - found[2]).max() > 1e-3


def test_which_languages_a_folder_can_be_told(checkpoint: Path, pretrained: Path, tmp_path: Path) -> None:
    assert set(languages_of(checkpoint)) == set(KNOWN)
    assert languages_of(checkpoint.parents[1]) == ()  # its export, of languages that are not told
    assert languages_of(pretrained) == languages_of(tmp_path / "gone") == ()


def test_a_language_that_the_model_lacks(checkpoint: Path, pretrained: Path) -> None:
    with pytest.raises(
        UserError, match=r"has no language kat_Geor: it knows .*; leave --language out, or name another"
    ):
        Models(checkpoint, "kat_Geor", True, "cpu", "auto")
    with pytest.raises(UserError, match=r"has no language embedding: leave --language out"):
        Models(pretrained, "kat_Geor", False, "cpu", "auto")
    models = Models(pretrained, "kat_Geor", True, "cpu", "auto")  # a label of its vectors
    assert models.ask([], [], vectors) == [] and models.of("kat_Geor") is models.any
    for wrong in ("en", "eng-Latn", "eng_latn"):
        with pytest.raises(UserError, match=f"--language {wrong}: write language and script, as eng_Latn"):
            check_language("--language", wrong)
    for right in (None, DETECT, *SENTENCES):
        check_language("--language", right)


def test_a_text_that_cannot_be_asked_is_named_by_its_place(pretrained: Path) -> None:
    def refuse(model: OpenedModel, texts: list[Text]) -> list[str]:
        raise BadText(1, "is bad: mend it")

    texts = [Text(("a",), "a.txt", 3), Text(("b",), "a.txt", 7)]
    with pytest.raises(UserError, match=r"^a\.txt:7 is bad: mend it$"):
        Models(pretrained, None, False, "cpu", "auto").ask(texts, [None, None], refuse)


def test_languages_are_the_corpus_own() -> None:
    asked = {name: SENTENCES[name] * 2 for name in ("eng_Latn", "rus_Cyrl", "kat_Geor", "jpn_Jpan", "tha_Thai")}
    assert detector()([*asked.values(), "1 2 3"]) == [*asked, None]


def test_a_machine_without_the_data_wing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pipeline.language.identifier", None)
    with pytest.raises(
        UserError, match=r"--language detect needs the packages of the data wing .*, or name the language"
    ):
        detector()
